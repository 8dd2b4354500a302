"""``features whiten``: one feature matrix, centred and whitened."""

from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, stdout


def whiten(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Data set folder.", show_default=False)],
    source: Annotated[str, typer.Option("--from", metavar="NAME", help="Features to whiten.", show_default=False)],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the whitened ones; NAME-white if not given.")
    ] = None,
    shrink: Annotated[
        float, typer.Option("--shrink", help="Shrinkage, above 0: the less, the more small directions count.")
    ] = 0.1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace features of that name.")] = False,
    json_: JsonFlag = False,
) -> None:
    """Centre and whiten a feature matrix: for text alone or images alone, what 'pretrain' is for both.

    Example: alignrec-geo features whiten data/shop --from text --name text-white

    The mean is taken out, and directions in which the vectors differ much no longer drown the others. Fitted to all
    items that have the features; interactions are not looked at. Mean and matrix are stored: 'embed' takes new items
    the same way. 'probe' compares both, 'train --features text-white' uses the result.
    """
    from alignrec_geo.content.feature_sets.report import feature_report
    from alignrec_geo.content.feature_sets.whiten import whiten_features
    from alignrec_geo.dataset.store import Dataset

    opened = Dataset.open(dataset)
    made = whiten_features(opened, source, name, shrink, overwrite).features
    before, after = (feature_report(features).mean_share for features in (opened.features(source), made))
    items = int(made.present.sum())
    if json_:
        print_json(
            {
                "dataset": opened.name,
                "path": str(dataset),
                "features": made.name,
                "from": source,
                "items": items,
                "width": made.width,
                "shrink": shrink,
                "common_share": {"before": before, "after": after},
            }
        )
        return
    stdout.print(
        f"{dataset}: features '{made.name}', {items:,} of {len(made.present):,} items, width {made.width}; common "
        f"share {before:.1%} before, {after:.1%} now",
        soft_wrap=True,
    )
