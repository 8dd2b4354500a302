"""What a comparison showed, in a few sentences that are true whoever wins."""

from collections.abc import Mapping, Sequence
from typing import Any

from alignrec_geo.reporting.rows import ALPHA, Row

SHOWN = 4
"""Decimals of a metric in every table; what is equal there shares a place."""


def verdict(results: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The place of the reference, non-learned baselines that beat trained models, tests, and what is missing.

    Args:
        results: the content of ``results.json``.
        rows: the main table.
    """
    reference = results["reference"]
    ranked = [row for row in rows if "recall@20" in row.means]
    own = next((row for row in ranked if row.model == reference), None)
    if own is None:
        return f"No finished run of {reference} yet."
    sentences = [_place(own, ranked), *_ahead_without_training(ranked), *_tests(own, ranked), *_missing(rows)]
    return " ".join(sentences)


def value_of(row: Row) -> float:
    """Mean Recall@20 as the tables show it."""
    return round(row.means["recall@20"], SHOWN)


def _place(own: Row, ranked: Sequence[Row]) -> str:
    what = (
        f"{own.model}{', which is not trained,' if own.non_learned else ''} reaches a Recall@20 of {value_of(own):.4f}"
    )
    if len(ranked) == 1:
        return f"{what}; no other model has a finished run."
    place = 1 + sum(value_of(row) > value_of(own) for row in ranked)
    equal = [row.model for row in ranked if row is not own and value_of(row) == value_of(own)]
    return f"{what}, place {place} of {len(ranked)} models{f', shared with {_list(equal)}' if equal else ''}."


def _ahead_without_training(ranked: Sequence[Row]) -> list[str]:
    """Non-learned baselines that are better than trained models."""
    sentences = []
    for baseline in (row for row in ranked if row.non_learned):
        beaten = [row.model for row in ranked if not row.non_learned and value_of(row) < value_of(baseline)]
        if beaten:
            sentences.append(
                f"{baseline.model} ({value_of(baseline):.4f}), which is not trained, is better than {_list(beaten)}."
            )
    return sentences


def _tests(own: Row, ranked: Sequence[Row]) -> list[str]:
    """What the paired test says, where both models have two seeds at least."""
    compared = [row for row in ranked if row is not own]
    if not compared:
        return []
    tested = [row for row in compared if row.tested]
    untested = [row.model for row in compared if not row.tested]
    groups = (
        ("better than", [row.model for row in tested if row.significant and (row.difference or 0.0) > 0]),
        ("worse than", [row.model for row in tested if row.significant and (row.difference or 0.0) < 0]),
        ("not distinguishable from", [row.model for row in tested if not row.significant]),
    )
    parts = [f"{word} {_list(names)}" for word, names in groups if names]
    sentences = [f"By the paired test (p < {ALPHA}) {own.model} is {'; '.join(parts)}."] if parts else []
    if untested:
        whom = f" for {_list(untested)}" if tested else ""
        sentences.append(f"No difference is called significant{whom}: that takes two finished seeds of both models.")
    return sentences


def _missing(rows: Sequence[Row]) -> list[str]:
    none = [row.model for row in rows if not row.done]
    fewer = [f"{row.model} ({row.seeds})" for row in rows if 0 < row.done < row.wanted]
    sentences = [f"Without a finished run: {_list(none)}."] if none else []
    return [*sentences, f"Fewer seeds than planned: {_list(fewer)}."] if fewer else sentences


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
