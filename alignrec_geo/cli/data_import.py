"""``data import``: from the files people have to a data set folder."""

from typing import Annotated

import typer

from alignrec_geo.cli.import_options import (
    AllItemsFlag,
    FolderArgument,
    ImagesOption,
    ItemsOption,
    KCoreOption,
    KeepHtmlFlag,
    MinRatingOption,
    NameOption,
    OutOption,
    OverwriteFlag,
    RuleOption,
    SeedOption,
    TextOption,
    dataset_name,
    write,
)
from alignrec_geo.cli.import_table import table
from alignrec_geo.cli.output import JsonFlag

app = typer.Typer(no_args_is_help=True, help="Make a data set folder from files.")
app.command("table")(table)


@app.command("mmrec")
def mmrec(
    folder: FolderArgument,
    out: OutOption,
    name: NameOption = None,
    rule: RuleOption = None,
    seed: SeedOption = 0,
    overwrite: OverwriteFlag = False,
    json_: JsonFlag = False,
) -> None:
    """Import an MMRec folder: NAME.inter[.gz] with x_label, and X_feat.npy matrices.

    The split is that of x_label; --rule makes another.

    Example: alignrec-geo data import mmrec downloads/baby --out data/baby
    """
    from alignrec_geo.dataset.readers.mmrec import read_mmrec
    from alignrec_geo.dataset.splits import SplitConfig
    from alignrec_geo.settings import checked

    called = dataset_name(name, out)
    split = checked(SplitConfig, {"rule": rule, "seed": seed}) if rule else None
    default = checked(SplitConfig, {"seed": seed})
    write(lambda: read_mmrec(folder, called, split, default), out, overwrite, json_, [folder])


@app.command("movielens")
def movielens(
    folder: FolderArgument,
    out: OutOption,
    min_rating: MinRatingOption = None,
    k_core: KCoreOption = 1,
    rule: RuleOption = None,
    seed: SeedOption = 0,
    items: ItemsOption = None,
    item_id: Annotated[
        str, typer.Option("--item-id", metavar="COLUMN", help="Column of the film number in --items.")
    ] = "movieID",
    text: TextOption = None,
    keep_html: KeepHtmlFlag = False,
    all_items: AllItemsFlag = False,
    images: ImagesOption = None,
    name: NameOption = None,
    overwrite: OverwriteFlag = False,
    json_: JsonFlag = False,
) -> None:
    """Import MovieLens 100K or 1M as GroupLens publishes them.

    Example: alignrec-geo data import movielens downloads/ml-100k/ml-100k --rule leave-last --out data/ml-100k
    """
    from alignrec_geo.dataset.filters import FilterConfig
    from alignrec_geo.dataset.readers.movielens import read_movielens
    from alignrec_geo.dataset.splits import SplitConfig
    from alignrec_geo.settings import checked

    called = dataset_name(name, out)
    split = checked(SplitConfig, {"rule": rule or "random", "seed": seed})
    filters = checked(FilterConfig, {"min_rating": min_rating, "k_core": k_core})
    write(
        lambda: read_movielens(
            folder,
            called,
            split=split,
            filters=filters,
            items=items,
            item_id=item_id,
            text=tuple(text or ()),
            keep_html=keep_html,
            all_items=all_items,
            images=images,
        ),
        out,
        overwrite,
        json_,
        [folder, items, images],
    )
