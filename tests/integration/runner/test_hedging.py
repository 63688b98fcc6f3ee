"""Hedged attempts through the runner, on virtual time and both event loops."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import pytest

from dagorch import LLM, Graph, Policy, RunError
from dagorch.models.events import Event, EventType
from dagorch.models.limits import Limits
from dagorch.models.llm import LLMRequest, Message
from dagorch.models.result import Result
from dagorch.providers import OpenAIProvider
from dagorch.testing import ScriptedProvider
from tests.servers import Handler, ModelServer, answer, delta, silent, stream


class Uneven(ScriptedProvider):
    """Takes the next of these latencies for each call; the answer has the call's number."""

    def __init__(self, *seconds: float, **options: Any) -> None:
        self._seconds = list(seconds)
        super().__init__(self._say, latency_seconds=self._wait, **options)
        self.stopped = 0

    def _say(self, request: LLMRequest) -> str:
        return f"answer {len(self.requests)}"

    def _wait(self, request: LLMRequest) -> float:
        return self._seconds.pop(0)

    async def exchange(self, request: LLMRequest, on_text: Any) -> Any:
        ended = False
        try:
            answer = await super().exchange(request, on_text)
            ended = True
            return answer
        finally:
            self.stopped += not ended


def asking(hedge_after: Any = 2.0, **options: Any) -> Graph:
    graph = Graph("hedged")
    policy = Policy(hedge_after=hedge_after)
    graph.add(LLM("ask", prompt="?", max_tokens=10, policy=policy, **options))
    return graph


def test_the_hedge_wins_and_both_are_billed(virtual: Any) -> None:
    provider = Uneven(60.0, 3.0, price_per_token=Decimal("0.001"))

    async def run() -> Result:
        return await asking().run(provider=provider)

    result = virtual(run)
    assert result.output == "answer 2"
    assert result.duration_seconds == pytest.approx(5.0)
    assert provider.stopped == 1
    assert provider.active == 0
    ask = result.get("ask")
    assert ask.attempts == 1
    assert [(bill.attempt, bill.usage.estimated) for bill in ask.bills] == [(1, False), (1, True)]
    assert ask.bills[1].usage.cost_usd == provider.worst_case_usd(provider.requests[0])
    assert result.usage.calls == 2


def test_the_first_wins_and_the_hedge_is_stopped(virtual: Any) -> None:
    provider = Uneven(3.0, 60.0)

    async def run() -> Result:
        return await asking().run(provider=provider)

    result = virtual(run)
    assert result.output == "answer 1"
    assert result.duration_seconds == pytest.approx(3.0)
    assert provider.stopped == 1


def test_other_nodes_continue_when_a_losing_attempt_is_stopped(virtual: Any) -> None:
    """Stopping a loser stops its worker, not the run: see `Plan.cancels_as_unit`."""
    graph = asking()
    graph.add(LLM("other", prompt="?"))
    assert not graph.compile().cancels_as_unit
    provider = Uneven(60.0, 20.0, 3.0)

    async def run() -> Result:
        return await graph.run(provider=provider)

    result = virtual(run)
    assert result.get("ask").end == result.get("other").end == "completed"
    assert result.duration_seconds == pytest.approx(20.0)


def test_an_llm_with_tools_hedges_its_calls(virtual: Any) -> None:
    def look(what: str) -> str:
        """Look something up."""
        return what

    graph = asking(tools=[look])
    provider = Uneven(60.0, 3.0)

    async def run() -> Result:
        return await graph.run(provider=provider)

    result = virtual(run)
    assert result.output == "answer 2"
    assert result.usage.calls == 2


def test_p95_of_one_run_serves_the_next(virtual: Any) -> None:
    many = Graph("many")
    for number in range(25):
        many.add(LLM(f"n{number}", prompt="?", policy=Policy(hedge_after="p95")))
    provider = Uneven(*(1.0,) * 20, *(0.9,) * 5, 60.0, 2.5)

    async def run() -> tuple[Result, Result]:
        first = await many.run(provider=provider, max_parallel=5)
        return first, await asking("p95").run(provider=provider)

    first, second = virtual(run)
    assert first.usage.calls == 25
    assert second.usage.calls == 2
    assert second.duration_seconds == pytest.approx(3.5)


@pytest.mark.parametrize(("times", "seconds"), [("1.5", 60.0), ("2.5", 5.0)])
def test_hedging_never_exceeds_a_ceiling(virtual: Any, times: str, seconds: float) -> None:
    provider = Uneven(60.0, 3.0, price_per_token=Decimal("0.001"))
    worst = provider.worst_case_usd(LLMRequest((Message("user", "?"),), max_tokens=10))
    assert worst is not None

    async def run() -> Result:
        return await asking().run(provider=provider, max_cost=worst * Decimal(times))

    result = virtual(run)
    assert result.duration_seconds == pytest.approx(seconds)
    assert result.usage.cost_usd <= worst * Decimal(times)


def test_hedging_never_exceeds_a_rate(virtual: Any) -> None:
    provider = Uneven(30.0, 3.0, limits=Limits(requests=1, window_seconds=20))

    async def run() -> Result:
        return await asking().run(provider=provider)

    result = virtual(run)
    assert result.usage.calls == 1
    assert result.duration_seconds == pytest.approx(30.0)


def test_a_run_cancelled_during_a_hedge_leaves_nothing_running(virtual: Any) -> None:
    provider = Uneven(60.0, 60.0)

    async def run() -> None:
        async with asking().start(provider=provider) as handle:
            await anyio.sleep(10)
            assert provider.active == 2
            handle.cancel("enough")

    with pytest.raises(RunError, match="enough"):
        virtual(run)
    assert provider.active == 0
    assert provider.stopped == 2


def test_listeners_receive_the_hedge(virtual: Any) -> None:
    events: list[Event] = []

    async def run() -> Result:
        return await asking().run(provider=Uneven(60.0, 3.0), on_event=events.append)

    virtual(run)
    kinds = [event.type for event in events if event.path == "ask"]
    assert kinds == [
        EventType.NODE_READY,
        EventType.NODE_STARTED,
        EventType.NODE_HEDGED,
        EventType.NODE_TOKENS,
        EventType.EXCHANGE_ENDED,
        EventType.EXCHANGE_ENDED,
        EventType.NODE_COMPLETED,
    ]
    ended = [e.data for e in events if e.type is EventType.EXCHANGE_ENDED]
    assert [(data["began_seconds"], "finish_reason" in data) for data in ended] == [
        (pytest.approx(2.0), True),
        (0.0, False),
    ]
    assert [e.data["text"] for e in events if e.type is EventType.NODE_TOKENS] == ["answer 2"]


@pytest.mark.parametrize("stuck", [silent, stream(delta("I "), hold=True)], ids=["head", "text"])
async def test_a_connection_that_is_stuck_is_closed_and_billed_at_its_worst(stuck: Handler) -> None:
    graph = asking(0.1)
    with ModelServer(stuck, answer("By the sun.", input_tokens=5, output_tokens=3)) as server:
        provider = OpenAIProvider(
            server.url, name="stuck", default_model="m", prices={"m": (1_000_000, 1_000_000)}
        )
        async with provider:
            result = await graph.run(provider=provider, max_cost=10_000)
            server.wait_until(lambda at: at.open == 1)
    assert result.output == "By the sun."
    won, lost = (bill.usage for bill in result.get("ask").bills)
    assert (won.cost_usd, won.estimated) == (8, False)
    assert lost.estimated
    assert lost.output_tokens == 10
    assert lost.input_tokens >= won.input_tokens
