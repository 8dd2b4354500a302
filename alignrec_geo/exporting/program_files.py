"""The ranking and the item encoder of a run as programs."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.exporting.content import ItemFromContent, stage_of
from alignrec_geo.exporting.modules import Scorer
from alignrec_geo.exporting.parquet import halves, write_users
from alignrec_geo.exporting.programs import OPSET, Program, load_onnx, run_onnx, run_torch, write_onnx, write_torch
from alignrec_geo.exporting.source import Source
from alignrec_geo.exporting.written import Written
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.randomness import child_generator

SCORER, ITEM_ENCODER = "scorer", "item-encoder"
PROGRAMS = (SCORER, ITEM_ENCODER)
IDS = "items.parquet"
EXAMPLES = 50
"""Items whose vectors are compared after an encoder was read back."""
SAME_VECTOR = 1e-3
"""How far vectors may differ, as a share of the largest number."""
AGREEING_ITEMS = 0.9
"""Share of the items whose vectors must: of content neighbours that are equally near, others may be taken."""

ONNX_USAGE = """
```python
import numpy as np
import onnxruntime
import polars as pl

users, items = pl.read_parquet("users.parquet"), pl.read_parquet("items.parquet")
session = onnxruntime.InferenceSession("scorer.onnx")
scores, rows = session.run(None, {"users": users["vector"][:1].to_numpy()})
print(users["id"][0], items[rows[0]]["id"].to_list()[:10])
```
"""
TORCH_USAGE = """
```python
import polars as pl
import torch

users, items = pl.read_parquet("users.parquet"), pl.read_parquet("items.parquet")
scores, rows = torch.export.load("scorer.pt2").module()(torch.tensor(users["vector"][:1].to_numpy()))
print(users["id"][0], items[rows[0].numpy()]["id"].to_list()[:10])
```

