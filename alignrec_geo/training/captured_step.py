"""One optimiser step as one CUDA graph: the host starts it and does nothing else."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from alignrec_geo.models.base import Batch, Recommender, is_graph
from alignrec_geo.reading import first_line
from alignrec_geo.training.step import EagerStep, Loss

WARM_UP = 3
"""Steps that are made, and undone, before the first capture: libraries set themselves up in their first calls."""


class CapturedStep(EagerStep):
    """:class:`EagerStep`, recorded once per batch size and replayed.

    A graph holds addresses: batches are copied into its own buffers, and it is recorded anew where ``start_epoch`` has
    put other graphs into the model. A model or a loss of one's own that cannot be recorded (it reads values back, or
    draws from a generator that torch does not know) is stepped operation by operation, with one warning that says why.
    """

    def __init__(self, model: Recommender, optimizer: torch.optim.Optimizer, loss: Loss | None = None) -> None:
        super().__init__(model, optimizer, loss)
        self._graphs: dict[int, _Recorded] = {}
        self._read_by_graphs: list[Tensor] = []  # kept alive, so that nothing else comes to lie at their addresses
        self._warm, self._refused = False, False

    def start(self, epoch: int) -> None:
        """Begin an epoch; what was recorded with other graphs is forgotten."""
        super().start(epoch)
        if not _same(self._read_by_graphs, _tensors_beside_parameters(self.model)):
            self._graphs.clear()

    def _advance(self, batch: Batch) -> None:
        size = len(batch.users)
        if not self._refused and size not in self._graphs:
            self._record(batch)
        if self._refused:
            self._step(batch)
        else:
            self._graphs[size].replay(batch)

    def _record(self, batch: Batch) -> None:
        recorded = _Recorded(batch)
        with self._undone():
            side = torch.cuda.Stream(self.device)
            side.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(side):
                for _ in range(1 if self._warm else WARM_UP):
                    self._step(recorded.batch)
            torch.cuda.current_stream(self.device).wait_stream(side)
            reason = self._cannot_record(recorded, side)
            self.optimizer.zero_grad()
        self._warm = True
        # what the warm-up set up, such as a layer's list of edges, belongs to the model from now on
        self._read_by_graphs = _tensors_beside_parameters(self.model)
        if reason is None:
            self._graphs[len(batch.users)] = recorded
            return
        self._refused = True
        self._graphs.clear()
        warnings.warn(
            f"the step of {type(self.model).__name__} cannot run as one CUDA graph and runs operation by operation, "
            f"which is slower: {reason}",
            stacklevel=2,
        )

    def _cannot_record(self, recorded: "_Recorded", stream: torch.cuda.Stream) -> str | None:
        """Record the step; the reason why it cannot be, ``None`` if it could."""
        before = torch.cuda.get_sync_debug_mode()
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Synchronization debug mode is a prototype")
                # a step that reads values back is found before it breaks a capture
                torch.cuda.set_sync_debug_mode("error")
            with torch.cuda.stream(stream):
                self._step(recorded.batch)
        except Exception as error:  # whatever it is, the eager step will meet it again
            return first_line(error)
        finally:
            torch.cuda.set_sync_debug_mode(before)
        for generator in _generators(self.model):
            recorded.graph.register_generator_state(generator)
        self.optimizer.zero_grad()
        torch.cuda.synchronize(self.device)
        try:
            with torch.cuda.stream(stream):
                recorded.graph.capture_begin()
                try:
                    self._step(recorded.batch)
                finally:
                    recorded.graph.capture_end()
        except Exception as error:
            torch.cuda.synchronize(self.device)
            return first_line(error)
        return None

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """Undo what steps within the block do to parameters, buffers, optimiser, sums and random streams."""
        tensors = [*self.model.parameters(), *self.model.buffers(), self.diverged]
        totals = None if self.totals is None else self.totals.clone()
        saved = [tensor.detach().clone() for tensor in tensors]
        slots = {key: {name: value.clone() for name, value in slot.items()} for key, slot in self._slots()}
        generators = [*_generators(self.model), torch.cuda.default_generators[self.device.index or 0]]
        states = [generator.get_state() for generator in generators]
        yield
        known = set(map(id, generators))
        for generator in _generators(self.model):
            if id(generator) not in known:  # made by the first step
                generator.manual_seed(generator.initial_seed())
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        with torch.no_grad():
            for tensor, before in zip(tensors, saved, strict=True):
                tensor.copy_(before)
            if self.totals is not None:
                self.totals.zero_() if totals is None else self.totals.copy_(totals)
            for key, slot in self._slots():
                for name, value in slot.items():
                    if key in slots:
                        value.copy_(slots[key][name])
                    else:
                        value.zero_()

    def _slots(self) -> list[tuple[Tensor, dict[str, Tensor]]]:
        return [(key, slot) for key, slot in self.optimizer.state.items() if slot]


class _Recorded:
    """A CUDA graph with the buffers that its batches are copied into."""

    def __init__(self, batch: Batch) -> None:
        users, positives, negatives = (column.clone() for column in batch[:3])
        self.columns = [users, positives, negatives]
        self.batch = Batch(users, positives, negatives, batch.nominal_size)
        self.graph = torch.cuda.CUDAGraph()

    def replay(self, batch: Batch) -> None:
        torch._foreach_copy_(self.columns, list(batch[:3]))
        self.graph.replay()


def _generators(model: torch.nn.Module) -> list[torch.Generator]:
    """The generators of the model's own dropout on the GPU."""
    values = (value for module in model.modules() for value in vars(module).values())
    return [value for value in values if isinstance(value, torch.Generator) and value.device.type == "cuda"]


def _tensors_beside_parameters(model: torch.nn.Module) -> list[Tensor]:
    """What a step reads besides parameters and batches: graphs, buffers, lists of edges."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    def visit(value: Any) -> None:
        if isinstance(value, Tensor):
            note(value)
        elif is_graph(value):
            value.map(note)
        elif isinstance(value, dict | list | tuple):
            for part in value.values() if isinstance(value, dict) else value:
                visit(part)

    for module in model.modules():
        for name, value in vars(module).items():
            if name not in ("_parameters", "_modules"):
                visit(value)
    return found


def _same(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))


def make_step(
    model: Recommender, optimizer: torch.optim.Optimizer, loss: Loss | None = None, capture: bool | None = None
) -> EagerStep:
    """Return the step of a device: a CUDA graph on a GPU, else operation by operation.

    Args:
        model: the model, on its device.
        optimizer: see :func:`~alignrec_geo.training.optimizer.make_optimizer`.
        loss: in place of the model's own.
        capture: ``False`` never records; ``None`` and ``True`` do on CUDA.
    """
    on_gpu = next(model.parameters()).device.type == "cuda"
    return (CapturedStep if on_gpu and capture is not False else EagerStep)(model, optimizer, loss)
