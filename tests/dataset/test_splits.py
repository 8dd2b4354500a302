import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.dataset import Interactions, Split, SplitConfig, make_split
from alignrec_geo.errors import InputError
from tests.dataset.toys import pairs


def of_counts(counts: list[int], times: bool = False) -> Interactions:
    user = [u for u, count in enumerate(counts) for _ in range(count)]
    item = [i for count in counts for i in range(count)]
    order = np.random.default_rng(7).permutation(len(user))
    return pairs(user, item, timestamp=order.astype(np.int64) if times else None)


def held_out(interactions: Interactions, split: np.ndarray, part: Split) -> list[int]:  # type: ignore[type-arg]
    return np.bincount(interactions.user[split == part], minlength=interactions.n_users).tolist()


def test_random_rule_holds_out_what_the_field_does() -> None:
    counts = [1, 2, 3, 9, 10, 14, 15, 50]
    table = of_counts(counts)
    split = make_split(table, SplitConfig(rule="random", seed=1))
    assert held_out(table, split, Split.VALIDATION) == [0, 0, 1, 1, 1, 1, 1, 5]
    assert held_out(table, split, Split.TEST) == [0, 0, 1, 1, 1, 1, 2, 5]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(0, 5))
def test_random_rule_keeps_most_of_every_user_in_train(counts: list[int], seed: int) -> None:
    table = of_counts(counts)
    config = SplitConfig(rule="random", seed=seed)
    split = make_split(table, config)
    np.testing.assert_array_equal(split, make_split(table, config))
    for count, train in zip(counts, held_out(table, split, Split.TRAIN), strict=True):
        assert train >= (count if count < 3 else max(1, count - max(2, count // 5)))


def test_seeds_draw_different_splits() -> None:
    table = of_counts([20, 20])
    splits = [make_split(table, SplitConfig(rule="random", seed=seed)).tolist() for seed in (0, 1)]
    assert splits[0] != splits[1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_leave_last_takes_the_two_latest_of_every_user(counts: list[int]) -> None:
    table = of_counts(counts, times=True)
    split = make_split(table, SplitConfig(rule="leave-last"))
    assert table.timestamp is not None
    for user, count in enumerate(counts):
        mine = np.flatnonzero(table.user == user)
        by_time = mine[np.argsort(table.timestamp[mine])]
        wanted = [0] * count if count < 3 else [0] * (count - 2) + [1, 2]
        assert split[by_time].tolist() == wanted


def test_global_time_cuts_the_whole_table() -> None:
    table = of_counts([10, 10], times=True)
    split = make_split(table, SplitConfig(rule="global-time", validation=0.2, test=0.1))
    assert table.timestamp is not None
    assert split[np.argsort(table.timestamp)].tolist() == [0] * 14 + [1] * 4 + [2] * 2


def test_cold_items_holds_out_whole_items() -> None:
    table = of_counts([20, 20, 20])
    split = make_split(table, SplitConfig(rule="cold-items", seed=2, validation=0.1, test=0.2))
    parts = [set(table.item[split == part].tolist()) for part in (Split.TRAIN, Split.VALIDATION, Split.TEST)]
    assert [len(part) for part in parts] == [14, 2, 4]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]


def test_given_split_stays() -> None:
    table = of_counts([3]).with_split(np.array([2, 1, 0], dtype=np.int8))
    assert make_split(table, SplitConfig(rule="given")).tolist() == [2, 1, 0]


@pytest.mark.parametrize("rule", ["leave-last", "global-time"])
def test_time_rules_need_times(rule: str) -> None:
    with pytest.raises(InputError, match=f"split rule '{rule}' needs timestamps"):
        make_split(of_counts([4]), SplitConfig(rule=rule))  # type: ignore[arg-type]


def test_something_must_be_left_for_training() -> None:
    with pytest.raises(InputError, match="validation \\+ test must be below 1"):
        SplitConfig(validation=0.5, test=0.5)


def test_fractions_of_a_second_order_pairs_and_ties_keep_their_order() -> None:
    made = pairs([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2], timestamp=np.array([1.9, 1.1, 1.5, 3.0, 3.0, 3.0]))
    split = make_split(made, SplitConfig(rule="leave-last"))
    assert split.tolist() == [Split.TEST, Split.TRAIN, Split.VALIDATION, Split.TRAIN, Split.VALIDATION, Split.TEST]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.integers(0, 5))
def test_cold_users_are_not_in_training_and_keep_most_of_their_pairs_as_history(counts: list[int], seed: int) -> None:
    table = of_counts(counts)
    config = SplitConfig(rule="cold-users", seed=seed, validation=0.2, test=0.3)
    split = make_split(table, config)
    np.testing.assert_array_equal(split, make_split(table, config))
    parts = {part: np.array(held_out(table, split, part)) for part in (*Split,)[1:]}
    able = np.array(counts) >= 2
    for part, share in ((Split.VALIDATION, 0.2), (Split.TEST, 0.3)):
        users = parts[part] > 0
        assert users.sum() == round(able.sum() * share)
        assert not parts[Split.TRAIN][users].any()
        wanted = np.maximum(1, np.array(counts) // 5)  # a fifth, rounded down, but at least one
        np.testing.assert_array_equal(parts[part][users], wanted[users])
        np.testing.assert_array_equal(parts[Split.HISTORY][users], (np.array(counts) - wanted)[users])
    trained = parts[Split.TRAIN] > 0
    np.testing.assert_array_equal(parts[Split.TRAIN][trained], np.array(counts)[trained])


def test_all_train_holds_nothing_out_and_leaves_unused_pairs_alone() -> None:
    table = of_counts([5, 4])
    given_split = np.array([-1, 0, 1, 2, 3, 0, 1, 2, 0], dtype=np.int8)
    split = make_split(table.with_split(given_split), SplitConfig(rule="all-train"))
    assert split.tolist() == [-1, *([0] * 8)]
