"""What a service is started with: the run, and the limits of its requests."""

import os
from dataclasses import dataclass

from alignrec_geo.errors import InputError

NEEDED = ("fastapi", "uvicorn", "prometheus_client")
"""What the extra ``serve`` installs."""


@dataclass(frozen=True)
class ServiceSettings:
    """The run and the limits of a service.

    Args:
        run: the run folder, or a folder of saved tables. A reload opens this path again.
        dataset: the data set of the run with its images, if it was moved.
        device: where items are ranked.
        index: ``exact``, or ``ann`` for the index that ``alignrec-geo index`` made.
        trust: run code (class paths of layers) that the run folder names, for explanations.
        max_k: the largest ``k`` of a request.
        max_users: the most users of one request.
        max_ids: the most ids in a list of a rule.
        max_body: the largest body, bytes.
        timeout: seconds after which a request is answered with 503, or 408 while its body is still being sent.
        threads: requests that may be worked on beside each other in one worker.
        waiting: requests that may wait for a thread before others are turned away with 503.
        allow_reload: whether ``POST /admin/reload`` is answered, for programs on this machine.

    Raises:
        InputError: a limit below 1.

    Example:
        >>> ServiceSettings("runs/shop", max_k=50).max_k
        50
    """

    run: str | os.PathLike[str]
    dataset: str | os.PathLike[str] | None = None
    device: str = "cpu"
    index: str = "exact"
    trust: bool = False
    max_k: int = 200
    max_users: int = 1_000
    max_ids: int = 100_000
    max_body: int = 4 << 20
    timeout: float = 30.0
    threads: int = 2
    waiting: int = 64
    allow_reload: bool = False

    def __post_init__(self) -> None:
        for name in ("max_k", "max_users", "max_ids", "max_body", "timeout", "threads", "waiting"):
            value = getattr(self, name)
            least = 0 if name == "waiting" else 1 if isinstance(value, int) else 0.001
            if not value >= least:
                raise InputError(f"{name} must be at least {least} (got {value!r:.40})")


def check_installed() -> None:
    """Make sure that the extra ``serve`` is installed.

    Raises:
        InputError: a package is missing.
    """
    from importlib.util import find_spec

    missing = [name.replace("_", "-") for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the service needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            "pip install 'alignrec-geo[serve]'"
        )
