"""What Prometheus reads: counts and times of requests, and which run is served."""

import os

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable by which several workers share their counts: the name that prometheus-client fixes."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Measures:
    """The metrics of a service.

    Attributes:
        running: requests that are being answered.
        opened: when the served run was opened, seconds since 1970.
        reloads: changes to another run, and failed ones.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "alignrec_requests",
            "Requests, by what was asked.",
            ("route", "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "alignrec_request_seconds", "Time to an answer.", ("route",), buckets=SECONDS, registry=registry
        )
        self.running = Gauge(
            "alignrec_requests_running", "Requests being answered.", multiprocess_mode="livesum", registry=registry
        )
        self.opened = Gauge(
            "alignrec_run_opened_seconds", "When the run was opened.", multiprocess_mode="livemin", registry=registry
        )
        self.reloads = Counter("alignrec_reloads", "Reloads by result.", ("result",), registry=registry)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        method = method if method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH") else "other"
        self._requests.labels(route, method, status).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> tuple[bytes, str]:
        """Everything as Prometheus reads it, of all workers, and the type of that text."""
        registry = self._registry
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
