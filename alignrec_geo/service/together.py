"""Requests that come at the same time are ranked together: the items come from memory once for all of them."""

import asyncio
from typing import Any, NamedTuple

from alignrec_geo.kernels.numpy_topk import ALIKE
from alignrec_geo.service.jobs import Jobs
from alignrec_geo.service.opened import OpenRun
from alignrec_geo.serving.results import Recommendation


class Kind(NamedTuple):
    """What requests must have in common."""

    run: OpenRun
    k: int
    include_cold: bool
    seen: str


class Together:
    """Ranks for the users of all requests that wait, up to :data:`~alignrec_geo.kernels.numpy_topk.ALIKE` at a time.

    So many users get the same answers together as alone, to the last bit. A request that comes alone is answered at
    once: nobody waits for others.

    Args:
        jobs: where the work is done.
        cost: multiplications of one user, by run.
    """

    def __init__(self, jobs: Jobs, cost: Any) -> None:
        self._jobs, self._cost = jobs, cost
        self._waiting: dict[Kind, list[tuple[str, asyncio.Future[list[Recommendation]]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, kind: Kind, user: str) -> list[Recommendation]:
        """Return the items of a user who is known, or of one for whom ranking raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Recommendation]] = loop.create_future()
        waiting = self._waiting.setdefault(kind, [])
        waiting.append((user, answer))
        if len(waiting) == 1:
            loop.call_soon(self._begin, loop)  # after all that has arrived by now
        return await answer

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, {}
        for kind, all_of_them in waiting.items():
            for first in range(0, len(all_of_them), ALIKE):
                task = loop.create_task(self._rank(kind, all_of_them[first : first + ALIKE]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _rank(self, kind: Kind, some: list[tuple[str, "asyncio.Future[list[Recommendation]]"]]) -> None:
        users = list(dict.fromkeys(user for user, answer in some if not answer.cancelled()))
        if not users:
            return
        try:
            found = await self._jobs.run(
                lambda: kind.run.top.recommend(users, kind.k, "error", kind.include_cold, seen=kind.seen),
                self._cost(kind.run, len(users)),
            )
        except Exception as error:
            for _, answer in some:
                if not answer.done():
                    answer.set_exception(error)
            return
        for user, answer in some:
            if not answer.done():
                answer.set_result(found[user])
