"""What a benchmark ran on: stored with every result."""

from typing import Any

import torch
from harness.workers import BENCHMARKS

from alignrec_geo.machine import machine as of_threads

RESULTS = BENCHMARKS / "results"


def machine() -> dict[str, Any]:
    """Processor, number of processors, torch's threads, Python, versions and date."""
    return of_threads(torch.get_num_threads())
