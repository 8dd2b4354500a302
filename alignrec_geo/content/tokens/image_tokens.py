"""The patch maps of all images of a data set, encoded once."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.content.encoders.base import ImageEncoder
from alignrec_geo.content.progress import Progress
from alignrec_geo.content.throughput import Throughput
from alignrec_geo.content.tokens.decoding import decoded_batches, default_workers
from alignrec_geo.content.tokens.encoded import Batch, Encoded, Engine
from alignrec_geo.content.tokens.token_cache import ArraySpec, open_token_cache
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.image_files import needs_conversion, read_image
from alignrec_geo.limits import limit
from alignrec_geo.memory import enough_memory
from alignrec_geo.typing import Int64


@dataclass(frozen=True)
class ImageTokens:
    """Patch maps of the items that have an image, in memory-mapped arrays.

    Args:
        folder: the cache, ``None`` if it could not be written.
        slot: place of every item below, ``[I]``, -1 for an item without an image that can be read.
        grid: rows and columns of the map, ``P = rows * columns``.
        patches: ``[N, P, C]`` float16.
        pooled: one vector per image, ``[N, D]`` float32.
        broken: why an image could not be read, by external item id.
    """

    folder: Path | None
    slot: Int64
    grid: tuple[int, int]
    patches: NDArray[Any]
    pooled: NDArray[Any]
    broken: dict[str, str]

    def batch(self, items: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Patches ``[B, P, C]`` float32 of item rows, read from disk, and which of them have an image, ``[B]``.

        The map of an item without one is zero.
        """
        slots = self.slot[list(items)]
        has = torch.from_numpy(slots >= 0)
        patches = torch.zeros(len(slots), *self.patches.shape[1:])
        patches[has] = torch.from_numpy(self.patches[slots[slots >= 0]].astype(np.float32))
        return patches, has


def image_tokens(
    dataset: Dataset,
    encoder: ImageEncoder,
    cache: Path | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
    workers: int | None = None,
    throughput: Throughput | None = None,
    engine: Callable[[Sequence[Path]], Engine] | None = None,
) -> ImageTokens:
    """Encode the images of a data set, or read them from the cache; few batches of images are in memory at a time.

    An image that cannot be read is reported by its item, which counts as without image.

    Args:
        dataset: as stored, with its images.
        encoder: frozen.
        cache: folder of the caches.
        batch_size: images at a time.
        progress: called after every chunk.
        workers: processes that decode ahead of the encoder; by default some where it runs on a GPU, else none.
        throughput: counts what is encoded.
        engine: gets the files, and encodes them elsewhere than in this process.

    Raises:
        InputError: the data set has no images, the cache cannot be used, or memory ran out.
    """
    paths = [dataset.image_path(row) for row in range(dataset.items.height)]
    rows = [row for row, path in enumerate(paths) if path is not None]
    if not rows:
        raise InputError(f"data set '{dataset.name}' has no images; import it with images=")
    files = [path for path in paths if path is not None]
    names = [str(dataset.items["id"][row]) for row in rows]
    shape = (len(rows), encoder.grid[0] * encoder.grid[1], encoder.patch_width)
    arrays = {
        "patches": ArraySpec(shape, "float16"),
        "pooled": ArraySpec((len(rows), encoder.width), "float32"),
    }
    key = (encoder.fingerprint, *(f"{name} {_content(file)}" for name, file in zip(names, files, strict=True)))
    with open_token_cache(cache, "image", key, arrays, len(rows)) as store:
        chunks = {chunk: list(_split(chunk, batch_size)) for chunk in store.remaining()}
        counted = Throughput("images") if throughput is None else throughput
        encoded = _here(encoder, files, workers, counted) if engine is None else engine(files)
        with counted.running(), enough_memory("encoding images", lower="batch_size"):
            for chunk, parts in zip(chunks, encoded(list(chunks.values())), strict=True):
                broken: dict[str, str] = {}
                for part in parts:
                    broken |= {names[n]: why for n, why in part.broken.items()}
                    if part.places:
                        store.arrays["patches"][part.places] = part.states
                        store.arrays["pooled"][part.places] = part.pooled
                    if engine is not None:
                        counted.items += len(part.places)
                store.commit(chunk.stop, broken)
                if progress is not None:
                    progress(chunk.stop, len(rows))
        slot = np.full(len(paths), -1, dtype=np.int64)
        for n, (row, name) in enumerate(zip(rows, names, strict=True)):
            slot[row] = -1 if name in store.notes else n
        return ImageTokens(
            store.folder, slot, encoder.grid, store.arrays["patches"], store.arrays["pooled"], dict(store.notes)
        )


