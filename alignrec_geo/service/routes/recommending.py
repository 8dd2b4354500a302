"""Items for users, for baskets, and like items: exactly what :class:`~alignrec_geo.serving.TopItems` answers."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from alignrec_geo.service.answers import BasketAnswer, SimilarAnswer, UserAnswer, UsersAnswer, answer, listed
from alignrec_geo.service.problems import documented
from alignrec_geo.service.questions import (
    ForBasket,
    ForOneUser,
    ForUsers,
    LikeItem,
    LikeItemAmong,
    body_of,
    parameters_of,
    read_body,
    read_query,
)
from alignrec_geo.service.service import Service
from alignrec_geo.service.together import Kind, Together
from alignrec_geo.serving.asked import asked_count
from alignrec_geo.serving.request import POLICIES

RULES = ("only_items", "without_items", "where", "exclude")


def recommending(service: Service) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1", tags=["recommend"], responses=documented(404, 413, 422, 503))
    together = Together(service.jobs, service.cost)

    @router.get("/recommend", response_model=UserAnswer, openapi_extra=parameters_of(ForOneUser))
    async def for_one_user(request: Request) -> Response:
        """The best items for a user, those that the user has interacted with left out."""
        asked, run = read_query(request, ForOneUser), service.run
        k = service.most(asked.k)
        if asked.where is None and run.knows(asked.user) and asked.unknown in POLICIES:
            kind = Kind(run, asked_count(k), asked.include_cold, asked.seen)
            return answer({"user": asked.user, "items": listed(await together.ask(kind, asked.user)), "notes": []})

        def work() -> Any:
            return run.top.recommend(
                asked.user, k, asked.unknown, asked.include_cold, where=asked.where, seen=asked.seen
            )

        found = await service.jobs.run(work, service.cost(run, 1, where=asked.where))
        items = found.get(asked.user, [])
        return answer({"user": asked.user, "items": listed(items), "notes": list(found.notes)})

    @router.post("/recommend", response_model=UsersAnswer, openapi_extra=body_of(ForUsers))
    async def for_users(request: Request) -> Response:
        """The best items for several users, with rules that take lists."""
        asked, run = await read_body(request, ForUsers), service.run
        k = service.most(asked.k)
        service.within(len(asked.users), service.settings.max_users, "the number of users", "max_users")
        rules = _rules(service, asked, "only_items", "without_items", "where", "seen", "exclude")

        def work() -> Any:
            return run.top.recommend(asked.users, k, asked.unknown, asked.include_cold, **rules)

        found = await service.jobs.run(work, service.cost(run, len(asked.users), **_lasting(rules)))
        users = {str(user): listed(items) for user, items in found.items()}
        left_out = [str(user) for user in dict.fromkeys(asked.users) if str(user) not in users]
        return answer({"users": users, "left_out": left_out, "notes": list(found.notes)})

    @router.post("/basket", response_model=BasketAnswer, openapi_extra=body_of(ForBasket))
    async def for_basket(request: Request) -> Response:
        """The best items for a user of whom only some items are known."""
        asked, run = await read_body(request, ForBasket), service.run
        k = service.most(asked.k)
        service.within(len(asked.items), service.settings.max_users, "the number of items", "max_users")
        rules = _rules(service, asked, "only_items", "without_items", "where", "seen")
        found = await service.jobs.run(
            lambda: run.top.recommend_for_items(asked.items, k, asked.include_cold, **rules),
        )
        basket = list(map(str, asked.items))
        return answer({"basket": basket, "items": listed(found), "notes": list(found.notes)})

    @router.get("/similar", response_model=SimilarAnswer, openapi_extra=parameters_of(LikeItem))
    async def like_item(request: Request) -> Response:
        """The items whose vectors have the largest cosine with an item's."""
        asked, run = read_query(request, LikeItem), service.run
        k = service.most(asked.k)
        found = await service.jobs.run(
            lambda: run.top.similar(asked.item, k, asked.include_cold, where=asked.where),
            service.cost(run, 1, where=asked.where),
        )
        return answer({"item": asked.item, "similar": listed(found), "notes": list(found.notes)})

    @router.post("/similar", response_model=SimilarAnswer, openapi_extra=body_of(LikeItemAmong))
    async def like_item_among(request: Request) -> Response:
        """The same, with rules that take lists."""
        asked, run = await read_body(request, LikeItemAmong), service.run
        k = service.most(asked.k)
        rules = _rules(service, asked, "only_items", "without_items", "where")
        found = await service.jobs.run(
            lambda: run.top.similar(asked.item, k, asked.include_cold, **rules),
            service.cost(run, 1, **_lasting(rules)),
        )
        return answer({"item": str(asked.item), "similar": listed(found), "notes": list(found.notes)})

    return router


def _rules(service: Service, asked: Any, *names: str) -> dict[str, Any]:
    """The rules of a question, their lists no longer than may be."""
    rules = {name: getattr(asked, name) for name in names}
    for name in ("only_items", "without_items"):
        service.within(len(rules.get(name) or ()), service.settings.max_ids, f"the number of {name}", "max_ids")
    pairs = sum(map(len, (rules.get("exclude") or {}).values()))
    service.within(pairs, service.settings.max_ids, "the number of pairs in exclude", "max_ids")
    return rules


def _lasting(rules: dict[str, Any]) -> dict[str, Any]:
    return {name: rules.get(name) for name in RULES}
