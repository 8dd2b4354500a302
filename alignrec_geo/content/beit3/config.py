"""Settings of BEiT-3."""

from typing import Any, Literal, Self

from transformers import PretrainedConfig

from alignrec_geo.errors import InputError

ImageTarget = Literal["codes", "pixels"]


class Beit3Config(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Shape of a BEiT-3 model; the defaults are those of the public ``beit3_base_patch16_224``.

    Args:
        vocab_size: words, ``<mask>`` included, which is the last one.
        pad_token_id: id of ``<pad>``.
        hidden_size: width D of the tokens.
        num_hidden_layers: blocks.
        num_attention_heads: they divide ``hidden_size``.
        intermediate_size: width inside the feed-forward experts.
        image_size: side of the (square) images in pixels.
        patch_size: side of a patch; it divides ``image_size``.
        num_channels: of the images.
        max_text_positions: rows of the text's position table; two of them are unused, so texts have at most two fewer
            tokens.
        visual_codes: how many codes the visual vocabulary has.
        image_target: what is predicted at masked patches: their ``codes``, or their ``pixels``.
        final_norm: a layer norm after the last block; fine-tuned public checkpoints have none.
        layer_norm_eps: of every layer norm.
        initializer_range: standard deviation of initial embeddings and heads.

    Raises:
        InputError: sizes that do not fit together.

    Example:
        >>> config = Beit3Config.tiny(image_size=64)
        >>> config.hidden_size, config.patches, config.max_text_tokens
        (192, 16, 128)
    """

    model_type = "beit3"

    def __init__(
        self,
        vocab_size: int = 64010,
        pad_token_id: int = 1,
        hidden_size: int = 768,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 12,
        intermediate_size: int = 3072,
        image_size: int = 224,
        patch_size: int = 16,
        num_channels: int = 3,
        max_text_positions: int = 1024,
        visual_codes: int = 8192,
        image_target: ImageTarget = "codes",
        final_norm: bool = True,
        layer_norm_eps: float = 1e-5,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.image_size = image_size
        self.patch_size = patch_size
        self.num_channels = num_channels
        self.max_text_positions = max_text_positions
        self.visual_codes = visual_codes
        self.image_target = image_target
        self.final_norm = final_norm
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        super().__init__(**kwargs)
        self.pad_token_id = pad_token_id
        self._check()

    @classmethod
    def base(cls, **changes: Any) -> Self:
        """The public base size: 768 wide, 12 layers."""
        return cls(**changes)

    @classmethod
    def tiny(cls, **changes: Any) -> Self:
        """A size that trains from scratch on a CPU: 192 wide, 4 layers, 8,192 words, 512 visual codes."""
        sizes: dict[str, Any] = {
            "vocab_size": 8192,
            "hidden_size": 192,
            "num_hidden_layers": 4,
            "num_attention_heads": 3,
            "intermediate_size": 768,
            "max_text_positions": 130,
            "visual_codes": 512,
        }
        return cls(**(sizes | changes))

    @property
    def grid(self) -> int:
        """Patches along one side of an image."""
        return self.image_size // self.patch_size

    @property
    def patches(self) -> int:
        """Patches of an image."""
        return self.grid**2

    @property
    def patch_values(self) -> int:
        """Numbers in a patch."""
        return self.num_channels * self.patch_size**2

    @property
    def image_outputs(self) -> int:
        """Outputs of the head over masked patches."""
        return self.visual_codes if self.image_target == "codes" else self.patch_values

    @property
    def mask_token_id(self) -> int:
        """Id of ``<mask>``, the last of the vocabulary."""
        return self.vocab_size - 1

    @property
    def max_text_tokens(self) -> int:
        """The longest text, in tokens."""
        return self.max_text_positions - 2

    def _check(self) -> None:
        sizes = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "patch_size")
        for name in (*sizes, "num_channels", "visual_codes"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1 (got {getattr(self, name)})")
        if self.hidden_size % self.num_attention_heads:
            raise InputError(
                f"num_attention_heads must divide hidden_size (got {self.num_attention_heads} and {self.hidden_size})"
            )
        if self.image_size < self.patch_size or self.image_size % self.patch_size:
            raise InputError(
                f"image_size must be a multiple of patch_size (got {self.image_size} and {self.patch_size})"
            )
        if self.image_target not in ("codes", "pixels"):
            raise InputError(f"image_target must be codes or pixels (got '{self.image_target}')")
        if self.max_text_positions < 3:
            raise InputError(f"max_text_positions must be at least 3 (got {self.max_text_positions})")
        if self.vocab_size < 5:
            raise InputError(f"vocab_size must be at least 5 (got {self.vocab_size})")
