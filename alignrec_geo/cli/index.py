"""``alignrec-geo index``: an index of a run's items, for catalogues that are too large to score in whole."""

from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, print_notes, print_table, stderr
from alignrec_geo.cli.run_argument import RunArgument

IndexOption = Annotated[
    str,
    typer.Option(
        "--index",
        metavar="exact|ann",
        help="Score all items, or search what 'index' built: faster from 200,000 items on.",
    ),
]


def index(
    run: RunArgument,
    recall: Annotated[
        float, typer.Option("--recall", min=0.5, max=1.0, help="Share of the exact best 50 items that must be found.")
    ] = 0.99,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of k-means and of the measured requests.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Build an index of a run's items, for '--index ann' of 'recommend', 'similar' and 'serve'.

    Example: alignrec-geo index runs/shop

    Items are cut into lists, and only the lists nearest to a user are looked through: as many as it takes to find the
    wanted share of the exact best 50, measured on the run's own users and said. What is built is kept in RUN/index,
    with the hash of the tables it belongs to, and replaces what was there. Up to some 200,000 items exact ranking
    takes a few milliseconds. Needs alignrec-geo[ann].
    """
    import numpy as np

    from alignrec_geo.serving.index import save_indexes
    from alignrec_geo.serving.index.package import load_faiss
    from alignrec_geo.serving.store import load_top_items

    load_faiss()
    top = load_top_items(run)
    facts = save_indexes(run, top.embeddings, np.flatnonzero(top.trained_users), top.seen, recall, seed)
    if as_json:
        print_json({"run": str(run), "path": str(run / "index"), **facts.model_dump()})
        return
    parts = {"recommend": facts.recommend, "similar": facts.similar}
    print_table(
        f"Index of {facts.items:,} items, width {facts.width}",
        ("for", "lists", "looked through", "recall@50", "ms by the index", "ms exactly"),
        [
            (
                name,
                f"{part.lists:,}",
                f"{part.probes:,}",
                f"{part.recall:.3f}",
                f"{part.milliseconds['index']:.2f}",
                f"{part.milliseconds['exact']:.2f}",
            )
            for name, part in parts.items()
        ],
    )
    missed = [f"'{name}' finds {part.recall:.3f}" for name, part in parts.items() if part.recall < recall]
    if missed:
        print_notes([f"recall is below {recall:g} on requests that did not choose the settings: {', '.join(missed)}"])
    if facts.recommend.milliseconds["index"] >= facts.recommend.milliseconds["exact"]:
        print_notes(["exact ranking is as fast here; leave out --index ann"])
    seconds = sum(part.build_seconds for part in parts.values())
    stderr.print(f"{seconds:.1f} s; {run / 'index'}; use it with --index ann", soft_wrap=True)
