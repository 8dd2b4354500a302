"""Write what the site's first page shows of a quickstart: a user's items and what is recommended, as images.

    alignrec-geo quickstart --out runs/quickstart
    python benchmarks home_page runs/quickstart

The items go to ``benchmarks/results/quickstart.json``, their images to ``docs/images/items``, the row of images into
``docs/index.md``. The user is the first one of the catalogue, the one the quickstart prints.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from harness.machine import RESULTS, machine
from harness.measure import command
from harness.program import run_program
from pages.markdown import between_marks

from alignrec_geo import Dataset, load_top_items
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.files import atomic_path, read_json, write_json

DOCS = RESULTS.parents[1] / "docs"
NAME = "quickstart"
SHOWN = 6
"""Items in a row."""
BEGIN = "<!-- made by benchmarks/pages/home_page.py -->"
RUNS = {
    "popularity": "popularity",
    "id_only": "AlignRec on ids",
    "alignrec": "on images and captions",
    "alignrec_aligned": "on these and on aligned vectors from stage 1",
}


def main(
    runs: Annotated[
        Path | None, typer.Argument(help="Folder of a quickstart; without, the stored one is used.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of results.")] = RESULTS,
    docs: Annotated[Path, typer.Option(help="Where index.md and images/ are.")] = DOCS,
) -> None:
    """Store the items, copy their images, and write the row."""
    if runs is not None:
        write_json(results / f"{NAME}.json", collected(runs, docs / "images" / "items"))
    page = docs / "index.md"
    new = render(read_json(results / f"{NAME}.json"))
    text = between_marks(page.read_text(encoding="utf-8"), BEGIN, new, str(page))
    with atomic_path(page) as staging:
        staging.write_text(text, encoding="utf-8")
    print(page)


def collected(runs: Path, images: Path) -> dict[str, Any]:
    """What is stored of a quickstart; the images of the items are copied."""
    data = Dataset.open(runs / "catalogue")
    result = {
        "name": NAME,
        "command": ["alignrec-geo quickstart --out runs/quickstart", command()],
        "recall@20": {name: read_json(runs / name / "result.json")["metrics"]["recall@20"] for name in RUNS},
        **one_user(data, runs / "alignrec_aligned"),
        "machine": machine(),
    }
    images.mkdir(parents=True, exist_ok=True)
    for item in (*result["past"], *result["recommended"]):
        content = (runs / "catalogue" / "images" / f"{item['id']}.png").read_bytes()
        with atomic_path(images / f"{item['id']}.png") as staging:
            staging.write_bytes(content)
    return result


def one_user(data: Dataset, run: Path) -> dict[str, Any]:
    """The first user: training items and what the run recommends, with what was held out among it."""
    user = data.users["id"][0]
    had, held_out = (_items(data, split) for split in (Split.TRAIN, Split.TEST))
    best = load_top_items(run).recommend([user], k=SHOWN)[user]
    return {
        "user": user,
        "known": len(had),
        "past": had[:SHOWN],
        "recommended": [
            {"id": item.item, "title": item.title, "held_out": item.item in {one["id"] for one in held_out}}
            for item in best
        ],
    }


def _items(data: Dataset, split: Split) -> list[dict[str, str]]:
    pairs = data.interactions.of(split)
    rows = np.sort(pairs.item[pairs.user == 0]).tolist()
    return [{"id": data.items["id"][row], "title": data.items["title"][row]} for row in rows]


def render(result: Mapping[str, Any]) -> str:
    """The part of the page between the marks."""
    recalls = result["recall@20"]
    values = "; ".join(f"{words} {recalls[name]:.3f}" for name, words in RUNS.items())
    found = sum(item["held_out"] for item in result["recommended"])
    hits = f" {found} of them {'was' if found == 1 else 'were'} held out for the test." if found else ""
    return "\n".join(
        [
            "`alignrec-geo quickstart` generates a catalogue of 600 items with images and captions and 1,000 users",
            f"with a taste for both, and trains on it, in about two minutes on a CPU. Test Recall@20: {values}.",
            "",
            f"What `{result['user']}` had ({result['known']} items in training, the first {len(result['past'])}):",
            "",
            _row(result["past"]),
            f"What is recommended, best first:{hits}",
            "",
            _row(result["recommended"]),
        ]
    )


def _row(items: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        f'<figure><img src="images/items/{item["id"]}.png" alt="{item["title"]}" width="100">'
        f"<figcaption>{item['title']}</figcaption></figure>"
        for item in items
    ]
    return "\n".join(['<div class="items">', *cells, "</div>", ""])


if __name__ == "__main__":
    run_program(main)
