import pytest

pytest.importorskip("optuna")

from alignrec_geo.comparison.search import Tried, suggest

SPACE = {"layers": (2, 1, 3), "norm": (True, False), "lr": (1e-3, 3e-3)}


def play(count, value=lambda settings: settings["layers"] * settings["lr"]):
    tried = []
    while len(tried) < count and (settings := suggest(SPACE, tried, "toy")) is not None:
        tried.append(Tried(settings, value(settings)))
    return tried


def test_the_defaults_come_first_and_no_point_twice_until_all_are_tried():
    tried = play(99)
    assert tried[0].settings == {"layers": 2, "norm": True, "lr": 1e-3}
    assert len(tried) == 12
    assert len({tuple(trial.settings.values()) for trial in tried}) == 12
    assert all(trial.settings[name] in axis for trial in tried for name, axis in SPACE.items())


def test_a_suggestion_depends_on_what_was_tried_and_on_nothing_else():
    tried = play(8)
    assert play(8) == tried
    assert [suggest(SPACE, tried[:n], "toy") for n in range(8)] == [trial.settings for trial in tried]
    assert [suggest(SPACE, tried[:n], "other") for n in range(8)] != [trial.settings for trial in tried]


def test_later_trials_follow_the_values():
    space = {f"x{n}": tuple(range(8)) for n in range(2)}

    def mean_of_last(sign):
        tried = []
        for _ in range(30):
            settings = suggest(space, tried, "toy")
            tried.append(Tried(settings, sign * float(settings["x0"])))
        return sum(trial.settings["x0"] for trial in tried[10:]) / 20

    assert mean_of_last(1) > mean_of_last(-1) + 1


def test_failed_trials_count_as_tried():
    tried = play(99, value=lambda settings: None if settings["norm"] else 0.5)
    assert len({tuple(trial.settings.values()) for trial in tried}) == 12
