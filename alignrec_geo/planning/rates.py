"""What devices reach: rates that were measured, with where they come from."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Rates:
    """What one device reaches.

    Args:
        name: of the device.
        memory_gb: GB (10⁹ bytes) that it has.
        copy_gb_s: GB per second that are read or written one after the other.
        product_gb_s: GB per second of sparse products, as :func:`~alignrec_geo.planning.work.work` counts them.
        gemm_gflop_s: GFLOP per second of dense float32 products.
        rank_gflop_s: GFLOP per second of a ranking with its selection of the best.
        pairs_per_s: triplets that are drawn in a second.
        step_seconds: what every step takes however small it is.
        link_gb_s: GB per second between ranks; 0 where it is not known.
        source: where the numbers are from.
    """

    name: str
    memory_gb: float
    copy_gb_s: float
    product_gb_s: float
    gemm_gflop_s: float
    rank_gflop_s: float
    pairs_per_s: float
    step_seconds: float
    link_gb_s: float
    source: str

    @property
    def is_gpu(self) -> bool:
        """Whether its memory is not the host's."""
        return "NVIDIA" in self.name

    def as_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)
