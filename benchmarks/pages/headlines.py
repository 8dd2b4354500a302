"""What the performance page begins with: the measured factors that say most, won or lost."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pages.gpu_section import rows_of
from pages.markdown import median, seconds

Results = Mapping[str, Mapping[str, Any]]


class Headline(NamedTuple):
    """One comparison.

    Args:
        short: its name in the chart, and against whom.
        what: what was measured.
        other: the other contestant.
        ours: our time.
        theirs: the other's time.
        ratio: theirs over ours.
        where: the machine.
    """

    short: tuple[str, str]
    what: str
    other: str
    ours: float
    theirs: float
    ratio: float
    where: str


CPU = (
    (
        "epoch",
        "training step, trainable",
        ("AlignRec step, CPU", "against naive"),
        "a training step of AlignRec",
        "the naive form",
    ),
    (
        "epoch",
        "epoch with validation, trainable",
        ("AlignRec epoch, CPU", "against naive"),
        "an epoch with its validation",
        "the naive form",
    ),
    (
        "ranking",
        "forward, ranking",
        ("full ranking, CPU", "against naive"),
        "ranking all items for all users, all metrics",
        "the naive form",
    ),
    (
        "ranking",
        "50 best, seen",
        ("50 best per user, CPU", "against torch"),
        "the 50 best unseen items of every user",
        "one matrix product and `torch.topk`",
    ),
    ("epoch", "LightGCN epoch", ("LightGCN epoch, CPU", "against PyG"), "an epoch of LightGCN", "PyG's example loop"),
    ("peers", "RecBole LightGCN", ("LightGCN epoch, CPU", "against RecBole"), "an epoch of LightGCN", "RecBole 1.2.1"),
    ("peers", "RecBole BPR", ("BPR epoch, CPU", "against RecBole"), "an epoch of BPR", "RecBole 1.2.1"),
    (
        "peers",
        "implicit BPR",
        ("BPR epoch, CPU", "against implicit"),
        "an epoch of BPR",
        "implicit 0.7.3 (SGD in Cython)",
    ),
    (
        "peers",
        "cornac VBPR",
        ("AlignRec epoch, CPU", "against cornac's VBPR"),
        "an epoch of AlignRec with its validation",
        "cornac 2.2.2, an epoch of VBPR",
    ),
)


def headlines(results: Results) -> list[Headline]:
    """Those that were measured, in the order of the table."""
    return [*_cpu(results), *_gpu(results)]


def _cpu(results: Results) -> Iterator[Headline]:
    for name, start, short, what, other in CPU:
        found = [row for row in results.get(name, {}).get("rows", []) if row["what"].startswith(start)]
        if found and found[0].get("ratio"):
            ours, theirs = (median(timing) for timing in list(found[0]["seconds"].values())[:2])
            machine = results[name]["machine"]
            where = f"CPU,\u00a0{machine['threads']}\u00a0thread{'' if machine['threads'] == 1 else 's'}"
            yield Headline(short, what, other, ours, theirs, found[0]["ratio"], where)


def _gpu(results: Results) -> Iterator[Headline]:
    result = results.get("gpu")
    if result is None:
        return
    for section, short, what, names in (
        ("steps", ("AlignRec step, GPU", "against naive"), "a training step of AlignRec", ("captured", "naive")),
        ("epochs", ("AlignRec epoch, GPU", "against naive"), "an epoch with its validation", ("ours", "naive")),
    ):
        for row in rows_of(result, section):
            if "trainable" in row["what"] and set(names) <= row["seconds"].keys():
                ours, theirs = (median(row["seconds"][name]) for name in names)
                yield Headline(short, what, "the naive form", ours, theirs, theirs / ours, result["device"])


def headline_rows(results: Results) -> list[list[str]]:
    """Cells of the table."""
    return [
        [row.what, row.where, seconds(row.ours), row.other, seconds(row.theirs), f"{row.ratio:.2f}×"]
        for row in headlines(results)
    ]
