from tests.settings_text import FOLDER, text_of


def test_calls_have_the_defaults_that_are_promised():
    """If the change is meant: ``python -m tests.settings_text``."""
    assert text_of("evaluation") == (FOLDER / "evaluation.txt").read_text(encoding="utf-8")
