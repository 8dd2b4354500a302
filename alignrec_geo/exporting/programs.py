"""Modules as programs without this package: ONNX, and the format of ``torch.export``."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from alignrec_geo.errors import InputError

OPSET = 18
"""Of ONNX."""
INSIDE = 1_500_000_000
"""Bytes of tables up to which an ONNX file holds them itself; protobuf ends at 2 GB."""


@dataclass(frozen=True)
class Program:
    """A module with names and examples of what it takes and gives; the first dimension of all is the batch.

    Args:
        name: of the file, without its ending.
        module: takes and returns tensors.
        takes: an example of every input, by name.
        gives: names of the outputs.
    """

    name: str
    module: nn.Module
    takes: dict[str, Tensor]
    gives: tuple[str, ...]

    def bytes(self) -> int:
        """Of its tables."""
        return sum(part.numel() * part.element_size() for part in self.module.state_dict().values())

    def exported(self) -> torch.export.ExportedProgram:
        """The program of ``torch.export``, for any batch size."""
        batch = torch.export.Dim("batch", min=1)
        free = tuple({0: batch} for _ in self.takes)
        shapes = (free,) if len(self.takes) > 1 else free  # several come as *parts
        with _quiet():
            return torch.export.export(self.module.eval(), tuple(self.takes.values()), dynamic_shapes=shapes)


def write_torch(program: Program, folder: Path) -> dict[str, str]:
    """Write ``NAME.pt2``; returns what each file is."""
    file = f"{program.name}.pt2"
    torch.export.save(program.exported(), folder / file)
    return {file: _signature(program)}


def run_torch(file: Path, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Run what :func:`write_torch` wrote."""
    return list(torch.export.load(file).module()(*inputs))


def write_onnx(program: Program, folder: Path) -> dict[str, str]:
    """Write ``NAME.onnx``, and its tables beside it where they are too large for one file.

    Raises:
        InputError: the packages are not installed.
    """
    load_onnx()
    file = f"{program.name}.onnx"
    beside = program.bytes() > INSIDE
    with _quiet():
        found = torch.onnx.export(
            program.exported(),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(program.takes),
            output_names=list(program.gives),
            verbose=False,
        )
        assert found is not None
        found.save(folder / file, external_data=beside)
    return {file: _signature(program), **({f"{file}.data": f"tables of `{file}`"} if beside else {})}


def run_onnx(file: Path, names: Sequence[str], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Run what :func:`write_onnx` wrote by onnxruntime."""
    session = load_onnx().InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given = {name: part.numpy() for name, part in zip(names, inputs, strict=True)}
    return [torch.from_numpy(part) for part in session.run(None, given)]


def load_onnx() -> Any:
    """Return onnxruntime, if what writes ONNX is there too.

    Raises:
        InputError: a package is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"ONNX needs {error.name or 'packages'}, which is not installed: pip install 'alignrec-geo[onnx]'"
        ) from None
    return onnxruntime


def _signature(program: Program) -> str:
    takes = ", ".join(f"`{name}` {_shape(part)}" for name, part in program.takes.items())
    return f"{takes} → {', '.join(f'`{name}`' for name in program.gives)}"


def _shape(part: Tensor) -> str:
    kind = str(part.dtype).removeprefix("torch.")
    return f"{kind} [{', '.join(['batch', *map(str, part.shape[1:])])}]"


@contextmanager
def _quiet() -> Iterator[None]:
    """torch tells of packages that it does not find and of its own deprecations; that is nobody's concern here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
