"""What a comparison showed, in a few sentences that are true whoever wins."""

from collections.abc import Mapping, Sequence
from typing import Any

from alignrec_geo.reporting.rows import ALPHA, Row, costs_compare, devices_of
from alignrec_geo.reporting.words import duration, listed, model_name, ordinal, p_value, signed

SHOWN = 4
"""Decimals of a metric in every table; what is equal there shares a place."""
UNTESTED = "No difference is called significant: that takes two finished seeds of both models."


def verdict(results: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The story and what has to be said with it, for a terminal.

    Args:
        results: the content of ``results.json``.
        rows: the main table.
    """
    return " ".join([*story(results, rows), *caveats(rows)])


def story(results: Mapping[str, Any], rows: Sequence[Row]) -> list[str]:
    """Who wins, by how much, and, where all were trained on one device, at what cost: three sentences at most.

    Args:
        results: the content of ``results.json``.
        rows: the main table.
    """
    ranked = [row for row in rows if "recall@20" in row.means]
    own = next((row for row in ranked if row.model == results["reference"]), None)
    if own is None:
        return [f"No finished run of {model_name(results['reference'])} yet."]
    if len(ranked) == 1:
        return [f"{_named(own)} reaches a Recall@20 of {_value(own)}; no other model has a finished run."]
    first = [row for row in ranked if value_of(row) == value_of(ranked[0])]
    others = [row for row in ranked if row is not own]
    rival = others[0]  # the winner, or the next best where the reference wins
    cost = _at_what_cost(own, rival) if costs_compare(rows) else []
    return [_who_wins(own, first, ranked), _by_how_much(own, rival, others), *cost]


def caveats(rows: Sequence[Row]) -> list[str]:
    """Non-learned baselines that beat trained models, runs that are missing, and devices that differ."""
    ranked = [row for row in rows if "recall@20" in row.means]
    sentences = []
    for baseline in (row for row in ranked if row.non_learned):
        beaten = [row for row in ranked if not row.non_learned and value_of(row) < value_of(baseline)]
        if beaten:
            value = f"{value_of(baseline):.4f}"
            named = model_name(baseline.model)
            said = f"{named[0].upper()}{named[1:]} ({value}), which is not trained, is better than {_list(beaten)}."
            sentences.append(said)
    none = [row for row in rows if not row.done]
    sentences += [f"Without a finished run: {_list(none)}."] if none else []
    fewer = [row for row in rows if 0 < row.done < row.wanted]
    if fewer:
        named = ", ".join(f"{model_name(row.model)} ({row.seeds})" for row in fewer[:3])
        more = f" and {len(fewer) - 3} more" if len(fewer) > 3 else ""
        sentences.append(f"Fewer seeds than planned: {named}{more}.")
    if not costs_compare(rows):
        devices = devices_of(rows)
        sentences.append(f"Trained on {listed(devices, most=len(devices))}: seconds and memory do not compare.")
    return sentences


def value_of(row: Row) -> float:
    """Mean Recall@20 as the tables show it."""
    return round(row.means["recall@20"], SHOWN)


def _who_wins(own: Row, first: Sequence[Row], ranked: Sequence[Row]) -> str:
    seeds = max(row.done for row in ranked)
    rest = f"of {len(ranked)} models" + (f", mean of {seeds} seeds" if seeds > 1 else ", one seed each")
    if len(first) > 1:
        return f"{_list(first)} share the highest Recall@20, {value_of(first[0]):.4f} ({rest}).{_place(own, ranked)}"
    return f"{_named(first[0])} has the highest Recall@20, {_value(first[0])} ({rest}).{_place(own, ranked)}"


def _place(own: Row, ranked: Sequence[Row]) -> str:
    place = 1 + sum(value_of(row) > value_of(own) for row in ranked)
    return "" if place == 1 else f" {_named(own)} is {ordinal(place)} with {_value(own)}."


def _by_how_much(own: Row, rival: Row, others: Sequence[Row]) -> str:
    difference = own.means["recall@20"] - rival.means["recall@20"] if rival.difference is None else rival.difference
    base = rival.means["recall@20"]
    relative = f" ({signed(100 * difference / base, 1)} %)" if base > 0 else ""
    p = f", {p_value(rival.p)}" if rival.tested else ""
    gap = f"{model_name(own.model)} − {model_name(rival.model)} is {signed(difference)}{relative}{p}"
    tested = [row for row in others if row.tested]
    if not tested:
        return f"{gap}. {UNTESTED}"
    groups = (
        ("better than", [row for row in tested if row.significant and (row.difference or 0.0) > 0]),
        ("worse than", [row for row in tested if row.significant and (row.difference or 0.0) < 0]),
        ("not distinguishable from", [row for row in tested if not row.significant]),
    )
    parts = "; ".join(f"{word} {_list(group, len(others))}" for word, group in groups if group)
    left = len(others) - len(tested)
    untested = f"; {left} {'is' if left == 1 else 'are'} not tested, for want of a second seed" if left else ""
    return f"{gap}: by the paired test (Holm-corrected p < {ALPHA:g}) it is {parts}{untested}.".replace("0.05", ".05")


def _at_what_cost(own: Row, rival: Row) -> list[str]:
    told = [
        f"{model_name(row.model)} trains {duration(row.costs['seconds_to_best'])} to its chosen epoch "
        f"({duration(row.costs.get('seconds_per_epoch'))} per epoch)"
        for row in (own, rival)
        if not row.non_learned and row.costs.get("seconds_to_best")
    ]
    return [f"{', '.join(told)}."] if told else []


def _named(row: Row) -> str:
    name = model_name(row.model)
    return f"{name[0].upper()}{name[1:]}, which is not trained," if row.non_learned else name


def _value(row: Row) -> str:
    spread = row.spreads.get("recall@20")
    return f"{value_of(row):.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def _list(rows: Sequence[Row], of: int | None = None) -> str:
    return listed([model_name(row.model) for row in rows], of)
