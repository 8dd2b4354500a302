"""BEiT-3: one transformer that reads an item's image and text as one sequence."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils.generic import ModelOutput

from alignrec_geo.content.beit3.config import Beit3Config
from alignrec_geo.content.multiway.block import Linear, Multiway, MultiwayBlock, Streams
from alignrec_geo.errors import InputError
from alignrec_geo.randomness import child_generator

VISION, LANGUAGE = "A", "B"
"""The two experts, by their names in public checkpoints; CLS and patches go through A, words through B."""

UNUSED_POSITIONS = 2
"""The first rows of both position tables are unused."""


@dataclass
class Beit3Output(ModelOutput):
    """What :class:`Beit3Model` returns for ``n`` items.

    Args:
        vector: the items' vectors, the last hidden state of CLS, ``[n, D]``.
        patches: last hidden states of the patches, ``[n, P, D]``.
        words: last hidden states of the words, ``[n, T, D]``, zero at padding; ``None`` without text.
    """

    vector: Tensor | None = None
    patches: Tensor | None = None
    words: Tensor | None = None

    @property
    def last_hidden_state(self) -> Tensor:
        """The joint sequence CLS, patches, words, ``[n, 1 + P + T, D]``."""
        assert self.vector is not None
        parts = [self.vector[:, None], self.patches, self.words]
        return torch.cat([part for part in parts if part is not None], dim=1)


class Beit3PreTrainedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Base of the BEiT-3 models: initial values come from a seed, attention is SDPA.

    Args:
        config: the shape.
        seed: of the initial values.
    """

    config_class = Beit3Config
    base_model_prefix = "beit3"
    main_input_name = "pixel_values"
    _supports_sdpa = True
    _no_split_modules = ["MultiwayBlock"]  # noqa: RUF012  the name and type are those of transformers
    config: Beit3Config

    def __init__(self, config: Beit3Config, seed: int = 0) -> None:
        super().__init__(config)
        self._generator = child_generator(seed, f"init {type(self).__name__}")

    def _init_weights(self, module: nn.Module) -> None:
        """Draw a module's own parameters; transformers calls it for every module that was not loaded."""
        if isinstance(module, Linear):
            module.init_parameters(self._generator)
        elif isinstance(module, VisionEmbedding | PatchProjection | Head | nn.Embedding):
            for name, values in module.named_parameters(recurse=False):
                if name == "bias":
                    nn.init.zeros_(values)
                else:
                    nn.init.normal_(values, 0.0, self.config.initializer_range, generator=self._generator)


