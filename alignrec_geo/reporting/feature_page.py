"""A page on feature matrices: what is near what in each of them, and where items lie."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.files import atomic_path
from alignrec_geo.reporting.charts import Chart
from alignrec_geo.reporting.feature_space import Content, coloured, neighbours, open_contents, plane
from alignrec_geo.reporting.look import PAPER, SERIES, colour, series
from alignrec_geo.reporting.pages import render
from alignrec_geo.reporting.people import card, placed
from alignrec_geo.reporting.probe_chart import probe_chart
from alignrec_geo.reporting.thumbnails import SIDE
from alignrec_geo.typing import Int64

SHOWN = 5
"""Items whose neighbours are shown, from the least to the most popular."""
NEAR = 10
"""Neighbours of each."""
Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def write_feature_page(
    data: Dataset,
    names: Sequence[str],
    path: Path,
    table: Table,
    probed: Sequence[Mapping[str, Any]] = (),
    colour_by: str | None = None,
    how: str = "pca",
) -> None:
    """Write the page, atomically.

    Args:
        data: the data set, with its features and images.
        names: what is compared: feature matrices, ``image+text`` for two joined.
        path: the file, HTML.
        table: head and rows of what is known of the features.
        probed: the ``rows`` of what ``probe --json`` prints; with them every content is shown centred too.
        colour_by: column of the items that the map is coloured by.
        how: the map, ``pca`` or ``umap``.

    Raises:
        InputError: a feature or column is unknown, no item has all features, or the map cannot be made.
    """
    contents = open_contents(data, names, centred=bool(probed))
    text = feature_page(data, contents, table, probed, colour_by, how)
    with atomic_path(path) as staging:
        staging.write_text(text, encoding="utf-8")


def feature_page(
    data: Dataset,
    contents: Sequence[Content],
    table: Table,
    probed: Sequence[Mapping[str, Any]] = (),
    colour_by: str | None = None,
    how: str = "pca",
) -> str:
    """Return the page; see :func:`write_feature_page`."""
    column, categories, of_item = coloured(data, colour_by)
    shown = _queries(data, contents[0].items)
    used = sorted({int(number) for number in of_item[contents[0].items]})
    return render(
        "features.html",
        data=data,
        items=len(contents[0].items),
        total=data.interactions.n_items,
        names=[content.name for content in contents],
        head=table[0],
        rows=table[1],
        chart=probe_chart(probed) if probed else None,
        queries=[_query(data, contents, item, place) for item, place in shown],
        near=NEAR,
        maps=[_map(content, column, categories, of_item, how) for content in contents],
        how=how,
        column=column,
        key=[(categories[number], SERIES[number % len(SERIES)]) for number in used],
    )


def _queries(data: Dataset, items: Int64) -> list[tuple[int, int]]:
    """Items of different popularity, with an image where there are any: their rows, and their places in ``items``."""
    degree = data.interactions.of(Split.TRAIN).item_degree()[items]
    pictured = data.items["image"].is_not_null().to_numpy()[items]
    able = np.flatnonzero(pictured) if pictured.sum() >= SHOWN else np.arange(len(items))
    order = able[np.argsort(degree[able], kind="stable")]
    places = np.unique((np.linspace(0.05, 0.95, SHOWN) * (len(order) - 1)).round().astype(np.int64))
    return [(int(items[order[place]]), int(order[place])) for place in places]


def _query(data: Dataset, contents: Sequence[Content], item: int, place: int) -> dict[str, Any]:
    rows = []
    for content in contents:
        found = neighbours(content, place, NEAR)
        cards = [{**card(data, row, data.image_path), "note": f"cosine {cosine:.2f}"} for row, cosine in found]
        rows.append({"name": content.name, "cards": placed(cards)})
    uses = int((data.interactions.of(Split.TRAIN).item == item).sum())
    return {"item": card(data, item, data.image_path, SIDE), "count": uses, "rows": rows}


def _map(content: Content, column: str, categories: Sequence[str], of_item: Int64, how: str) -> Chart:
    places, points, names = plane(content, how)
    kinds = of_item[content.items[places]]

    def draw(axes: Axes) -> None:
        _scatter(axes, points, kinds, len(categories))
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])
        axes.set_xticks([])
        axes.set_yticks([])

    says = f"{len(points)} items, coloured by {column}: {', '.join(map(str, categories))}."
    return Chart(content.name, says, draw, height=320, small=True)


def _scatter(axes: Axes, points: NDArray[np.float64], kinds: Int64, count: int) -> None:
    for number in range(count):
        own = points[kinds == number]
        axes.plot(
            own[:, 0], own[:, 1], "o", color=series(number), markersize=5, markeredgecolor=colour(PAPER),
            markeredgewidth=0.4,
        )  # fmt: skip
