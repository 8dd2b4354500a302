"""Texts through a transformer: one state per token, one vector per text."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from alignrec_geo.content.encoders.base import TokenStates
from alignrec_geo.content.encoders.folder import fingerprint, load_model, load_tokenizer, read_settings
from alignrec_geo.content.encoders.running import in_half_precision, on_device
from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json
from alignrec_geo.reading import check_plain_file, reading

LONGEST = 256
"""Most tokens of a text, where neither the folder nor its tokenizer says less."""


class TransformerTextEncoder:
    r"""Sentence vectors in the manner of `Sentence-BERT <https://arxiv.org/abs/1908.10084>`_, frozen.

    With token states :math:`h_t` and mask :math:`m_t`,

    .. math:: v = \frac{\sum_t m_t h_t}{\sum_t m_t},

    or :math:`v = h_1` where the folder's ``1_Pooling/config.json`` says so; scaled to unit length where its
    ``modules.json`` lists a ``Normalize`` module. A plain ``transformers`` folder has neither file: mean, not scaled.

    Args:
        folder: a local ``transformers`` or ``sentence-transformers`` folder with safetensors weights.
        name: what feature files say made them; the folder's name if not given.
        device: where to run.

    Shapes:
        ``encode``: ``B`` lists of ids -> states ``[B, T, C]``, mask ``[B, T]``, pooled ``[B, C]``.

    Raises:
        InputError: the folder cannot be used.
    """

    def __init__(self, folder: Path, name: str | None = None, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self._first, self._unit = _pooling(folder)
        self.fingerprint = fingerprint(folder, encoder="text-1")
        self._tokenizer = load_tokenizer(folder)
        self._model = load_model(folder, self.device).model
        self.name = name or folder.resolve().name
        with reading(folder, "text encoder"):
            self._longest = self._most_tokens(folder)
            self.width = self.token_width = int(self._model.config.hidden_size)
            self.special_ids = frozenset(int(number) for number in self._tokenizer.all_special_ids)
            self.mask_id: int | None = self._tokenizer.mask_token_id
            self._words = len(self.word_vectors())
            found = self.encode(self.tokenize(["a text", ""]))  # the second is padded
            if found.pooled.shape != (2, self.width):
                raise InputError(f"{folder}: not a text encoder: vectors have shape {tuple(found.pooled.shape)}")

    def word_vectors(self) -> Tensor:
        """The input embeddings, ``[ids, E]``."""
        table: Tensor = self._model.get_input_embeddings().weight.detach()
        return table

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of every text, special tokens included, the end cut off where it is too long."""
        with reading(f"the tokenizer of '{self.name}'", "tokenizer"):
            ids: list[list[int]] = self._tokenizer(list(texts), truncation=True, max_length=self._longest)["input_ids"]
        largest = max((max(text, default=0) for text in ids), default=0)
        if largest >= self._words:
            raise InputError(f"the tokenizer of '{self.name}' has word {largest}, its model only {self._words} words")
        return ids

    @torch.inference_mode()
    def encode(self, ids: Sequence[Sequence[int]]) -> TokenStates:
        """Encode tokenized texts; a text without any token gets a zero vector."""
        length = max(1, max(map(len, ids)))
        tokens = torch.full((len(ids), length), self._tokenizer.pad_token_id or 0)
        mask = torch.zeros(len(ids), length, dtype=torch.bool)
        for row, text in enumerate(ids):
            tokens[row, : len(text)] = torch.tensor(text, dtype=torch.int64)
            mask[row, : len(text)] = True
        tokens, mask = on_device(tokens, self.device), on_device(mask, self.device)
        return in_half_precision(lambda: self._forward(tokens, mask), self.device)

    def _forward(self, tokens: Tensor, mask: Tensor) -> TokenStates:
        states = self._model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state.float()  # [B, T, C]
        return TokenStates(states, mask, self._pool(states, mask))

    def _pool(self, states: Tensor, mask: Tensor) -> Tensor:
        weight = mask.to(states.dtype).unsqueeze(-1)  # [B, T, 1]
        pooled = states[:, 0] if self._first else (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
        return normalize(pooled, dim=1) if self._unit else pooled

    def _most_tokens(self, folder: Path) -> int:
        file = folder / "sentence_bert_config.json"
        said = read_settings(file).get("max_seq_length") or LONGEST
        if type(said) is not int or said < 1:
            raise InputError(f"{file}: 'max_seq_length' must be a whole number from 1 (got {said!r})")
        positions = getattr(self._model.config, "max_position_embeddings", LONGEST)
        return min(said, int(self._tokenizer.model_max_length), positions)


def _pooling(folder: Path) -> tuple[bool, bool]:
    """Whether the first token is the text's vector (else the mean), and whether it is scaled to unit length."""
    modules = folder / "modules.json"
    listed = read_json(check_plain_file(modules, "JSON file")) if modules.exists() else []
    if not isinstance(listed, list) or not all(isinstance(part, dict) for part in listed):
        raise InputError(f"{modules}: must be a list of modules")
    unit = any(str(part.get("type")).endswith(".Normalize") for part in listed)
    file = folder / "1_Pooling" / "config.json"
    if not file.exists():
        return False, unit
    said = read_settings(file)
    chosen = sorted(key for key, value in said.items() if key.startswith("pooling_mode_") and value)
    if chosen not in (["pooling_mode_cls_token"], ["pooling_mode_mean_tokens"]):
        raise InputError(
            f"{file}: pooling is one of the mean or the first token here (got {', '.join(chosen) or 'none'})"
        )
    return chosen == ["pooling_mode_cls_token"], unit
