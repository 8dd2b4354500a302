"""Encoders in Ray actors: every actor holds one, and encodes chunks of images or texts as this process would."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from alignrec_geo.actors import Pool
from alignrec_geo.content.encoders import open_image_encoder, open_text_encoder
from alignrec_geo.content.encoders.base import ImageEncoder, TextEncoder
from alignrec_geo.content.tokens.encoded import Batch, Encoded, Engine
from alignrec_geo.content.tokens.image_tokens import encode_images, prepare_image
from alignrec_geo.content.tokens.text_tokens import encode_texts


def images_by(pool: Pool, source: str, device: torch.device, width: int, files: Sequence[Path]) -> Engine:
    """An engine for :func:`~alignrec_geo.content.tokens.image_tokens.image_tokens`.

    Args:
        pool: the actors.
        source: the encoder, as the user names it; see :func:`~alignrec_geo.content.encoders.open_image_encoder`.
        device: where each actor runs it.
        width: of a cell of the encoder's map.
        files: the images; in a cluster on a shared disk.
    """

    def task(chunk: Sequence[Batch]) -> dict[str, Any]:
        return {
            "batches": [list(batch) for batch in chunk],
            "files": [[str(files[n].absolute()) for n in batch] for batch in chunk],
        }

    return partial(_encoded, pool, partial(_image_actor, _absolute(source), device), task, width)


def texts_by(pool: Pool, source: str, device: torch.device, width: int, ids: Sequence[Sequence[int]]) -> Engine:
    """An engine for :func:`~alignrec_geo.content.tokens.text_tokens.text_tokens`.

    Args:
        pool: the actors.
        source: the encoder; see :func:`~alignrec_geo.content.encoders.open_text_encoder`.
        device: where each actor runs it.
        width: of a token's state.
        ids: token ids of the texts.
    """

    def task(chunk: Sequence[Batch]) -> dict[str, Any]:
        return {"batches": [list(batch) for batch in chunk], "ids": [[list(ids[n]) for n in batch] for batch in chunk]}

    return partial(_encoded, pool, partial(_text_actor, _absolute(source), device), task, width)


def _encoded(
    pool: Pool,
    make: Callable[[], Any],
    task: Callable[[Sequence[Batch]], dict[str, Any]],
    width: int,
    chunks: Sequence[Sequence[Batch]],
) -> Iterator[list[Encoded]]:
    return ([Encoded.from_arrow(table, width)] for table in pool.map(make, [task(chunk) for chunk in chunks]))


def _image_actor(source: str, device: torch.device) -> Callable[[Any], Any]:
    encoder: ImageEncoder = open_image_encoder(source, device)

    def work(tasks: Any) -> Any:
        done = []
        for one in tasks.to_pylist():
            for batch, files in zip(one["batches"], one["files"], strict=True):
                decoded: list[NDArray[np.uint8] | str] = [prepare_image(encoder, Path(file)) for file in files]
                done.append(encode_images(encoder, batch, decoded).to_arrow())
        return pa.concat_tables(done)

    return work


def _text_actor(source: str, device: torch.device) -> Callable[[Any], Any]:
    encoder: TextEncoder = open_text_encoder(source, device)

    def work(tasks: Any) -> Any:
        done = []
        for one in tasks.to_pylist():
            for batch, ids in zip(one["batches"], one["ids"], strict=True):
                done.append(encode_texts(encoder, batch, ids).to_arrow())
        return pa.concat_tables(done)

    return work


def _absolute(source: str) -> str:
    """A folder by its whole path: actors may run elsewhere."""
    return os.path.abspath(source) if Path(source).is_dir() else source
