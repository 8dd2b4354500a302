"""The token states of all texts of a data set, encoded once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.content.encoders.base import TextEncoder
from alignrec_geo.content.pretraining.masking import mask_words, maskable_words
from alignrec_geo.content.progress import Progress
from alignrec_geo.content.throughput import Throughput
from alignrec_geo.content.tokens.encoded import Batch, Encoded, Engine
from alignrec_geo.content.tokens.token_cache import ArraySpec, open_token_cache
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.memory import enough_memory
from alignrec_geo.randomness import child_generator
from alignrec_geo.typing import Int64


@dataclass(frozen=True)
class WordMasking:
    """Which words are hidden before a text is encoded, so that the states of the others know nothing of them.

    Args:
        ratio: share of each text's words, in (0, 1).
        seed: of the draw.
    """

    ratio: float
    seed: int

    def apply(self, ids: Sequence[Sequence[int]], encoder: TextEncoder) -> list[list[int]]:
        """The texts with masked words in place of some, at least one per text that has any.

        Raises:
            InputError: the encoder has no mask token.
        """
        if encoder.mask_id is None:
            raise InputError(f"the text encoder '{encoder.name}' has no mask token; it cannot be used to pre-train")
        generator = child_generator(self.seed, "masked words")
        masked: list[list[int]] = []
        for text in ids:
            row = torch.tensor([list(text)])
            hidden = mask_words(maskable_words(row, encoder.special_ids), generator, self.ratio)
            masked.append(row.masked_fill(hidden, encoder.mask_id)[0].tolist())
        return masked


@dataclass(frozen=True)
class TextTokens:
    """Token states of the items that have a text, in memory-mapped arrays.

    Args:
        folder: the cache, ``None`` if it could not be written.
        slot: place of every item below, ``[I]``, -1 for an item without text.
        offsets: the tokens of place ``n`` are rows ``offsets[n] … offsets[n + 1]``, ``[N + 1]``.
        ids: token ids, ``[total]`` int32.
        states: their states, ``[total, C]`` float16.
        pooled: one vector per text, ``[N, D]`` float32.
    """

    folder: Path | None
    slot: Int64
    offsets: Int64
    ids: NDArray[Any]
    states: NDArray[Any]
    pooled: NDArray[Any]

    def batch(self, items: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Ids ``[B, T]``, states ``[B, T, C]`` float32 and mask ``[B, T]`` of item rows, read from disk.

        An item without text gets a row of padding only: ids and states zero, mask false.
        """
        spans = [(self.offsets[n], self.offsets[n + 1]) if n >= 0 else (0, 0) for n in self.slot[list(items)]]
        longest = max([1, *(end - start for start, end in spans)])
        ids = torch.zeros(len(spans), longest, dtype=torch.int64)
        states = torch.zeros(len(spans), longest, self.states.shape[1])
        mask = torch.zeros(len(spans), longest, dtype=torch.bool)
        for row, (start, end) in enumerate(spans):
            ids[row, : end - start] = torch.from_numpy(self.ids[start:end].astype(np.int64))
            states[row, : end - start] = torch.from_numpy(self.states[start:end].astype(np.float32))
            mask[row, : end - start] = True
        return ids, states, mask


def item_texts(items: pl.DataFrame) -> list[str | None]:
    """Title and text of every item as one text; ``None`` where it has neither.

    Example:
        >>> import polars as pl
        >>> item_texts(pl.DataFrame({"title": ["Mug", "Pen", None], "text": ["Red.", None, None]}))
        ['Mug. Red.', 'Pen', None]
    """
    joined: list[str | None] = []
    for title, text in zip(items["title"], items["text"], strict=True):
        parts = [part.strip() for part in (title, text) if part is not None and part.strip()]
        ended = len(parts) == 2 and parts[0].endswith((".", "!", "?", "…"))
        joined.append((" " if ended else ". ").join(parts) if parts else None)
    return joined


