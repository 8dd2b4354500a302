from tests.settings_text import FOLDER, text_of


def test_settings_and_calls_have_the_defaults_and_limits_that_are_promised():
    """If the change is meant: ``python -m tests.settings_text``."""
    assert text_of("models") == (FOLDER / "models.txt").read_text(encoding="utf-8")