`.pt2` is torch's own format, and its reader is not made for files of strangers: load only files whose hash is the one
in `manifest.json`, and whose sender you know.
"""
ENCODER_USAGE = """
`item-encoder` gives an item that the run has not seen a vector of the same space, from rows of the feature matrices
{names} and whether the item has them. It is the rule of `alignrec-geo embed`: the mean of the trained vectors of the
items most like it, as far from their centre as they are. The score of the item for a user is the product of both
vectors. Images and texts become feature rows by the encoders that made the matrices, which are not part of this export.
"""


def write_programs(
    source: Source, folder: Path, kind: str, k: int, half: bool, wanted: Sequence[str] | None
) -> Written:
    """Write the ranking, the item encoder where the run has one, and the ids and vectors that they are used with.

    Args:
        source: the run.
        folder: where to.
        kind: ``onnx`` or ``torch-export``.
        k: items per user.
        half: tables in half precision.
        wanted: of :data:`PROGRAMS`; ``None`` for all that the run has.

    Raises:
        InputError: an unknown program, an item encoder of a run on ids alone, or a package is missing.
    """
    if kind == "onnx":
        load_onnx()
    names = _wanted(source, wanted)
    written = Written(usage=ONNX_USAGE if kind == "onnx" else TORCH_USAGE)
    write_users(source, folder, False, written)
    source.item_table().write_parquet(folder / IDS)
    written.files[IDS] = "`id`, `title` and further columns of the items, by row"
    if half:
        halves(source.items)  # raises where they do not hold the table
    written.facts["programs"] = {}
    if kind == "onnx":
        written.facts["opset"] = OPSET
    for name in names:
        program = _scorer(source, k, half) if name == SCORER else _encoder(source, half)
        written.files |= write_onnx(program, folder) if kind == "onnx" else write_torch(program, folder)
        written.facts["programs"][name] = {
            "inputs": {part: [str(x.dtype).removeprefix("torch."), *x.shape[1:]] for part, x in program.takes.items()},
            "outputs": list(program.gives),
        }
        if isinstance(program.module, ItemFromContent):
            written.usage += ENCODER_USAGE.format(names=", ".join(f"`{part}`" for part in program.module.widths))
        check = _check_scorer if name == SCORER else _check_encoder
        check(source, program, folder, kind, half, written)
    return written


def _wanted(source: Source, wanted: Sequence[str] | None) -> list[str]:
    if wanted is None:
        return [SCORER, *([ITEM_ENCODER] if source.features else [])]
    unknown = next((name for name in wanted if name not in PROGRAMS), None)
    if unknown is not None or not wanted:
        raise InputError(f"programs must be some of {', '.join(PROGRAMS)} (got '{unknown or ''}')")
    return list(dict.fromkeys(wanted))


def _scorer(source: Source, k: int, half: bool) -> Program:
    module = Scorer(torch.from_numpy(source.items), k, half)
    return Program(SCORER, module, {"users": torch.from_numpy(source.users[:3])}, ("scores", "rows"))


def _encoder(source: Source, half: bool) -> Program:
    rule = source.rule()
    module = ItemFromContent(rule, [stage_of(source.data, name) for name in source.features], half)
    takes: dict[str, Tensor] = {}
    for name, width in module.widths.items():
        takes[name] = torch.zeros(3, width)
        takes[f"has_{name}"] = torch.ones(3, dtype=torch.bool)
    if len(takes) < 2 * len(module.widths):
        raise InputError(
            f"features called {', '.join(module.widths)} and has_… would be inputs of one name; rename them"
        )
    return Program(ITEM_ENCODER, module, takes, ("vectors", "known"))


def _run(program: Program, folder: Path, kind: str, inputs: Sequence[Tensor]) -> list[Tensor]:
    if kind == "onnx":
        return run_onnx(folder / f"{program.name}.onnx", list(program.takes), inputs)
    return run_torch(folder / f"{program.name}.pt2", inputs)


def _check_scorer(source: Source, program: Program, folder: Path, kind: str, half: bool, written: Written) -> None:
    rows = source.checked_users
    scores, items = _run(program, folder, kind, [torch.from_numpy(source.users[rows])])
    written.confirm(SCORER, source.compared(scores.numpy(), items.numpy(), scores.shape[1]), not half)


def _check_encoder(source: Source, program: Program, folder: Path, kind: str, half: bool, written: Written) -> None:
    """The vectors of items of the data set, one without content among them, against those of the rule of ``embed``."""
    module = program.module
    assert isinstance(module, ItemFromContent)
    inputs: dict[str, list[Tensor]] = {name: _examples(source, name, width) for name, width in module.widths.items()}
    given = [part for name in module.widths for part in inputs[name]]
    vectors, known = _run(program, folder, kind, given)
    rule = source.rule()
    with torch.no_grad():
        rows = [module.rows_of(place, inputs) for place in range(len(source.features))]
    parts = [Modality(name, *row) for name, row in zip(source.features, rows, strict=True)]
    wanted, expected = rule(rule.space.place(parts))
    scale = wanted.abs().max().clamp(min=1e-30)
    difference = (vectors - wanted).abs().max(dim=1).values / scale
    agreeing = float((difference < SAME_VECTOR).float().mean())
    if not torch.equal(known, expected) or (not half and agreeing < AGREEING_ITEMS):
        raise InputError(f"export: the item encoder, read back, agrees with the run for {agreeing:.0%} of the items")
    median = float(difference.median())
    written.checked[ITEM_ENCODER] = {"items": len(wanted), "agreeing": agreeing, "median_difference": median}


def _examples(source: Source, name: str, width: int) -> list[Tensor]:
    """Rows of a matrix, the last without; drawn ones where the data set no longer has it."""
    there = source.data.features(name) if name in source.data.feature_names else None
    if there is None or there.width != width:
        rows = torch.randn(EXAMPLES, width, generator=child_generator(0, f"examples of {name}"))
        present = torch.ones(EXAMPLES, dtype=torch.bool)
    else:
        rows, present = torch.from_numpy(there.matrix[:EXAMPLES]), torch.from_numpy(there.present[:EXAMPLES])
    return [torch.cat([rows, torch.ones(1, width)]), torch.cat([present, torch.zeros(1, dtype=torch.bool)])]
