"""The words BEiT-3 reads: of the public ``beit3.spm``, or pieces of words learned from a data set's own texts."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from torch import Tensor

from alignrec_geo.content.beit3.tokenizer import BOS, EOS, MASK, PAD, UNK, load_beit3_tokenizer
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path
from alignrec_geo.reading import check_plain_file, reading

TOKENIZER = "tokenizer.json"
"""File of the tokenizer in an encoder's folder."""

_SPECIAL = (BOS, PAD, EOS, UNK)  # ids 0 to 3, as in public checkpoints; <mask> is the last word


class Beit3Vocabulary:
    """A tokenizer under the rules of BEiT-3: ``<s>`` 0, ``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3, ``<mask>`` last.

    Args:
        tokenizer: makes ``<s> … </s>`` of a text.

    Raises:
        InputError: the special words have other ids.

    Example:
        >>> words = Beit3Vocabulary.learn(["a red mug", "a red pen", "a blue mug"], size=100)
        >>> ids, mask = words.batch(words.encode(["a red mug", None, "a pen"], max_tokens=16))
        >>> mask.sum(dim=1).tolist(), ids[0, 0].item(), ids[2, -1].item()
        ([5, 0, 4], 0, 1)
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True  # '<mask>' in an item's text is text
        self.size: int = tokenizer.get_vocab_size()
        found = [tokenizer.token_to_id(word) for word in (*_SPECIAL, MASK)]
        wanted = [*range(len(_SPECIAL)), self.size - 1]
        if found != wanted:
            names = ", ".join((*_SPECIAL, MASK))
            raise InputError(f"{names} must be words {wanted} of a BEiT-3 tokenizer (got {found})")
        self.special = frozenset(wanted)
        self.sha256 = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> "Beit3Vocabulary":
        """Learn pieces of words from texts by `byte-pair encoding <https://arxiv.org/abs/1508.07909>`_.

        Texts are read in lower case and without accents; punctuation stands alone. The same texts give the same
        vocabulary (the library's word-piece trainer does not: it numbers letters in hash order).

        Args:
            texts: all of them.
            size: words at most, the special ones included.

        Raises:
            InputError: the texts have no words, or ``size`` is too small for their letters.
        """
        tokenizer = _pieces_of_words(BPE(unk_token=UNK))
        tokenizer.train_from_iterator(
            texts, BpeTrainer(vocab_size=size - 1, special_tokens=list(_SPECIAL), show_progress=False)
        )
        learned = json.loads(tokenizer.to_str())["model"]
        pieces, merges = learned["vocab"], [(first, second) for first, second in learned["merges"]]
        if len(pieces) == len(_SPECIAL):
            raise InputError("a vocabulary is learned from texts; these have no words")
        if len(pieces) >= size:
            raise InputError(f"the texts have {len(pieces)} letters and special words; the vocabulary cannot be {size}")
        tokenizer = _pieces_of_words(BPE({**pieces, MASK: len(pieces)}, merges, unk_token=UNK))
        tokenizer.add_special_tokens([*_SPECIAL, MASK])
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A {EOS}", special_tokens=[(BOS, 0), (EOS, 2)]
        )
        return cls(tokenizer)

    @classmethod
    def of_checkpoint(cls, path: Path, vocab_size: int) -> "Beit3Vocabulary":
        """Read ``beit3.spm``; see :func:`~alignrec_geo.content.beit3.tokenizer.load_beit3_tokenizer`."""
        return cls(load_beit3_tokenizer(path, vocab_size).backend_tokenizer)

    @classmethod
    def load(cls, folder: Path) -> "Beit3Vocabulary":
        """Read what :meth:`save` wrote; nothing in it is executed.

        Raises:
            InputError: the file is missing or no tokenizer.
        """
        path = folder / TOKENIZER
        check_plain_file(path, "tokenizer")
        with reading(path, "tokenizer"):
            tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
            try:
                return cls(tokenizer)
            except InputError as error:
                raise InputError(f"{path}: {error}") from None

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json``, atomically."""
        with atomic_path(folder / TOKENIZER) as staging:
            staging.write_text(self._tokenizer.to_str(), encoding="utf-8")

    def encode(self, texts: Sequence[str | None], max_tokens: int) -> list["np.ndarray[Any, np.dtype[np.int32]]"]:
        """Ids of every text, cut to ``max_tokens`` with its end kept; a text that is ``None`` has none."""
        given = [text for text in texts if text is not None]
        with reading("the tokenizer of BEiT-3", "tokenizer"):
            found = iter(self._tokenizer.encode_batch(given))
        return [_cut([] if text is None else next(found).ids, max_tokens) for text in texts]

    def batch(self, texts: Sequence["np.ndarray[Any, np.dtype[np.int32]]"]) -> tuple[Tensor, Tensor]:
        """Pad texts to ids ``[n, T]`` int64 and a mask ``[n, T]`` bool, true at words; T is at least 1."""
        max_tokens = max([1, *(len(text) for text in texts)])
        ids = torch.full((len(texts), max_tokens), _SPECIAL.index(PAD))
        mask = torch.zeros(len(texts), max_tokens, dtype=torch.bool)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.from_numpy(text.astype(np.int64))
            mask[row, : len(text)] = True
        return ids, mask


def _pieces_of_words(model: BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _cut(ids: list[int], max_tokens: int) -> "np.ndarray[Any, np.dtype[np.int32]]":
    kept = ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]]
    return np.array(kept, dtype=np.int32)