class Beit3Model(Beit3PreTrainedModel):  # type: ignore[no-untyped-call]
    r"""BEiT-3 without heads: `"Image as a Foreign Language" <https://arxiv.org/abs/2208.10442>`_.

    The sequence is ``[CLS, patches…, words…]``. Attention mixes all of it; projections, feed-forward layers and layer
    norms exist twice, for vision (CLS and patches) and for language. The item's vector is the last hidden state of CLS.

    - image and text: both are read;
    - image only (no ``input_ids``, or a row of ``attention_mask`` without a 1): the sequence has no words;
    - text only (no ``pixel_values``, or ``image_present`` false): every patch is the mask token. CLS is a vision token
      in all three cases, so the vectors are comparable.

    Padding, masked words, masked patches and absent images are inert: what stands there changes nothing.

    Args:
        config: the shape.
        seed: of the initial values.

    Shapes:
        - ``pixel_values``: ``[n, C, H, W]``, H = W = ``image_size``
        - ``input_ids``: ``[n, T]`` int64
        - ``attention_mask``: ``[n, T]``, 1 at words and 0 at padding; all words if left out
        - ``patch_mask``: ``[n, P]`` bool, patches replaced by the mask token
        - ``word_mask``: ``[n, T]`` bool, words replaced by ``<mask>``
        - ``image_present``: ``[n]`` bool, items with an image; all if left out
        - **output:** :class:`Beit3Output`

    Example:
        >>> from alignrec_geo.content.beit3.config import Beit3Config
        >>> model = Beit3Model(Beit3Config.tiny(num_hidden_layers=1, image_size=32, vocab_size=9))
        >>> model(torch.zeros(2, 3, 32, 32), torch.tensor([[0, 5, 2], [0, 2, 1]])).vector.shape
        torch.Size([2, 192])
    """

    def __init__(self, config: Beit3Config, seed: int = 0) -> None:
        super().__init__(config, seed)
        self.text_embed = _embedding(config.vocab_size, config.hidden_size)
        self.vision_embed = VisionEmbedding(config)
        self.encoder = _Encoder(config)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """The table of word embeddings."""
        return self.text_embed

    def forward(
        self,
        pixel_values: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        patch_mask: Tensor | None = None,
        word_mask: Tensor | None = None,
        image_present: Tensor | None = None,
    ) -> Beit3Output:
        """Encode items."""
        if pixel_values is None and input_ids is None:
            raise InputError("BEiT-3 needs an image, a text or both (got neither)")
        rows = len(pixel_values) if pixel_values is not None else len(input_ids)  # type: ignore[arg-type]
        replaced = _replaced_patches(patch_mask, image_present)
        tokens = {VISION: self.vision_embed(pixel_values, replaced, rows)}
        visible = None
        if input_ids is not None:
            words, visible = self._embed_words(input_ids, attention_mask, word_mask)
            tokens[LANGUAGE] = words
        states = self.encoder(tokens, visible)
        words = states.get(LANGUAGE)
        if words is not None and visible is not None:
            words = words * visible[:, :, None]
        return Beit3Output(vector=states[VISION][:, 0], patches=states[VISION][:, 1:], words=words)

    def _embed_words(
        self, ids: Tensor, attention_mask: Tensor | None, word_mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        if ids.shape[1] > self.config.max_text_tokens:
            raise InputError(f"a text has at most {self.config.max_text_tokens} tokens (got {ids.shape[1]})")
        visible = None if attention_mask is None else attention_mask.bool()
        if word_mask is not None:
            ids = ids.masked_fill(word_mask, self.config.mask_token_id)
        if visible is not None:
            ids = ids.masked_fill(~visible, self.config.pad_token_id)
        return self.text_embed(ids), visible


class VisionEmbedding(nn.Module):
    """CLS and the patches, each a linear map of its pixels."""

    def __init__(self, config: Beit3Config) -> None:
        super().__init__()
        self.image_shape = (config.num_channels, config.image_size, config.image_size)
        self.patches = config.patches
        dim = config.hidden_size
        self.mask_token = nn.Parameter(torch.empty(1, 1, dim))
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        self.proj = PatchProjection(config.num_channels, dim, config.patch_size, stride=config.patch_size)

    def forward(self, pixels: Tensor | None, replaced: Tensor | None, rows: int) -> Tensor:
        """Return ``[n, 1 + P, D]``; ``replaced [n, P]`` or ``[n, 1]`` are patches that become the mask token."""
        if pixels is None:
            patches = self.mask_token.expand(rows, self.patches, -1)
        else:
            if pixels.shape[1:] != self.image_shape:
                raise InputError(
                    f"images must be {self.image_shape}: channels, height, width (got {tuple(pixels.shape[1:])})"
                )
            patches = self.proj(pixels).flatten(2).transpose(1, 2)  # [n, P, D]
            if replaced is not None:
                patches = torch.where(replaced[:, :, None], self.mask_token.to(patches.dtype), patches)
        return torch.cat([self.cls_token.expand(rows, -1, -1).to(patches.dtype), patches], dim=1)


class _Encoder(nn.Module):
    """Positions, blocks, and the norm after the last."""

    def __init__(self, config: Beit3Config) -> None:
        super().__init__()
        dim, eps = config.hidden_size, config.layer_norm_eps
        names = (VISION, LANGUAGE)
        rows = {VISION: UNUSED_POSITIONS + 1 + config.patches, LANGUAGE: config.max_text_positions}
        self.embed_positions = nn.ModuleDict({name: _embedding(rows[name], dim) for name in names})
        depth = config.num_hidden_layers
        shape = (dim, config.num_attention_heads, config.intermediate_size, depth, eps)
        self.layers = nn.ModuleList(MultiwayBlock(names, *shape) for _ in range(depth))
        self.layer_norm = Multiway(names, lambda: nn.LayerNorm(dim, eps)) if config.final_norm else None

    def forward(self, tokens: Streams, visible_words: Tensor | None) -> Streams:
        """Return the last hidden states; ``visible_words [n, T]`` is false at padding."""
        visible = None
        if visible_words is not None:
            vision = visible_words.new_ones(tokens[VISION].shape[:2])
            visible = torch.cat([vision, visible_words], dim=1)
        tokens = {name: part + self._positions(name, part.shape[1]) for name, part in tokens.items()}
        for layer in self.layers:
            tokens = layer(tokens, visible)
        return tokens if self.layer_norm is None else self.layer_norm(tokens)

    def _positions(self, name: str, length: int) -> Tensor:
        table: Tensor = self.embed_positions.get_parameter(f"{name}.weight")
        return table[UNUSED_POSITIONS : UNUSED_POSITIONS + length]


class PatchProjection(nn.Conv2d):
    """A convolution that draws nothing by itself."""

    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


class Head(nn.Linear):
    """A linear prediction head; like an embedding it is drawn with the config's ``initializer_range``."""

    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


def _embedding(rows: int, dim: int) -> nn.Embedding:
    return nn.Embedding(rows, dim, _weight=torch.empty(rows, dim))  # a given weight is not drawn


def _replaced_patches(patch_mask: Tensor | None, image_present: Tensor | None) -> Tensor | None:
    if image_present is None:
        return patch_mask
    absent = ~image_present[:, None]
    return absent if patch_mask is None else patch_mask | absent
