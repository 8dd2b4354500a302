"""Settings of AlignRec."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import Scaling
from alignrec_geo.models.base import ModelConfig
from alignrec_geo.nn.conv import ConvNames, ConvNamesByEdge
from alignrec_geo.nn.fusion import FusionName
from alignrec_geo.nn.graph_layer import Norm, Residual
from alignrec_geo.nn.loss_list import loss_name, parse_losses
from alignrec_geo.nn.losses import BPR, CCA, L2, REG, UIA, LossFn


class AlignRecConfig(ModelConfig):
    """Settings of :class:`~alignrec_geo.models.AlignRec`."""

    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "cca_weight": (1e-3, 5e-3, 0.01, 0.1),
        "reg_weight": (0.1, 0.2, 0.3),
        "uia_weight": (0.0, 0.1, 0.3),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    layers: int = Field(default=2, ge=0, le=100)
    """Propagation layers L on the user-item graph."""
    item_layers: int = Field(default=1, ge=0, le=100)
    """Propagation layers n on the item-item graph."""
    k: int = Field(default=10, ge=1)
    """Content neighbours per item, the item itself included."""
    train_features: bool = True
    """Train the content vectors too; frozen vectors save most of the memory."""
    feature_scaling: Scaling = "auto"
    """``row``: unit rows per feature matrix; ``none``: as loaded; ``auto``: ``row`` if there are several."""
    temperature: float = Field(default=0.2, gt=0.0)
    """Temperature of the content-ID alignment."""
    cca_weight: float = Field(default=0.01, ge=0.0)
    """Weight of the content-ID alignment (CCA)."""
    uia_weight: float = Field(default=0.1, ge=0.0)
    """Weight of the user-item alignment (UIA)."""
    reg_weight: float = Field(default=0.1, ge=0.0)
    """Weight of the similarity regulariser (REG)."""
    l2_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the squared norms of the fused rows."""
    anchor: Literal["initial", "current"] = "initial"
    """Which content vectors the regulariser compares with: as loaded, or as trained so far."""
    user_item_conv: ConvNamesByEdge = "light"
    """Layer of the user-item graph: a name, a class path, or one per layer (or per edge type)."""
    item_item_conv: ConvNames = "light"
    """Layer of the item-item graph: a name, a class path, or one per layer."""
    user_conv: ConvNames = "light"
    """Layer that carries content from items to users: a name or a class path."""
    conv_residual: Residual = "auto"
    """Add a layer's input to its output: always, never, or (auto) if the layer has a weight matrix."""
    conv_norm: Norm = "none"
    """Normalise a layer's output: none, layer (LayerNorm) or row (unit rows)."""
    fusion: FusionName = "sum"
    """How identity and content become one row: sum, mean, concat, gate, attention, or a class path."""
    losses: str | None = None
    """Terms such as `bpr + uia(0.1)` in place of the usual ones; then the weights above are not used."""

    @field_validator("losses")
    @classmethod
    def _known_losses(cls, value: str | None) -> str | None:
        if value is not None and "<" not in value:  # an object of one's own is described as <its name>
            try:
                parse_losses(value)
            except InputError as error:
                raise ValueError(str(error).removeprefix("losses: ")) from None
        return value


def chosen_losses(config: AlignRecConfig, with_content: bool, own: Sequence[LossFn] | None = None) -> list[LossFn]:
    """The terms of the loss: one's own, those that the settings name, or the usual ones with their weights.

    Args:
        config: the settings.
        with_content: whether the model has features.
        own: terms that were given as objects.

    Raises:
        InputError: a term needs features, and there are none.
    """
    if own is not None:
        terms = [*own]
    elif config.losses is not None:
        terms = [*parse_losses(config.losses)]
    else:
        terms = [BPR(), L2(config.l2_weight), UIA(config.uia_weight)]
        if with_content:
            terms += [CCA(config.cca_weight, config.temperature), REG(config.reg_weight)]
    for loss in terms:
        if getattr(loss, "needs_content", False) and not with_content:
            name = loss_name(loss)
            raise InputError(f"loss term '{name}' compares content with something, and there are no features")
    return terms
