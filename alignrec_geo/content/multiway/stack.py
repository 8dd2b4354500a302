"""A small multiway transformer on top of frozen encoders, for any number of named token streams."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from alignrec_geo.content.multiway.block import LAYER_NORM_EPS, Linear, Multiway, MultiwayBlock, Streams
from alignrec_geo.errors import InputError
from alignrec_geo.randomness import child_generator

CLS = "cls"
"""The stream of the token that the item's vector is read from."""

_INITIAL_SPREAD = 0.02  # of CLS, mask tokens and positions


class StackOutput(NamedTuple):
    """What :class:`MultiwayStack` returns for ``n`` items."""

    vector: Tensor
    """The items' vectors, the last hidden state of CLS, ``[n, D]``."""
    streams: Streams
    """Last hidden states per stream, ``[n, t, D]``, zero at absent tokens."""


class MultiwayStack(nn.Module):
    r"""Multiway blocks over tokens that frozen encoders have made.

    Each stream (patches, words, or one token for a feature vector) is brought to the stack's width, tokens to be
    predicted become the stream's mask token, and positions are added; a stream of one token has one position, which
    tells the modality:

    .. math::
        x_{s,i} = p_{s,i} + \begin{cases} e_s & \text{token } i \text{ is masked} \\
        W_s \mathrm{LN}(u_{s,i}) + b_s & \text{else} \end{cases}

    The blocks are those of BEiT-3 (:class:`~alignrec_geo.content.multiway.block.MultiwayBlock`), with experts for every
    stream and for CLS. Absent tokens (padding, missing modalities) are hidden from attention; what stands at absent
    and masked tokens is inert, not-a-number included.

    Args:
        streams: per name, the most tokens an item has and their width.
        dim: width D of the stack.
        layers: blocks.
        heads: attention heads; they divide D.
        hidden: width inside the feed-forward experts; ``None`` is 4 D.
        seed: of the initial values.

    Shapes:
        - ``tokens``: per stream ``[n, t, width]``, t at most what was announced; streams may be left out
        - ``present``: per stream ``[n, t]`` bool, false at absent tokens; all present where left out
        - ``masked``: per stream ``[n, t]`` bool, tokens to be predicted; none where left out
        - **output:** :class:`StackOutput`

    Raises:
        InputError: names, sizes or shapes that do not fit.

    Example:
        >>> stack = MultiwayStack({"image": (49, 1280), "text": (32, 384), "audio": (1, 128)}, dim=64, layers=1)
        >>> tokens = {"image": torch.zeros(2, 49, 1280), "audio": torch.zeros(2, 1, 128)}
        >>> stack(tokens).vector.shape
        torch.Size([2, 64])
    """

    def __init__(
        self,
        streams: Mapping[str, tuple[int, int]],
        dim: int = 256,
        layers: int = 4,
        heads: int = 4,
        hidden: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check(streams, dim, layers, heads)
        self.shapes, self.dim = dict(streams), dim
        names = (CLS, *streams)
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        self.mask_tokens = nn.ParameterDict({name: torch.empty(dim) for name in streams})
        self.positions = nn.ParameterDict({name: torch.empty(tokens, dim) for name, (tokens, _) in streams.items()})
        self.projections = nn.ModuleDict(
            {
                name: nn.Sequential(nn.LayerNorm(width, LAYER_NORM_EPS), Linear(width, dim))
                for name, (_, width) in streams.items()
            }
        )
        self.blocks = nn.ModuleList(MultiwayBlock(names, dim, heads, hidden or 4 * dim, layers) for _ in range(layers))
        self.norm = Multiway(names, lambda: nn.LayerNorm(dim, LAYER_NORM_EPS))
        self.init_parameters(child_generator(seed, "init"))

    def init_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights anew."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.init_parameters(generator)
        for table in (self.cls_token, *self.mask_tokens.values(), *self.positions.values()):
            nn.init.normal_(table, 0.0, _INITIAL_SPREAD, generator=generator)

    def forward(
        self,
        tokens: Mapping[str, Tensor],
        present: Mapping[str, Tensor] | None = None,
        masked: Mapping[str, Tensor] | None = None,
    ) -> StackOutput:
        """Encode items."""
        present, masked = present or {}, masked or {}
        self._check_tokens(tokens, present, masked)
        used = [name for name in self.shapes if name in tokens]
        rows = tokens[used[0]].shape[0]
        states: Streams = {CLS: self.cls_token.expand(rows, -1, -1)}
        for name in used:
            states[name] = self._embed(name, tokens[name], present.get(name), masked.get(name))
        visible = self._visible(states, present)
        for block in self.blocks:
            states = block(states, visible)
        states = self.norm(states)
        vector = states.pop(CLS)[:, 0]
        for name in used:
            if name in present:
                states[name] = states[name] * present[name][:, :, None]
        return StackOutput(vector, states)

    def _embed(self, name: str, tokens: Tensor, present: Tensor | None, masked: Tensor | None) -> Tensor:
        if present is not None:
            tokens = tokens.masked_fill(~present[:, :, None], 0.0)
        if masked is not None:
            tokens = tokens.masked_fill(masked[:, :, None], 0.0)  # keeps not-a-number out of the gradients, too
        projected = self.projections[name](tokens)  # [n, t, D]
        if masked is not None:
            projected = torch.where(masked[:, :, None], self.mask_tokens[name].to(projected.dtype), projected)
        result: Tensor = projected + self.positions[name][: tokens.shape[1]]
        return result

    def _visible(self, states: Streams, present: Mapping[str, Tensor]) -> Tensor | None:
        if not any(name in present for name in states):
            return None
        masks = [
            present[name] if name in present else part.new_ones(part.shape[:2], dtype=torch.bool)
            for name, part in states.items()
        ]
        return torch.cat(masks, dim=1)

    def _check_tokens(
        self, tokens: Mapping[str, Tensor], present: Mapping[str, Tensor], masked: Mapping[str, Tensor]
    ) -> None:
        unknown = sorted((set(tokens) | set(present) | set(masked)) - set(self.shapes))
        if unknown or not tokens:
            got = f"'{unknown[0]}'" if unknown else "none"
            raise InputError(f"streams of this stack are {', '.join(self.shapes)} (got {got})")
        for name, part in tokens.items():
            most, width = self.shapes[name]
            if part.dim() != 3 or part.shape[1] > most or part.shape[2] != width:
                raise InputError(f"'{name}' must be [n, at most {most}, {width}] (got {list(part.shape)})")
            for mask in (present.get(name), masked.get(name)):
                if mask is not None and mask.shape != part.shape[:2]:
                    raise InputError(f"masks of '{name}' must be {list(part.shape[:2])} (got {list(mask.shape)})")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(streams={list(self.shapes)}, dim={self.dim}, layers={len(self.blocks)})"


def _check(streams: Mapping[str, tuple[int, int]], dim: int, layers: int, heads: int) -> None:
    if not streams:
        raise InputError("a multiway stack needs at least one stream (got none)")
    taken = {CLS, *dir(nn.ModuleDict()), *dir(nn.ParameterDict())}
    for name, sizes in streams.items():
        if not name.isidentifier() or name in taken:
            raise InputError(f"a stream's name must be an identifier other than 'cls' and torch's own (got '{name}')")
        if sizes[0] < 1 or sizes[1] < 2:
            raise InputError(f"'{name}' must have at least 1 token of width 2, as tokens are normalised (got {sizes})")
    if min(dim, layers, heads) < 1 or dim % heads:
        raise InputError(f"heads must divide dim, and layers be at least 1 (got {heads} heads, {dim}, {layers} layers)")
