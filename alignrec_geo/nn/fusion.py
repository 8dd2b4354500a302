"""How the identity and the content of a node become one row."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator
from torch import Tensor, nn

from alignrec_geo.errors import InputError
from alignrec_geo.nn.class_path import is_path, load_named, path_of
from alignrec_geo.nn.conv import describe
from alignrec_geo.nn.reinitialise import reinitialise
from alignrec_geo.randomness import seeded
from alignrec_geo.reading import first_line, typed_line

Fusion = str | type[nn.Module] | nn.Module | Callable[[Tensor, Tensor], Tensor]
"""A name of :data:`FUSIONS`, a class path, a class, an instance or a function of both rows."""


class SumFusion(nn.Module):
    r""":math:`h = c + m`, the paper's."""

    def forward(self, identity: Tensor, content: Tensor) -> Tensor:
        """Return the fused rows."""
        return identity + content

    def split(self, identity: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
        """What the fused rows are the sum of."""
        return identity, content


class MeanFusion(nn.Module):
    r""":math:`h = (c + m) / 2`."""

    def forward(self, identity: Tensor, content: Tensor) -> Tensor:
        """Return the fused rows."""
        return (identity + content) / 2.0

    def split(self, identity: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
        """What the fused rows are the sum of."""
        return identity / 2.0, content / 2.0


class ConcatFusion(nn.Module):
    r""":math:`h = W [c; m] + b`.

    Args:
        width: width ``d`` of the rows.

    Shapes:
        - **input:** ``c [n, d]`` and ``m [n, d]``
        - **output:** ``[n, d]``
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * width, width)

    def forward(self, identity: Tensor, content: Tensor) -> Tensor:
        """Return the fused rows."""
        result: Tensor = self.linear(torch.cat([identity, content], dim=1))
        return result

    def split(self, identity: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
        """What the fused rows are the sum of, without the bias."""
        of_identity, of_content = self.linear.weight.chunk(2, dim=1)
        return identity @ of_identity.T, content @ of_content.T


class GateFusion(nn.Module):
    r""":math:`h = g \odot c + (1 - g) \odot m` with :math:`g = \sigma(W [c; m] + b)`.

    Arguments and shapes are those of :class:`ConcatFusion`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * width, width)

    def forward(self, identity: Tensor, content: Tensor) -> Tensor:
        """Return the fused rows."""
        return torch.lerp(content, identity, self._gate(identity, content))

    def split(self, identity: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
        """What the fused rows are the sum of, for the gate as both branches open it."""
        gate = self._gate(identity, content)
        return gate * identity, (1.0 - gate) * content

    def _gate(self, identity: Tensor, content: Tensor) -> Tensor:
        return torch.sigmoid(self.linear(torch.cat([identity, content], dim=1)))


class AttentionFusion(nn.Module):
    r"""Each branch has as much part as an attention over both gives it.

    Arguments and shapes are those of :class:`ConcatFusion`.

    .. math::
        h = a c + (1 - a) m, \qquad (a, 1 - a) = \text{softmax}\big(q^\top \tanh(W c + b),\; q^\top \tanh(W m + b)\big)
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)  # W, b
        self.query = nn.Linear(width, 1, bias=False)  # q

    def forward(self, identity: Tensor, content: Tensor) -> Tensor:
        """Return the fused rows."""
        return torch.lerp(content, identity, self._share(identity, content))

    def split(self, identity: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
        """What the fused rows are the sum of, for the attention as it is."""
        share = self._share(identity, content)
        return share * identity, (1.0 - share) * content

    def _share(self, identity: Tensor, content: Tensor) -> Tensor:
        """``a``, ``[n, 1]``."""
        scores = [self.query(torch.tanh(self.linear(rows))) for rows in (identity, content)]
        return torch.sigmoid(scores[0] - scores[1])


class _FunctionFusion(nn.Module):
    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, identity: Tensor, content: Tensor) -> Tensor:
        return self.function(identity, content)


FUSIONS: dict[str, Callable[[int], nn.Module]] = {
    "sum": lambda width: SumFusion(),
    "mean": lambda width: MeanFusion(),
    "concat": ConcatFusion,
    "gate": GateFusion,
    "attention": AttentionFusion,
}
"""The ways to fuse, by name."""


class Fuser(nn.Module):
    """The fusion that a setting names, tried on a few rows. Its weights are drawn like those of layers.

    A class is called with the width, or with nothing if it takes nothing.

    Args:
        spec: see :data:`Fusion`.
        width: width ``d`` of the rows.

    Raises:
        InputError: there is no such fusion, or it does not turn two ``[n, d]`` into one ``[n, d]``.

    Shapes:
        - **input:** identity ``[n, d]`` and content ``[n, d]``
        - **output:** ``[n, d]``

    Example:
        >>> Fuser("mean", 2)(torch.ones(1, 2), torch.zeros(1, 2)).tolist()
        [[0.5, 0.5]]
    """

    def __init__(self, spec: Fusion, width: int) -> None:
        super().__init__()
        self._given = spec, width
        with seeded(None):
            self.fusion = self._make()
        _check(self.fusion, str(describe(spec)), width)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the weights anew; a fusion without weights draws nothing, an instance keeps its own."""
        reinitialise(self.fusion, self._make, generator)

    def forward(self, identity: Tensor, content: Tensor) -> Tensor:
        """Return the fused rows."""
        result: Tensor = self.fusion(identity, content)
        return result

    @property
    def linear(self) -> bool:
        """Whether it is linear in both branches, but for a bias."""
        return isinstance(self.fusion, SumFusion | MeanFusion | ConcatFusion)

    def split(self, identity: Tensor, content: Tensor) -> tuple[Tensor, Tensor] | None:
        """What identity and content give to the fused rows, ``[n, d]`` each; ``None`` if the fusion does not say."""
        split = getattr(self.fusion, "split", None)
        return None if split is None else split(identity, content)

    def _make(self) -> nn.Module:
        return _make(*self._given)


def _fusion_name(value: Any) -> Any:
    if isinstance(value, type):
        return path_of(value, "fusion")
    if isinstance(value, str) and value not in FUSIONS and not is_path(value):
        raise ValueError(f"there are: {', '.join(FUSIONS)}, or a class path such as mypackage.MyFusion")
    return value


FusionName = Annotated[str, BeforeValidator(_fusion_name)]
"""A setting that names a fusion."""


def _make(spec: Any, width: int) -> nn.Module:
    if isinstance(spec, str) and spec in FUSIONS:
        return FUSIONS[spec](width)
    if isinstance(spec, str):
        if not is_path(spec):
            raise InputError(f"fusion: unknown (got '{spec}'); there are: {', '.join(FUSIONS)}, or a class path")
        spec = load_named(spec, "fusion")
    if isinstance(spec, type):
        spec = _instance(spec, width)
    if not callable(spec):
        raise InputError(f"fusion: a name, a class, a module or a function is needed (got {spec!r:.80})")
    return spec if isinstance(spec, nn.Module) else _FunctionFusion(spec)


def _instance(kind: type[Any], width: int) -> Any:
    try:
        parameters = inspect.signature(kind).parameters.values()
        named = [part for part in parameters if part.kind not in (part.VAR_POSITIONAL, part.VAR_KEYWORD)]
        return kind(width) if named else kind()
    except Exception as error:
        raise InputError(
            f"fusion: making '{kind.__qualname__}' with the width alone failed: {first_line(error)}; a fusion is a "
            "class that takes the width, or nothing, and turns two [n, d] into one"
        ) from None


def _check(fusion: nn.Module, name: str, width: int) -> None:
    rows = torch.linspace(-1.0, 1.0, 3 * width).view(3, width)
    try:
        with torch.no_grad():
            result: Any = fusion(rows, rows + 1.0)
    except Exception as error:
        raise InputError(f"fusion '{name}' fails on rows of width {width}: {typed_line(error)}") from None
    if not isinstance(result, Tensor) or result.shape != rows.shape:
        got = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
        raise InputError(f"fusion '{name}' must turn two {tuple(rows.shape)} into one (got {got})")
    if not result.dtype.is_floating_point or not bool(torch.isfinite(result).all()):
        raise InputError(f"fusion '{name}' must return finite numbers (got NaN, infinity or {result.dtype})")
