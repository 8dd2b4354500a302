"""What devices reach: rates that were measured, with where they come from."""

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from alignrec_geo.errors import InputError

HERE = "here"
TABLE = "rates.json"


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


def device_names() -> list[str]:
    """The devices whose rates are known, and ``here``."""
    return [*_table(), HERE]


def device_rates(device: str) -> Rates:
    """Return the rates of a device: of the stored table, or measured on this machine in a few seconds (``here``).

    Raises:
        InputError: the device is unknown.

    Example:
        >>> device_rates("h200").copy_gb_s
        4188.8
    """
    check_device(device)
    if device == HERE:
        from alignrec_geo.planning.calibrate import measured_here

        return measured_here()
    return Rates(**_table()[device])


def check_device(device: str) -> None:
    """Refuse a device whose rates nobody knows.

    Raises:
        InputError: says which there are.
    """
    if device not in device_names():
        raise InputError(f"no rates of device '{device}' are stored; there are: {', '.join(device_names())}")


def _table() -> dict[str, dict[str, Any]]:
    text = files("alignrec_geo.planning").joinpath(TABLE).read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = json.loads(text)
    return table
