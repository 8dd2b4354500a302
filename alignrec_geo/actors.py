"""Pools of Ray actors: the same work block by block, on the CPUs of this machine or of a cluster."""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alignrec_geo.errors import InputError

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Ray reports to nobody, and prints nothing between the lines of this program."""
STORE = 256 << 20
"""Bytes of shared memory for blocks on their way between processes of one machine."""

REFUSED = "refused by an actor"
"""Name of a column that says why."""

Work = Callable[[Any], Any]
"""Gets a table of Arrow with the columns of some tasks, and gives one."""


@dataclass(frozen=True)
class Pool:
    """Where actors run, and how many.

    Args:
        actors: how many; ``None`` for one fewer than there are CPUs, one at least.
        address: of a running cluster, ``auto`` for the one this machine belongs to; ``None`` starts Ray here, and ends
            it. In a cluster this package must be installed on every machine, and paths must lead to the same files.

    Raises:
        InputError: fewer than one actor.

    Example:
        >>> list(Pool(actors=2).map(work, [{"number": 1}, {"number": 2}]))  # doctest: +SKIP
    """

    actors: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.actors is not None and self.actors < 1:
            raise InputError(f"actors= must be at least 1 (got {self.actors})")

    def map(self, make: Callable[[], Work], tasks: Sequence[dict[str, Any]]) -> Iterator[Any]:
        """Do tasks one by one, each by one of the actors, and yield a table of Arrow for each, in their order.

        A task whose actor ends (out of memory, its machine lost) is done again by another.

        Args:
            make: called once by every actor; what it returns does the tasks. It is pickled, so it must be a function of
                a module, or a :func:`functools.partial` of one.
            tasks: plain values by name.

        Raises:
            InputError: Ray is not installed, there is no such cluster, there are too few CPUs, or a task raised it.
        """
        if not tasks:
            return
        with self._session() as (data, actors):
            options = data.DataContext.get_current()
            options.enable_progress_bars = False
            options.print_on_execution_start = False
            options.execution_options.preserve_order = True
            todo = data.from_items(list(tasks), override_num_blocks=len(tasks))
            done = todo.map_batches(
                _Actor,
                fn_constructor_args=(make, os.environ.get("OMP_NUM_THREADS")),
                batch_size=None,
                batch_format="pyarrow",
                compute=data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2),
                num_cpus=1,
            )
            for table in done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                if REFUSED in table.schema.names:
                    raise InputError(table[REFUSED][0].as_py())
                yield table

    @contextmanager
    def _session(self) -> Iterator[tuple[Any, int]]:
        """A connection to Ray Data, and the number of actors."""
        os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
        try:
            import ray
            from ray import data
        except ImportError:
            raise InputError(
                "engine='ray' needs Ray, which is not installed: pip install 'alignrec-geo[ray]'"
            ) from None
        if ray.is_initialized():
            yield data, self._count(ray)
            return
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        folder = None
        if self.address is None:
            actors = self.actors or max(1, len(os.sched_getaffinity(0)) - 1)
            folder = tempfile.mkdtemp(prefix="ray-")
            # one CPU more than actors, whatever the machine has: Ray Data waits for ever where actors take all of them
            place: dict[str, Any] = {"num_cpus": actors + 1, "_temp_dir": folder, "object_store_memory": STORE}
            place |= {"include_dashboard": False, "address": "local"}
        else:
            place = {"address": self.address}
        try:
            try:
                with _nothing_printed():  # that the log level was set, of all things
                    ray.init(**place, **quiet)
            except (ConnectionError, ValueError, RuntimeError) as error:
                if self.address is None:
                    raise
                raise InputError(f"address='{self.address}': no Ray cluster answers there ({error})") from None
            yield data, self._count(ray)
        finally:
            ray.shutdown()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _count(self, ray: Any) -> int:
        """How many actors run; fewer than there are CPUs, as Ray Data needs one itself.

        Raises:
            InputError: more are asked for.
        """
        cpus = int(ray.cluster_resources().get("CPU", 0))
        if cpus < 2:
            raise InputError(f"Ray has {cpus} CPUs; one for an actor and one beside are the least")
        if self.actors is not None and self.actors >= cpus:
            raise InputError(f"actors={self.actors}: Ray has {cpus} CPUs, and one must stay free; {cpus - 1} at most")
        return self.actors or cpus - 1


@contextmanager
def _nothing_printed() -> Iterator[None]:
    """Nothing that C++ writes reaches standard error within the block."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class _Actor:
    """One process of the pool."""

    def __init__(self, make: Callable[[], Work], threads: str | None) -> None:
        if threads is None:
            os.environ.pop("OMP_NUM_THREADS", None)  # Ray sets it to 1
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        self._refused: str | None = None
        try:
            self._work = make()
        except InputError as error:
            self._refused = str(error)

    def __call__(self, tasks: Any) -> Any:
        """Do tasks; bad input is told in a table, as Ray keeps an error's text and not what it was."""
        import pyarrow as pa

        if self._refused is None:
            try:
                return self._work(tasks)
            except InputError as error:
                self._refused = str(error)
        return pa.table({REFUSED: [self._refused]})
