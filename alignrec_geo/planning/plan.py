"""Memory and time of a training run, from counted work and measured rates."""

from dataclasses import dataclass, replace
from typing import Any

from alignrec_geo.models.size import in_words
from alignrec_geo.planning.memory import Part, parts
from alignrec_geo.planning.problem import Problem
from alignrec_geo.planning.rates import Rates
from alignrec_geo.planning.work import FLOAT, Work, work

FULL = 0.95
"""The share of a memory that can be filled: the rest goes to what an allocator cannot use."""
SHARED_ROWS = {"bpr": 3, "lightgcn": 6, "alignrec": 6}
"""Rows per triplet that ranks make whole for each other."""


@dataclass(frozen=True)
class Plan:
    """What a run takes on every rank.

    Args:
        problem: its sizes.
        rates: of the device.
        work: of one step.
        parts: of the memory, in bytes.
    """

    problem: Problem
    rates: Rates
    work: Work
    parts: tuple[Part, ...]

    @property
    def device_bytes(self) -> float:
        """Memory of the device that one rank takes; on a CPU all of it."""
        return sum(part.bytes for part in self.parts if part.on_device or not self.rates.is_gpu)

    @property
    def host_bytes(self) -> float:
        """Memory that one rank takes beside a GPU's; 0 on a CPU."""
        return sum(part.bytes for part in self.parts if self.rates.is_gpu and not part.on_device)

    @property
    def sent_bytes(self) -> float:
        r"""What a rank sends in a step, whatever ``E``: :math:`\frac{P - 1}{P}\, 6 B\, d \cdot 4` with propagation, and
        with content of ``I`` items in ``W`` columns :math:`\frac{P - 1}{P} (2 I d + 2 d^2 + B W) \cdot 4` besides."""
        p = self.problem
        numbers = SHARED_ROWS[p.model] * p.batch * p.dim
        if p.content:
            numbers += 2 * p.items * p.dim + 2 * p.dim**2 + p.batch * p.content
        return (p.ranks - 1) / p.ranks * numbers * FLOAT

    @property
    def step_seconds(self) -> float:
        """One step: products, streams, dense products and what is sent, one after the other."""
        rates, done = self.rates, self.work
        sent = self.sent_bytes / 1e9 / rates.link_gb_s if rates.link_gb_s else 0.0
        return (
            done.product_bytes / 1e9 / rates.product_gb_s
            + done.stream_bytes / 1e9 / rates.copy_gb_s
            + done.gemm_flops / 1e9 / rates.gemm_gflop_s
            + rates.step_seconds
            + sent
        )

    @property
    def epoch_seconds(self) -> float:
        """All steps of an epoch, the drawing of its triplets, and its validation."""
        p, rates = self.problem, self.rates
        drawing = p.edges / rates.pairs_per_s
        return p.steps * self.step_seconds + drawing + self.validation_seconds

    @property
    def validation_seconds(self) -> float:
        """The exact ranking of all items for the users that are validated."""
        p = self.problem
        return 2.0 * p.validated * p.items * p.dim / p.ranks / 1e9 / self.rates.rank_gflop_s

    @property
    def fits(self) -> bool:
        """Whether a rank fits into the device; ranks on this machine's CPU share its memory."""
        together = 1 if self.rates.is_gpu else self.problem.ranks
        return self.device_bytes * together <= FULL * self.rates.memory_gb * 1e9

    def advice(self) -> list[str]:
        """What to do where it does not fit; empty where it does."""
        if self.fits:
            return []
        has = f"{self.rates.name} has {in_words(round(self.rates.memory_gb * 1e9))}"
        largest = max(self.parts, key=lambda part: part.bytes)
        said = [
            f"does not fit: a rank needs {in_words(round(self.device_bytes))} and {has}; most of it: {largest.name}"
        ]
        p = self.problem
        if p.content and p.train_features and plan(replace(p, train_features=False), self.rates).fits:
            said.append("it fits with frozen features, train_features=false")
        if self.rates.is_gpu:
            more = (count for count in range(p.ranks + 1, p.dim + 1) if p.dim % count == 0)
            enough = next((count for count in more if plan(replace(p, ranks=count), self.rates).fits), None)
            if enough is not None:
                return [*said, f"it fits on {enough} ranks: ranks='{enough}'"]
        said.append(
            "the graph is whole on every rank, so no number of ranks is enough: train on sampled subgraphs "
            "(approximate), fewer columns (dim), or a device with more memory"
            if self.rates.is_gpu
            else "more ranks on one machine share its memory: use more machines, GPUs, fewer columns (dim), or "
            "sampled subgraphs (approximate)"
        )
        return said

    def as_json(self) -> dict[str, Any]:
        """All numbers, in bytes and seconds."""
        p = self.problem
        return {
            "model": p.model,
            "users": p.users,
            "items": p.items,
            "edges": p.edges,
            "ranks": p.ranks,
            "settings": {
                "dim": p.dim,
                "layers": p.layers,
                "batch_size": p.batch,
                "width": p.content,
                "train_features": p.train_features,
            },
            "device": self.rates.as_json(),
            "memory": {
                "device_bytes": round(self.device_bytes),
                "host_bytes": round(self.host_bytes),
                "parts": [part._asdict() | {"bytes": round(part.bytes)} for part in self.parts],
            },
            "step": {
                "seconds": self.step_seconds,
                "product_bytes": round(self.work.product_bytes),
                "stream_bytes": round(self.work.stream_bytes),
                "gemm_flop": round(self.work.gemm_flops),
                "graph_flop": round(self.work.flops),
                "sent_bytes": round(self.sent_bytes),
            },
            "epoch": {
                "steps": p.steps,
                "seconds": self.epoch_seconds,
                "validation_seconds": self.validation_seconds,
            },
            "fits": self.fits,
            "advice": self.advice(),
        }


def plan(problem: Problem, rates: Rates) -> Plan:
    """Return what a run takes.

    Args:
        problem: its sizes.
        rates: of the device, see :func:`~alignrec_geo.planning.devices.device_rates`.

    Example:
        >>> from alignrec_geo.planning.devices import device_rates
        >>> shape = Problem(users=10**8, items=10**7, edges=10**9, model="lightgcn", ranks=8, batch=10**6)
        >>> made = plan(shape, device_rates("h100"))
        >>> f"{made.work.product_bytes / 1e12:.2f} TB", made.fits
        ('0.32 TB', True)
    """
    return Plan(problem, rates, work(problem), tuple(parts(problem, rates.is_gpu)))
