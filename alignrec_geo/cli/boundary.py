"""How a command ends: whatever went wrong is one line and an exit code; a traceback is for faults of the program."""

import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import typer

from alignrec_geo.cli.flags import in_options
from alignrec_geo.cli.output import stderr, stdout
from alignrec_geo.cli.stop import stopping
from alignrec_geo.cli.warned import one_line_warnings
from alignrec_geo.errors import FetchError, InputError, RankLost, TrainingDiverged
from alignrec_geo.failures import machine_failure
from alignrec_geo.plain import printable
from alignrec_geo.ranks import LOST, OURS, tell_launcher
from alignrec_geo.reading import first_line, typed_line

TRACEBACK = "ALIGNREC_TRACEBACK"
"""Environment variable that shows the traceback of an unexpected error in place of a line that names a log."""
LONGEST = 2000
"""Letters of a line that is said; of a longer one both ends."""
USAGE: type[Exception] = typer.BadParameter.__bases__[0]
"""An option that does not exist, or a value that it cannot have; newer Typers have a copy of Click of their own."""


def guarded(run: Callable[[], None]) -> int:
    """Run a command and return its exit code.

    0; 2 for bad input; 1 for a failure of the machine, of a download or of training, or for a fault of the program;
    130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.
    """
    with stopping() as signals, _other_threads(), one_line_warnings():
        try:
            run()
            sys.stdout.flush()
            code = 0
        except BaseException as error:
            # a hang-up takes the terminal away too: what could not be printed then is no news
            code = 128 + signals[0] if signals else _ended(error)
        for stream in (sys.stdout, sys.stderr):
            _settle(stream)
    return code


def _ended(error: BaseException) -> int:
    """Say what ended a command, and return the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if isinstance(error, BrokenPipeError):  # '| head' has read enough
        return 1
    if isinstance(error, USAGE):
        return _usage(error)
    if isinstance(error, InputError):
        return _say(in_options(str(error)), 2)
    if isinstance(error, RankLost):
        return _say(f"another rank has ended, or cannot be reached ({first_line(error)})", LOST)
    if isinstance(error, TrainingDiverged | FetchError):
        return _say(in_options(str(error)), 1)
    failure = machine_failure(error)
    return _fault(error) if failure is None else _say(failure, 1)


def _say(message: str, code: int) -> int:
    if len(message) > LONGEST:  # an id that is a whole file, say
        message = f"{message[: LONGEST // 2]} … {message[-LONGEST // 2 :]}"
    if OURS in os.environ or stdout.quiet:  # one of several ranks: whoever started them says it once
        tell_launcher(message)
        return code
    stderr.quiet = False
    with suppress(OSError, ValueError):  # standard error may be closed, or a pipe that nobody reads
        stderr.print(f"error: {message}", soft_wrap=True)
    return code


def _usage(error: Exception) -> int:
    """Bad options: the line, and where the right ones are listed. A group without a verb has printed its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return 2
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "alignrec-geo"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return _say(f"{message.rstrip('.')}; see '{command} --help'", 2)


def _fault(error: BaseException) -> int:
    """An error that nobody foresaw: the traceback goes into a log, for the report of the fault."""
    if os.environ.get(TRACEBACK):
        raise error
    try:
        with tempfile.NamedTemporaryFile("w", prefix="alignrec-geo-", suffix=".log", delete=False) as log:
            traceback.print_exception(error, file=log)
    except OSError:
        traceback.print_exception(error)
        return 1
    return _say(f"unexpected {typed_line(error)}; this is a fault of alignrec-geo, please report it with {log.name}", 1)


@contextmanager
def _other_threads() -> Iterator[None]:
    """Failures of the machine in other threads, and in objects that are being deleted, are one line or none."""
    thread_hook, deletion_hook = threading.excepthook, sys.unraisablehook

    def in_thread(found: threading.ExceptHookArgs) -> None:
        failure = None if found.exc_value is None else machine_failure(found.exc_value)
        if failure is None:
            thread_hook(found)
        elif not isinstance(found.exc_value, BrokenPipeError):
            with suppress(OSError, ValueError):
                stderr.print(f"warning: {printable(failure)}", soft_wrap=True)

    def in_deletion(found: "sys.UnraisableHookArgs") -> None:
        if found.exc_value is None or machine_failure(found.exc_value) is None:
            deletion_hook(found)

    threading.excepthook, sys.unraisablehook = in_thread, in_deletion
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = thread_hook, deletion_hook


def _settle(stream: TextIO) -> None:
    """Write what is left of a stream; where that fails drop it, so that the end of Python does not complain."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