def encode_images(
    encoder: ImageEncoder,
    places: Sequence[int],
    decoded: Sequence[NDArray[np.uint8] | str],
    counted: Throughput | None = None,
) -> Encoded:
    """Encode a batch of images.

    Args:
        encoder: frozen.
        places: which they are.
        decoded: each as the encoder takes it, or why it cannot be read.
        counted: counts them.
    """
    broken = {n: image for n, image in zip(places, decoded, strict=True) if isinstance(image, str)}
    images = {n: image for n, image in zip(places, decoded, strict=True) if not isinstance(image, str)}
    if not images:
        return Encoded([], [], np.empty((0, encoder.width), dtype=np.float32), broken)
    with nullcontext() if counted is None else counted.encoding(len(images), encoder.device):
        out = encoder.encode(np.stack(list(images.values())))
    return Encoded(list(images), list(out.patches.to("cpu", torch.float16).numpy()), out.pooled.cpu().numpy(), broken)


def _here(encoder: ImageEncoder, files: Sequence[Path], workers: int | None, counted: Throughput) -> Engine:
    """The engine of this process: every batch is encoded when it is asked for."""

    def encode(chunks: Sequence[Sequence[Batch]]) -> Iterator[Iterator[Encoded]]:
        batches = [batch for chunk in chunks for batch in chunk]
        ahead = default_workers(encoder.device) if workers is None else workers
        decoded = decoded_batches(encoder, files, batches, ahead)
        for chunk in chunks:
            yield (encode_images(encoder, batch, next(decoded), counted) for batch in chunk)

    return encode


def _split(chunk: range, size: int) -> Iterator[range]:
    """The parts of a chunk that are encoded at once."""
    for start in range(chunk.start, chunk.stop, size):
        yield range(start, min(start + size, chunk.stop))


def _content(file: Path) -> str:
    """SHA-256 of an image; one that is missing or too large has none and is reported when it is to be read.

    Images that earlier releases did not show the encoder as a person sees them (16 bits, transparency, turned by EXIF
    data) are marked, so that what was encoded then is not taken for them.
    """
    if not file.is_file():
        return "missing"
    if file.stat().st_size > limit("image_bytes"):
        return "too large"
    content = file.read_bytes()
    return hashlib.sha256(content).hexdigest() + (" as seen" if needs_conversion(content) else "")


def prepare_image(encoder: ImageEncoder, file: Path) -> NDArray[np.uint8] | str:
    """The image of a file as the encoder takes it, or why it cannot be read."""
    return read_image(file, encoder.prepare)


def averaged(maps: Tensor, grid: tuple[int, int], onto: tuple[int, int]) -> Tensor:
    """Average the cells of maps ``[n, P, C]`` to a smaller grid.

    Example:
        >>> averaged(torch.tensor([[[1.0], [3.0], [5.0], [7.0]]]), (2, 2), (1, 1))
        tensor([[[4.]]])
    """
    square = maps.transpose(1, 2).unflatten(2, grid)  # [n, C, rows, columns]
    return F.adaptive_avg_pool2d(square, onto).flatten(2).transpose(1, 2)