def text_tokens(
    dataset: Dataset,
    encoder: TextEncoder,
    cache: Path | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
    masking: WordMasking | None = None,
    throughput: Throughput | None = None,
    engine: Callable[[Sequence[Sequence[int]]], Engine] | None = None,
) -> TextTokens:
    """Encode the texts of a data set, or read them from the cache.

    Args:
        dataset: titles and texts are joined (:func:`item_texts`).
        encoder: frozen.
        cache: folder of the caches.
        batch_size: texts at a time; texts of similar length go together.
        progress: called after every chunk.
        masking: words to hide from the encoder, for mask-then-predict; the ids are then those of the masked texts.
        throughput: counts what is encoded.
        engine: gets the token ids of the texts, and encodes them elsewhere than in this process.

    Raises:
        InputError: no item has a text, the encoder has no mask token, the cache cannot be used, or memory ran out.
    """
    texts = item_texts(dataset.items)
    rows = np.array([row for row, text in enumerate(texts) if text is not None], dtype=np.int64)
    if not len(rows):
        raise InputError(f"data set '{dataset.name}' has no texts: no item has a title or a text")
    ids = encoder.tokenize([text for text in texts if text is not None])
    if masking is not None:
        ids = masking.apply(ids, encoder)
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in ids])]).astype(np.int64)
    slot = np.full(len(texts), -1, dtype=np.int64)
    slot[rows] = np.arange(len(rows))
    arrays = {
        "ids": ArraySpec((int(offsets[-1]),), "int32"),
        "states": ArraySpec((int(offsets[-1]), encoder.token_width), "float16"),
        "pooled": ArraySpec((len(rows), encoder.width), "float32"),
    }
    key = (encoder.fingerprint, *([] if masking is None else [repr(masking)]), *(f"{row} {texts[row]}" for row in rows))
    with open_token_cache(cache, "text", key, arrays, len(rows)) as store:
        counted = Throughput("texts") if throughput is None else throughput
        with counted.running(), enough_memory("encoding texts", lower="batch_size"):
            chunks = {chunk: list(_by_length(chunk, ids, batch_size)) for chunk in store.remaining()}
            encoded = _here(encoder, ids, counted) if engine is None else engine(ids)
            for chunk, parts in zip(chunks, encoded(list(chunks.values())), strict=True):
                for part in parts:
                    store.arrays["pooled"][part.places] = part.pooled
                    for n, states in zip(part.places, part.states, strict=True):
                        store.arrays["ids"][offsets[n] : offsets[n + 1]] = ids[n]
                        store.arrays["states"][offsets[n] : offsets[n + 1]] = states
                    if engine is not None:
                        counted.items += len(part.places)
                store.commit(chunk.stop, {})
                if progress is not None:
                    progress(chunk.stop, len(rows))
        return TextTokens(store.folder, slot, offsets, *(store.arrays[name] for name in ("ids", "states", "pooled")))


def encode_texts(
    encoder: TextEncoder, places: Sequence[int], ids: Sequence[Sequence[int]], counted: Throughput | None = None
) -> Encoded:
    """Encode a batch of texts.

    Args:
        encoder: frozen.
        places: which they are.
        ids: token ids of each.
        counted: counts them.
    """
    with nullcontext() if counted is None else counted.encoding(len(ids), encoder.device):
        out = encoder.encode(ids)
    states = out.states.to("cpu", torch.float16).numpy()
    own = [states[row, : len(text)] for row, text in enumerate(ids)]
    return Encoded(list(places), own, out.pooled.cpu().numpy())


def _here(encoder: TextEncoder, ids: Sequence[Sequence[int]], counted: Throughput) -> Engine:
    """The engine of this process: every batch is encoded when it is asked for."""

    def encode(chunks: Sequence[Sequence[Batch]]) -> Iterator[Iterator[Encoded]]:
        for chunk in chunks:
            yield (encode_texts(encoder, batch, [ids[n] for n in batch], counted) for batch in chunk)

    return encode


def _by_length(chunk: range, ids: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """Batches of a chunk, short texts first: little padding."""
    order = sorted(chunk, key=lambda n: len(ids[n]))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
