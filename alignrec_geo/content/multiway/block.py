"""The multiway transformer block: attention over all tokens, everything else by an expert per stream."""

import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Streams = dict[str, Tensor]
"""Tokens by the name of their stream, ``[n, t, D]`` each; the order of the names is the order in the sequence."""

LAYER_NORM_EPS = 1e-5


class Linear(nn.Linear):
    """A linear layer that draws nothing by itself: the model it belongs to draws its weights from a generator.

    Args:
        inputs: width of the input.
        outputs: width of the output.
        gain: of the Xavier-normal initial weights.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__(inputs, outputs)
        self.gain = gain

    def reset_parameters(self) -> None:
        """Leave the weights as they are."""

    def init_parameters(self, generator: torch.Generator) -> None:
        """Draw the weights, and set the bias to zero."""
        nn.init.xavier_normal_(self.weight, self.gain, generator=generator)
        nn.init.zeros_(self.bias)


class Multiway(nn.ModuleDict):
    """One copy of a layer, the *expert*, for each stream.

    Args:
        streams: names of the streams.
        make: makes a layer.

    Shapes:
        - **input:** tokens of some of the streams, ``[n, t_s, D]`` each
        - **output:** the same streams
    """

    def __init__(self, streams: Iterable[str], make: Callable[[], nn.Module]) -> None:
        super().__init__({name: make() for name in streams})

    def forward(self, tokens: Streams) -> Streams:
        """Send every stream through its expert."""
        return {name: self[name](part) for name, part in tokens.items()}


class MultiwayAttention(nn.Module):
    """Multi-head self-attention over the joint sequence, with projections of each stream's own and sub-LN.

    Args:
        streams: names of the streams.
        dim: width D.
        heads: attention heads; they divide D.
        gain: of the initial values and outputs (queries and keys have 1).
        eps: of the layer norms.

    Shapes:
        - **input:** tokens ``[n, t_s, D]`` per stream, and ``visible [n, Σ t_s]`` bool (``None``: all are)
        - **output:** the same streams
    """

    def __init__(self, streams: Iterable[str], dim: int, heads: int, gain: float, eps: float) -> None:
        super().__init__()
        names = tuple(streams)
        self.heads = heads
        self.q_proj, self.k_proj = (Multiway(names, lambda: Linear(dim, dim)) for _ in range(2))
        self.v_proj = Multiway(names, lambda: Linear(dim, dim, gain))
        self.inner_attn_ln = Multiway(names, lambda: nn.LayerNorm(dim, eps))
        self.out_proj = Multiway(names, lambda: Linear(dim, dim, gain))

    def forward(self, tokens: Streams, visible: Tensor | None = None) -> Streams:
        """Let every token attend to all visible tokens of all streams."""
        query, key, value = (self._split_heads(proj(tokens)) for proj in (self.q_proj, self.k_proj, self.v_proj))
        mask = None if visible is None else visible[:, None, None, :]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)  # [n, heads, S, D / heads]
        lengths = [part.shape[1] for part in tokens.values()]
        parts = mixed.transpose(1, 2).flatten(2).split(lengths, dim=1)
        attended: Streams = self.out_proj(self.inner_attn_ln(dict(zip(tokens, parts, strict=True))))
        return attended

    def _split_heads(self, tokens: Streams) -> Tensor:
        joint = torch.cat(list(tokens.values()), dim=1)  # [n, S, D]
        return joint.view(*joint.shape[:2], self.heads, -1).transpose(1, 2)


class FeedForward(nn.Module):
    """``fc2(LN(GELU(fc1(x))))``: exact GELU, and a layer norm before the second projection (sub-LN).

    Args:
        dim: width D.
        hidden: width between the projections.
        gain: of the initial weights.
        eps: of the layer norm.
    """

    def __init__(self, dim: int, hidden: int, gain: float, eps: float) -> None:
        super().__init__()
        self.fc1 = Linear(dim, hidden, gain)
        self.ffn_layernorm = nn.LayerNorm(hidden, eps)
        self.fc2 = Linear(hidden, dim, gain)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token, ``[n, t, D]``, by itself."""
        result: Tensor = self.fc2(self.ffn_layernorm(F.gelu(self.fc1(x))))
        return result


class MultiwayBlock(nn.Module):
    r"""One layer of a multiway transformer with sub-LN.

    The multiway transformer is that of `"Image as a Foreign Language: BEiT Pretraining for All Vision and
    Vision-Language Tasks" <https://arxiv.org/abs/2208.10442>`_, sub-LN and the initial scale that of `"Foundation
    Transformers" <https://arxiv.org/abs/2210.06423>`_.

    .. math::
        x &\leftarrow x + \mathrm{Attention}(\mathrm{LN}(x)) \\
        x &\leftarrow x + \mathrm{FFN}(\mathrm{LN}(x))

    Initial weights are Xavier-normal; all but queries and keys have the gain :math:`\sqrt{\ln 2 L}` with :math:`L` the
    number of layers. The names of the parts are those of the public BEiT-3 checkpoints.

    Args:
        streams: names of the streams.
        dim: width D.
        heads: attention heads; they divide D.
        hidden: width inside the feed-forward experts.
        depth: L, layers of the whole stack.
        eps: of the layer norms.

    Shapes:
        - **input:** tokens ``[n, t_s, D]`` per stream, and ``visible [n, Σ t_s]`` bool (``None``: all are)
        - **output:** the same streams
    """

    def __init__(
        self, streams: Iterable[str], dim: int, heads: int, hidden: int, depth: int, eps: float = LAYER_NORM_EPS
    ) -> None:
        super().__init__()
        names, gain = tuple(streams), math.sqrt(math.log(2 * depth))
        self.self_attn_layer_norm = Multiway(names, lambda: nn.LayerNorm(dim, eps))
        self.self_attn = MultiwayAttention(names, dim, heads, gain, eps)
        self.final_layer_norm = Multiway(names, lambda: nn.LayerNorm(dim, eps))
        self.ffn = Multiway(names, lambda: FeedForward(dim, hidden, gain, eps))

    def forward(self, tokens: Streams, visible: Tensor | None = None) -> Streams:
        """Mix the streams, then transform each token."""
        attended = self.self_attn(self.self_attn_layer_norm(tokens), visible)
        tokens = {name: part + attended[name] for name, part in tokens.items()}
        transformed = self.ffn(self.final_layer_norm(tokens))
        return {name: part + transformed[name] for name, part in tokens.items()}
