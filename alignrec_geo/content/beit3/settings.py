"""Settings of the BEiT-3 way of stage 1."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from alignrec_geo.content.beit3.config import Beit3Config
from alignrec_geo.content.pretraining.former import FORMER_SETTINGS
from alignrec_geo.settings import Settings

Size = Literal["tiny", "base"]


class Beit3Settings(Settings):
    """Shape of the model and what is masked; shapes that are ``None`` are those of the size, or follow the data."""

    renamed: ClassVar[Mapping[str, str]] = {"longest": FORMER_SETTINGS["longest"]}

    image_size: int | None = Field(default=None, ge=1)
    """Side of the square that images are stretched to; from the data for tiny, 224 for base."""
    patch_size: int | None = Field(default=None, ge=1)
    """Side of a patch in pixels; it divides ``image_size``."""
    max_tokens: int = Field(default=128, ge=4)
    """Tokens that a text is cut to."""
    vocabulary: int = Field(default=8192, ge=16)
    """Words at most of a tokenizer that is learned from the data set's texts."""
    dim: int | None = Field(default=None, ge=8)
    """Width of the model, and of the item vectors."""
    layers: int | None = Field(default=None, ge=1)
    """Multiway blocks."""
    heads: int | None = Field(default=None, ge=1)
    """Attention heads; they divide the width."""
    word_ratio: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Share of the words that are masked."""
    patch_ratio: float = Field(default=0.4, gt=0.0, lt=1.0)
    """Share of the patches that are masked, in blocks."""
    image_target: Literal["auto", "codes", "pixels"] = "auto"
    """What is predicted at masked patches; ``auto`` is codes where an image encoder is at hand, else pixels."""
    codes: int = Field(default=512, ge=2)
    """Visual codes that are fitted, without a codebook of the user's."""
    vector_weight: float = Field(default=1.0, ge=0.0)
    """Weight of what the item's vector itself has to predict."""

    def shape(self, size: Size, vocabulary: int, image_size: int, patch_size: int) -> Beit3Config:
        """The model's shape, without what is predicted at masked patches."""
        given = {"hidden_size": self.dim, "num_hidden_layers": self.layers, "num_attention_heads": self.heads}
        changes = {name: value for name, value in given.items() if value is not None}
        if self.dim is not None:
            changes["intermediate_size"] = 4 * self.dim
        if size == "tiny":
            changes["max_text_positions"] = self.max_tokens + 2
        made = Beit3Config.tiny if size == "tiny" else Beit3Config.base
        return made(vocab_size=vocabulary, image_size=image_size, patch_size=patch_size, **changes)
