"""``recommend --basket``: items for a user of whom only some items are known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.output import print_json, print_notes
from alignrec_geo.cli.served import load_for_items
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.serving import SimilarItems, TopItems

Basket = Annotated[
    str | None,
    typer.Option("--basket", metavar="A,B,…", help="Items of a user whom the run does not know, in place of --user."),
]


def for_basket(
    run: Path, basket: str, k: int, include_cold: bool, device: str, index: str, rules: dict[str, Any], as_json: bool
) -> "SimilarItems | None":
    """Recommend for a basket: print one JSON object, or return the items to print.

    Args:
        run: the run folder.
        basket: external item ids, separated by commas.
        k: how many.
        include_cold: rank the items of ``embed`` too.
        device: where.
        index: ``exact``, or ``ann`` for the index of the run.
        rules: further arguments of :meth:`~alignrec_geo.serving.TopItems.recommend_for_items`.
        as_json: print one JSON object.

    Raises:
        InputError: the basket is empty or holds an unknown item, or the run cannot be read.
    """
    ids = [name.strip() for name in basket.split(",") if name.strip()]
    if not ids:
        raise InputError("--basket takes item ids, separated by commas (got none)")
    found = _served(run, ids, include_cold, device, index).recommend_for_items(ids, k, include_cold, **rules)
    if as_json:
        print_json({"basket": ids, "items": [item._asdict() for item in found], "notes": list(found.notes)})
        return None
    print_notes(found.notes)
    return found


def _served(run: Path, ids: list[str], include_cold: bool, device: str, index: str) -> "TopItems":
    """The run's tables, with its rule for new users, and with the items of 'embed' if the basket holds one of them."""
    from alignrec_geo.device import choose_device
    from alignrec_geo.serving.folding_store import StoredFolding
    from alignrec_geo.training.run_files import CONFIG

    served = load_for_items(run, ids, include_cold, device, index)
    if not StoredFolding(run).there and (run / CONFIG).exists():
        # a rule that is not one table, or a run of an earlier release: the model itself, from its data set
        from alignrec_geo.models.stored import load

        served.fold_in = load(run).to(choose_device(device)).fold_in
    return served
