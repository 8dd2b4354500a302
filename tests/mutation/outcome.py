"""What the tests of a fork did, from what it told."""

import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Outcome:
    """What the tests of one fork did.

    Args:
        status: ``passed``, ``failed`` (a test failed or could not be collected), ``timeout`` or ``crashed``.
        noticed: the first test that failed.
        passed: the tests that passed and the seconds they took.
        reached: with ``trace``, the functions of the program that a test entered, as ``path::name``.
    """

    status: str
    noticed: str | None = None
    passed: dict[str, float] = field(default_factory=dict)
    reached: dict[str, list[str]] = field(default_factory=dict)


def outcome_of(events: Path, status: int | None) -> Outcome:
    """Read what a fork told."""
    outcome, ended = Outcome("passed"), False
    for event in [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []:
        if "passed" in event:
            outcome.passed[event["passed"]] = event["seconds"]
        elif "failed" in event:
            outcome.noticed = outcome.noticed or event["failed"]
        elif "reached" in event:
            outcome.reached = event["reached"]
        else:
            ended = True
    if outcome.noticed is not None:
        outcome.status = "failed"
    elif status is None or (
        os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGXCPU, signal.SIGKILL)
    ):
        outcome.status = "timeout"
    elif not ended:
        outcome.status = "crashed"
    return outcome
