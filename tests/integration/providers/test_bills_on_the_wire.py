"""A graph's bill, compared with the log of a real server that answers, breaks off and refuses."""

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


class BilledService:
    """A service that records what it would bill, even if the client does not receive it."""

    def __init__(self, service: FakeService, rng: random.Random) -> None:
        self.input_tokens = self.output_tokens = 0
        self.lost = 0
        self.outcomes: Counter[str] = Counter()
        self._service = service
        self._rng = rng

    async def __call__(self, request: Request, connection: Connection) -> None:
        name, handler = self._draw()
        self.outcomes[name] += 1
        await handler(request, connection)

    def _draw(self) -> tuple[str, Handler]:
        service, rng = self._service, self._rng
        input_tokens, output_tokens = rng.randint(1, 9), rng.randint(1, 8)
        roll = rng.random()
        if roll < 0.15:
            return "busy", service.fails(503, "busy", retry_after="0.001")
        if roll < 0.25:
            return "too many", service.fails(429, "rate", retry_after="0.001")
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        if roll < 0.6:
            return "whole", service.answers("a few words", input_tokens, output_tokens)
        self.lost += 1
        if roll < 0.7:
            return "hung up", hang_up
        if roll < 0.8:
            return "cut", stream(*service.half(), done=False, cut=True)
        if roll < 0.9:
            failure = service.error_body(500, "broken", "in the middle")
            return "broke", stream(*service.half(), failure, done=False)
        return "silent", stream(*service.half(), done=False, hold=True)

    @property
    def cost(self) -> Decimal:
        return (self.input_tokens * PRICE[0] + self.output_tokens * PRICE[1]) / 1_000_000


async def run(server_log: BilledService, service: FakeService, **options: object) -> Result:
    graph = Graph("asking")
    policy = Policy(retry=TRIES, on_error="continue")
    for place in range(NODES):
        graph.add(LLM(f"n{place}", prompt="Say a few words", max_tokens=8, policy=policy))
    with ModelServer(server_log) as server:
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
    server_log = BilledService(service, random.Random(11))
    result = await run(server_log, service)
    usage = result.usage
    assert len(server_log.outcomes) == 7, "every outcome occurred"
    assert usage.estimated
    assert usage.input_tokens >= server_log.input_tokens
    assert usage.output_tokens >= server_log.output_tokens
    assert usage.cost_usd >= server_log.cost
    bills = [bill.usage for node_run in result.node_runs.values() for bill in node_run.bills]
    exact = [bill for bill in bills if bill.cost_usd and not bill.estimated]
    assert len(exact) == server_log.outcomes["whole"]
    assert len([bill for bill in bills if not bill.cost_usd]) == (
        server_log.outcomes["busy"] + server_log.outcomes["too many"]
    )
    assert len(bills) == usage.calls


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_with_complete_usage_the_bill_equals_the_servers(service: FakeService) -> None:
    class Honest(BilledService):
        def _draw(self) -> tuple[str, Handler]:
            while True:
                before = self.input_tokens, self.output_tokens, self.lost
                name, handler = super()._draw()
                if self.lost == before[2]:
                    return name, handler
                self.input_tokens, self.output_tokens, self.lost = before

    server_log = Honest(service, random.Random(5))
    usage = (await run(server_log, service)).usage
    assert (usage.input_tokens, usage.output_tokens) == (
        server_log.input_tokens,
        server_log.output_tokens,
    )
    assert (usage.cost_usd, usage.estimated) == (server_log.cost, False)


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_a_ceiling_holds_by_the_servers_own_log(service: FakeService) -> None:
    server_log = BilledService(service, random.Random(7))
    ceiling = Decimal("1.2")
    usage = (await run(server_log, service, max_cost=ceiling)).usage
    assert 0 < server_log.cost <= usage.cost_usd <= ceiling
    assert sum(server_log.outcomes.values()) < NODES, "it did stop the run"
