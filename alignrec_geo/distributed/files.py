"""Tables that lie apart in one file, as one process would write it, without any rank holding a whole one."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from alignrec_geo.distributed.group import Group, current
from alignrec_geo.files import atomic_path
from alignrec_geo.reading import check_plain_file, reading
from alignrec_geo.tensors import KIND, read_tensors

BLOCK = 1 << 22
"""Numbers that are gathered on the first rank at a time."""
_KINDS = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.uint8: "U8", torch.bool: "BOOL"}


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], widths: Mapping[str, int], header: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, atomically; on many ranks all call this, and the first one writes.

    Args:
        path: the file.
        tensors: by name.
        widths: the number of all columns of those that lie apart, by name.
        header: texts for the head of the file.
    """
    group = current()
    # as safetensors does: large kinds of numbers first, so that every tensor is aligned
    tensors = dict(sorted(tensors.items(), key=lambda pair: (-pair[1].element_size(), pair[0])))
    if group is None:
        with atomic_path(path) as staging:
            save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, staging, header)
        return
    if not group.is_first:
        for _ in _rows(group, tensors, widths):
            pass
        return
    with atomic_path(path) as staging, staging.open("wb") as stream:
        stream.write(_head(tensors, widths, header or {}))
        for block in _rows(group, tensors, widths):
            _write(stream, block)


def read_own(path: Path, widths: Mapping[str, int]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file and its header, of tables that lie apart this rank's columns alone.

    Args:
        path: the file.
        widths: the number of all columns of those that lie apart, by name.

    Raises:
        InputError: the file is missing or damaged.
    """
    group = current()
    if group is None:
        return read_tensors(path)
    check_plain_file(path, KIND)
    with reading(path, KIND), safe_open(path, framework="pt") as stored:
        tensors = {}
        for name in stored.keys():  # noqa: SIM118
            apart = name in widths and stored.get_slice(name).get_shape()[1:] == [widths[name]]
            own = group.share(widths[name]).slice if apart else None
            tensors[name] = stored.get_tensor(name) if own is None else stored.get_slice(name)[:, own].contiguous()
        return tensors, stored.metadata() or {}


def _rows(group: Group, tensors: Mapping[str, Tensor], widths: Mapping[str, int]) -> Iterator[Tensor]:
    """The tensors one after another, in blocks of rows; those that lie apart whole on the first rank."""
    for name, tensor in tensors.items():
        own = tensor.detach()
        if name not in widths:
            yield own
            continue
        for block in own.split(max(1, BLOCK // widths[name])):
            whole = group.to_first(block, widths[name])
            if whole is not None:
                yield whole


def _head(tensors: Mapping[str, Tensor], widths: Mapping[str, int], header: Mapping[str, str]) -> bytes:
    """What a safetensors file begins with: the length of a JSON text, and the text."""
    entries: dict[str, object] = {"__metadata__": dict(header)} if header else {}
    place = 0
    for name, tensor in tensors.items():
        shape = [*tensor.shape[:-1], widths[name]] if name in widths else [*tensor.shape]
        size = torch.Size(shape).numel() * tensor.element_size()
        entries[name] = {"dtype": _KINDS[tensor.dtype], "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write(stream: BinaryIO, block: Tensor) -> None:
    stream.write(block.cpu().contiguous().numpy().tobytes())
