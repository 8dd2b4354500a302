"""The feature card: the ``README.md`` of a folder of features that is given to others."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from alignrec_geo.content.feature_sets.report import FeatureReport
from alignrec_geo.dataset.store import Dataset


class ProbedRow(BaseModel):
    """What the probe says of one content."""

    model_config = ConfigDict(allow_inf_nan=False, strict=True)

    content: str
    """Names of feature matrices."""
    centred: bool
    """Whether the mean vector was subtracted."""
    zero_shot: dict[str, float]
    """Metrics of the zero-shot ranking."""
    item_cf: dict[str, float] | None
    """Metrics of item-CF."""
    agreement: float | None
    """Share of content neighbours that are co-interaction neighbours."""


class Probed(BaseModel):
    """What of the file that ``probe --out`` writes stands on the card."""

    model_config = ConfigDict(allow_inf_nan=False, strict=True)

    dataset: str
    """Name of the data set."""
    split: str
    """Which pairs were to be found."""
    protocol: str
    """Which items were left out."""
    items: int
    """Items that have all of the compared content."""
    rows: list[ProbedRow]
    """One per content."""


def feature_card(
    dataset: Dataset,
    reports: Mapping[str, FeatureReport],
    notes: Sequence[str] = (),
    probed: Mapping[str, Any] | None = None,
) -> str:
    """Write the card in Markdown: what the rows are, how the vectors were made, what is known of their worth.

    Args:
        dataset: what the features belong to.
        reports: of every exported matrix, by file name; each names the file's own hash.
        notes: what the export left out.
        probed: what ``probe --out`` wrote, for the table of intermediate metrics.
    """
    lines = [
        f"# Item features of {dataset.name}",
        "",
        "Row r of a matrix belongs to the item with number r (`i_id_mapping.csv`); a row of zeros means that the item "
        "has no such content. float32.",
        "",
        "| file | from features | items | width | with content | median length | common share | SHA-256 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for file, found in reports.items():
        lines.append(
            f"| `{file}` | {found.name} | {found.items:,} | {found.width} | {found.present:,} | "
            f"{found.norms['median']:.3g} | {found.mean_share:.1%} | `{found.sha256}` |"
        )
    lines += [
        "",
        "Common share: the part of the squared lengths that all rows have in common. Where it is large, subtract the "
        "mean of the rows with content before taking cosines.",
        "",
        "## How they were made",
        "",
    ]
    for file, found in reports.items():
        said = "; ".join(f"{key}: {value}" for key, value in found.meta.items()) or "not stated"
        lines.append(f"- `{file}`: {said}")
    lines += [f"- Left out: {note}" for note in notes]
    lines += ["", "## Intermediate metrics", "", *_metrics(probed), "", "## Use", ""]
    lines += [
        "```console",
        f"$ alignrec-geo data import mmrec THIS_FOLDER --out {dataset.name}",
        "```",
        "",
        "or `numpy.load(FILE)`. The vectors come from images and texts that have owners of their own; check their "
        "terms, and those of the encoder, before passing them on.",
    ]
    return "\n".join(lines) + "\n"


def _metrics(probed: Mapping[str, Any] | None) -> list[str]:
    if probed is None:
        return ["Not measured for this card (`alignrec-geo probe` does, `features export --probe FILE` puts it here)."]
    table = [
        f"{probed['dataset']}, {probed['split']}, protocol {probed['protocol']}: nothing is trained; "
        f"{probed['items']:,} items that have all of the compared content.",
        "",
        "| content | zero-shot Recall@20 | item-CF Recall@20 | agreement |",
        "|---|---|---|---|",
    ]
    for row in probed["rows"]:
        cells = [
            "–" if value is None else f"{value:.4f}"
            for value in (_recall(row["zero_shot"]), _recall(row["item_cf"]), row["agreement"])
        ]
        label = f"{row['content']}, centred" if row["centred"] else row["content"]
        table.append(f"| {label} | {' | '.join(cells)} |")
    return table


def _recall(metrics: Mapping[str, float] | None) -> float | None:
    return None if metrics is None else metrics.get("recall@20")
