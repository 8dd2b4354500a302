"""A run in a process of its own: its memory is its own, and so is its death."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import alignrec_geo
from alignrec_geo.comparison.run import LOG, Run, is_over
from alignrec_geo.locks import Lock

COMMAND = (sys.executable, "-P", "-m", "alignrec_geo.comparison", "--trust")
"""Without ``-P`` a file ``random.py`` of the current folder would be run; the settings come from the command line."""
PACKAGES = str(Path(alignrec_geo.__file__).parents[1])
"""Where this package was found, for a checkout that is not installed."""


class RunProcess:
    """A run that is being trained.

    The process inherits the lock, so the run stays owned until the process has ended, even if this one is killed
    first. Its standard input is open as long as this process lives.

    Args:
        run: what to train.
        lock: the lock of the run, or of the model's tuning for a trial.
        threads: how many it may use.
        again: whether a former process of this run died.
    """

    def __init__(self, run: Run, lock: Lock, threads: int, again: bool = False) -> None:
        run.prepare()
        self.run, self.lock, self._again = run, lock, again
        with (run.folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, str(run.folder), *([] if run.test else ["--no-test"])],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": python_path()},
                pass_fds=(lock.descriptor,),
                start_new_session=True,  # Ctrl-C reaches this process only, which then stops its children
            )

    def ended(self) -> bool:
        """Whether the process has ended.

        A process that dies without a result or an error (killed, out of memory, a library that aborts) says little
        about its run, which stays unfinished; if that happens ``again`` it is marked as failed.
        """
        code = self._process.poll()
        if code is None:
            return False
        self._close()
        if self._again and not is_over(self.run.folder):
            self.run.fail(f"{_reason(code)}, twice; see {self.run.folder / LOG}")
        return True

    def stop(self) -> None:
        """Kill the process; the run can be continued from its last finished epoch."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


def python_path() -> str:
    """The paths on which a process of a run finds this package, and what the user added."""
    return os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), PACKAGES)))


def _reason(code: int) -> str:
    if code >= 0:
        return f"the process ended with exit code {code}"
    hint = " (often: out of memory)" if -code == signal.SIGKILL else ""
    return f"the process was ended by {signal.Signals(-code).name}{hint}"
