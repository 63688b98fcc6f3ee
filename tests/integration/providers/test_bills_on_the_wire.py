"""A graph's bill against the log of a real server that answers, breaks off and refuses."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import pytest

from dagorch import LLM, Graph, Policy, Retry
from dagorch.errors import RunError
from dagorch.models.result import Result
from dagorch.providers import Timeouts
from tests.fake_services import FAKE_SERVICES, FakeService
from tests.servers import Connection, Handler, ModelServer, Request, hang_up, stream

PRICE = (Decimal("1000"), Decimal("4000"))
"""Dollars per million tokens: a thousandth and four thousandths a token."""
NODES = 30
TRIES = Retry(attempts=6, base_delay_seconds=0.001)


class Books:
    """A service that writes down what it would bill, whatever gets through to the client."""

    def __init__(self, service: FakeService, chance: random.Random) -> None:
        self.given = self.written = 0
        self.lost = 0
        self.met: Counter[str] = Counter()
        self._service = service
        self._chance = chance

    async def __call__(self, request: Request, connection: Connection) -> None:
        name, play = self._drawn()
        self.met[name] += 1
        await play(request, connection)

    def _drawn(self) -> tuple[str, Handler]:
        service, chance = self._service, self._chance
        given, written = chance.randint(1, 9), chance.randint(1, 8)
        luck = chance.random()
        if luck < 0.15:
            return "busy", service.fails(503, "busy", retry_after="0.001")
        if luck < 0.25:
            return "too many", service.fails(429, "rate", retry_after="0.001")
        self.given += given
        self.written += written
        if luck < 0.6:
            return "whole", service.answers("a few words", given, written)
        self.lost += 1
        if luck < 0.7:
            return "hung up", hang_up
        if luck < 0.8:
            return "cut", stream(*service.half(), done=False, cut=True)
        if luck < 0.9:
            failure = service.error_body(500, "broken", "in the middle")
            return "broke", stream(*service.half(), failure, done=False)
        return "silent", stream(*service.half(), done=False, hold=True)

    @property
    def cost(self) -> Decimal:
        return (self.given * PRICE[0] + self.written * PRICE[1]) / 1_000_000


async def run(books: Books, service: FakeService, **options: object) -> Result:
    graph = Graph("asking")
    policy = Policy(retry=TRIES, on_error="continue")
    for place in range(NODES):
        graph.add(LLM(f"n{place}", prompt="Say a few words", max_tokens=8, policy=policy))
    with ModelServer(books) as server:
        async with service.provider(
            server,
            prices={service.model: PRICE},
            timeouts=Timeouts(between_chunks_seconds=0.05),
        ) as provider:
            try:
                return await graph.run(provider=provider, max_parallel=6, seed=1, **options)
            except RunError as error:
                partial: Result = error.partial_results
                return partial


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_the_bill_is_never_below_what_the_server_counted(service: FakeService) -> None:
    books = Books(service, random.Random(11))
    result = await run(books, service)
    usage = result.usage
    assert len(books.met) == 7, "every way to answer was met"
    assert usage.estimated
    assert usage.input_tokens >= books.given
    assert usage.output_tokens >= books.written
    assert usage.cost_usd >= books.cost
    bills = [bill.usage for node_run in result.node_runs.values() for bill in node_run.bills]
    exact = [bill for bill in bills if bill.cost_usd and not bill.estimated]
    assert len(exact) == books.met["whole"]
    assert len([bill for bill in bills if not bill.cost_usd]) == (
        books.met["busy"] + books.met["too many"]
    )
    assert len(bills) == usage.calls


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_with_complete_usage_the_bill_equals_the_servers(service: FakeService) -> None:
    class Honest(Books):
        def _drawn(self) -> tuple[str, Handler]:
            while True:
                before = self.given, self.written, self.lost
                name, play = super()._drawn()
                if self.lost == before[2]:
                    return name, play
                self.given, self.written, self.lost = before

    books = Honest(service, random.Random(5))
    usage = (await run(books, service)).usage
    assert (usage.input_tokens, usage.output_tokens) == (books.given, books.written)
    assert (usage.cost_usd, usage.estimated) == (books.cost, False)


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_a_ceiling_holds_by_the_servers_own_log(service: FakeService) -> None:
    books = Books(service, random.Random(7))
    ceiling = Decimal("1.5")
    usage = (await run(books, service, max_cost=ceiling)).usage
    assert 0 < books.cost <= usage.cost_usd <= ceiling
    assert sum(books.met.values()) < NODES, "it did stop the run"
