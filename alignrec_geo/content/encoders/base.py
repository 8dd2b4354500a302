"""What an encoder must offer; everything downstream knows encoders only through these two contracts."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


class TokenStates(NamedTuple):
    """What a text encoder says about a batch of texts.

    Args:
        states: last hidden states, ``[B, T, C]``; rows where ``mask`` is false mean nothing.
        mask: true at the tokens of a text, false at padding, ``[B, T]`` bool.
        pooled: one vector per text, ``[B, D]``.
    """

    states: Tensor
    mask: Tensor
    pooled: Tensor


class PatchMap(NamedTuple):
    """What an image encoder says about a batch of images.

    Args:
        patches: the spatial map, row by row from the top left, ``[B, P, C]``.
        pooled: one vector per image, ``[B, D]``.
    """

    patches: Tensor
    pooled: Tensor


class TextEncoder(Protocol):
    """A frozen text encoder."""

    name: str
    """What feature files say made them."""
    fingerprint: str
    """SHA-256 of everything that decides the output: weights, configuration, tokenizer, pooling."""
    device: torch.device
    """Where it runs."""
    width: int
    """``D``, the width of a text's vector."""
    token_width: int
    """``C``, the width of a token's state."""
    special_ids: frozenset[int]
    """Token ids that are no words: padding, ends of a text, the mask."""
    mask_id: int | None
    """The mask token, if the encoder knows one."""

    def word_vectors(self) -> Tensor:
        """The vectors that token ids enter the encoder with, ``[ids, E]``."""
        ...

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of every text, special tokens included, cut to the length the encoder takes."""
        ...

    def encode(self, ids: Sequence[Sequence[int]]) -> TokenStates:
        """Encode a batch of tokenized texts."""
        ...


class ImageEncoder(Protocol):
    """A frozen image encoder."""

    name: str
    """What feature files say made them."""
    fingerprint: str
    """SHA-256 of everything that decides the output: weights, configuration, input size."""
    device: torch.device
    """Where it runs."""
    width: int
    """``D``, the width of an image's vector."""
    grid: tuple[int, int]
    """Rows and columns of the spatial map; ``P`` is their product."""
    patch_width: int
    """``C``, the width of a cell of the map."""

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """The image as the encoder takes it, ``[H, W, 3]`` RGB."""
        ...

    def encode(self, images: NDArray[np.uint8]) -> PatchMap:
        """Encode a batch of prepared images, ``[B, H, W, 3]``."""
        ...
