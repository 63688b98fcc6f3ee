"""
Runs against real servers that enforce limits: none is exceeded, and the permitted rate is used.

The small sizes always run, and only look out for gross waste, since a busy machine's pauses are
not the code's; `-m full` has every way of counting, many runs, faults by chance, and the figures.
"""

from __future__ import annotations

import gc
import hashlib
import random
import time
import weakref
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest

from dagorch import LLM, Context, Graph, Policy, Retry, RunError
from dagorch.errors import (
    MalformedReplyError,
    OverloadedError,
    ProviderConnectionError,
    ProviderTimeoutError,
    RateLimitedError,
)
from dagorch.models.limits import Limits
from dagorch.models.llm import LLMRequest
from dagorch.providers.http_client import Timeouts
from dagorch.providers.http_provider import OpenAIProvider
from dagorch.runner.loop_state import shared
from dagorch.testing import ScriptedProvider
from tests.limit_server import FAULTS, LimitedService
from tests.servers import ModelServer, answer, reply
from tests.unit.scheduler.services import SERVICES

QUICK = Timeouts(connect_seconds=5, first_byte_seconds=0.3, between_chunks_seconds=0.3)
PERSISTENT = Policy(
    retry=Retry(attempts=20, base_delay_seconds=0.05, multiplier=1.5, max_delay_seconds=3)
)
HI = [{"role": "user", "content": "Hello, who are you?"}]  # 5 tokens at the test's services
A_CALL = 25


def talk(nodes: int, policy: Policy = PERSISTENT, **options: Any) -> Graph:
    graph = Graph("talk")
    for number in range(nodes):
        graph.add(
            LLM(
                f"n{number}",
                prompt="Hello, who are you?",
                max_tokens=20,
                policy=policy,
                **options,
            )
        )
    return graph


def provider_of(server: ModelServer, limits: Limits | None, **options: Any) -> OpenAIProvider:
    return OpenAIProvider(server.url, name="limited", default_model="m", limits=limits, **options)


async def run_all(graph: Graph, runs: int, **options: Any) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(runs):
            group.start_soon(partial(graph.run, max_parallel=64, **options))


async def used_by(
    service: LimitedService, limits: Limits, runs: int, nodes: int, **options: Any
) -> float:
    """Run against a service, check that it refused nothing, and return the used share."""
    with ModelServer(service) as server:
        await run_all(talk(nodes), runs, provider=provider_of(server, limits, **options))
    assert service.refused == []
    return service.used()


# -- limits are used and not exceeded ------------------------------------------------------------


@pytest.mark.parametrize("runs", [1, 20])
async def test_requests(runs: int) -> None:
    service = LimitedService("sliding window", requests=20, window=0.3)
    limits = Limits(requests=20, window_seconds=0.3)
    assert await used_by(service, limits, runs, 60 // runs) > 0.2


async def test_tokens() -> None:
    service = LimitedService("token buckets", tokens=40 * A_CALL, window=0.3)
    limits = Limits(tokens=40 * A_CALL, window_seconds=0.3)
    assert await used_by(service, limits, 1, 120) > 0.2


async def test_limits_of_one_model() -> None:
    service = LimitedService("fixed windows", requests=10, window=0.2)
    limits = Limits(models={"m": Limits(requests=10, window_seconds=0.2)})
    assert await used_by(service, limits, 2, 20) > 0.2


async def test_concurrency() -> None:
    service = LimitedService(concurrency=4, first_byte=0.005)
    with ModelServer(service) as server:
        await run_all(talk(10), 5, provider=provider_of(server, Limits(concurrency=4)))
    assert service.refused == []
    assert service.peak == 4


async def test_two_hundred_runs_at_once() -> None:
    service = LimitedService("fixed windows", requests=100, window=1.0)
    limits = Limits(requests=100, window_seconds=1.0)
    assert await used_by(service, limits, 200, 1) > 0.2


@pytest.mark.full
@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("runs", [1, 200])
async def test_requests_in_full(kind: str, runs: int) -> None:
    service = LimitedService(kind, requests=50, window=1.0, first_byte=0.005, seed=runs)
    share = await used_by(service, Limits(requests=50, window_seconds=1.0), runs, 400 // runs)
    assert share >= 0.95


@pytest.mark.full
@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("runs", [1, 200])
async def test_tokens_in_full(kind: str, runs: int) -> None:
    service = LimitedService(kind, tokens=100 * A_CALL, window=2.0, first_byte=0.005, seed=runs)
    share = await used_by(
        service, Limits(tokens=100 * A_CALL, window_seconds=2.0), runs, 400 // runs
    )
    assert share >= 0.95


@pytest.mark.full
@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("runs", [1, 200])
async def test_with_faults_by_chance_in_full(kind: str, runs: int) -> None:
    chance = random.Random(runs)
    service = LimitedService(
        kind,
        requests=100,
        tokens=120 * A_CALL,
        window=2.0,
        fault=lambda: chance.choice(list(FAULTS)) if chance.random() < 0.1 else "",
    )
    limits = Limits(requests=100, tokens=120 * A_CALL, window_seconds=2.0)
    # About every hundredth reply asks for a pause of all, and other faults appear late.
    assert await used_by(service, limits, runs, 400 // runs, timeouts=QUICK) >= 0.9
    assert len(service.met) > 6


# -- others are not delayed -----------------------------------------------------------------------


async def test_another_service_is_not_delayed() -> None:
    """A node of another service waits neither for slots nor for the limited service's queue."""
    limited, free = LimitedService(requests=5, window=1.0), LimitedService(first_byte=0.005)
    graph = talk(15, PERSISTENT)
    for number in range(20):
        graph.add(LLM(f"other{number}", prompt="Hello", provider="free", max_tokens=1))
    with ModelServer(limited) as one, ModelServer(free) as other:
        providers = {
            "limited": provider_of(one, Limits(requests=5, window_seconds=1.0)),
            "free": OpenAIProvider(other.url, name="free", default_model="m"),
        }
        result = await graph.run(provider=providers, max_parallel=6)
    ends = [result.get(f"other{number}").ended_seconds for number in range(20)]
    starts = sorted(
        run.started_seconds or 0.0 for id, run in result.node_runs.items() if id[0] != "o"
    )
    assert limited.refused == []
    assert starts[10] > 2.0, "in the third window"
    assert max(ends) < starts[10]


# -- limits from replies -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
async def test_a_pause_in_seconds_holds_for_all_waiting_nodes(status: int) -> None:
    refusal = reply(status, {"error": {"message": "later"}}, retry_after="0.4")
    with ModelServer(refusal, answer()) as server:
        provider = provider_of(server, None)
        begin = time.monotonic()
        await run_all(talk(3), 1, provider=provider)
        assert time.monotonic() - begin > 0.4
        first = len(server.requests)
    assert first <= 3 + 3, "those that were under way with the refused one, and then each once"


async def test_no_call_starts_during_a_services_pause() -> None:
    refusal = reply(429, {"error": {"message": "later"}}, retry_after="0.5")
    with ModelServer(refusal, answer()) as server:
        graph = talk(6)
        provider = provider_of(server, None, max_concurrency=1)
        result = await graph.run(provider=provider)
        times = sorted(run.ended_seconds for run in result.node_runs.values())
        assert times[0] > 0.5
        assert len(server.requests) == 7


@pytest.mark.parametrize(
    "policy", [Policy(retry=Retry(max_delay_seconds=5)), Policy(timeout_seconds=5)]
)
async def test_a_pause_longer_than_a_node_would_wait_fails_it_at_once(policy: Policy) -> None:
    refusal = reply(429, {"error": {"message": "tomorrow"}}, retry_after="59")
    with ModelServer(refusal) as server:
        graph = talk(3, replace(policy, on_error="continue"))
        with pytest.raises(RunError) as caught:
            await graph.run(provider=provider_of(server, None), max_parallel=1)
        assert len(server.requests) == 3, "each hears it for itself"
    errors = [run.error for run in caught.value.partial_results.node_runs.values()]
    assert [type(error) for error in errors] == [RateLimitedError] * 3, "no timeout was reached"


async def test_a_pause_until_a_date() -> None:
    service = LimitedService(requests=2, window=0.3, says="date")
    with ModelServer(service) as server:
        await run_all(talk(4), 1, provider=provider_of(server, None))
    assert len(service.admitted) == 4
    assert len(service.refused) <= 2


async def test_limits_are_read_from_headers_if_none_are_configured() -> None:
    service = LimitedService("fixed windows", requests=10, window=1.0, says="headers")
    with ModelServer(service) as server:
        await run_all(talk(40), 1, provider=provider_of(server, None))
    assert len(service.admitted) == 40
    assert len(service.refused) <= 30, "only those of the first burst, before any headers arrived"


async def test_an_unknown_concurrency_limit_is_found_by_trial() -> None:
    service = LimitedService(concurrency=8, first_byte=0.02, says="nothing")
    with ModelServer(service) as server:
        await run_all(talk(20), 10, provider=provider_of(server, None))
    assert len(service.admitted) == 200
    assert service.peak == 8
    assert len(service.refused) < 300, "some 150 of the first burst; without a bound it is 600"


PERMITTED = Limits(requests=10, window_seconds=0.5)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"limits": PERMITTED}, {"limits": PERMITTED}),
        ({}, {"limits": PERMITTED}),
        ({"limits": PERMITTED}, {}),
    ],
)
async def test_objects_of_one_account_share_its_limits(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    service = LimitedService("sliding window", requests=10, window=0.5)
    with ModelServer(service) as server:
        objects = [
            OpenAIProvider(
                server.url, name="limited", api_key="sk-the-same", default_model="m", **options
            )
            for options in (first, second)
        ]
        for provider in objects:
            if provider.limits:  # so that the other object learns the limits
                await talk(1).run(provider=provider)
        async with anyio.create_task_group() as group:
            for provider in objects:
                group.start_soon(partial(talk(12).run, provider=provider))
    assert service.refused == []
    assert len(service.admitted) >= 25


async def test_a_new_object_counts_what_an_earlier_one_sent() -> None:
    service = LimitedService("sliding window", requests=10, window=0.5)
    with ModelServer(service) as server:
        for _ in range(3):
            async with provider_of(server, PERMITTED) as provider:
                await talk(7).run(provider=provider)
            del provider
            gc.collect()
    assert service.refused == []


@pytest.mark.parametrize(
    "other",
    [
        {"api_key": "sk-another"},
        {"name": "another"},
        {"base_url": "http://127.0.0.1:1/other"},
        {"limits": Limits(requests=5)},
    ],
)
async def test_other_accounts_have_limits_of_their_own(other: dict[str, Any]) -> None:
    common: dict[str, Any] = {
        "base_url": "http://127.0.0.1:1/v1",
        "name": "limited",
        "api_key": "sk-the-same",
        "default_model": "m",
        "limits": PERMITTED,
    }
    made = [OpenAIProvider(**common), OpenAIProvider(**common), OpenAIProvider(**common | other)]
    node = LLM("n", prompt="?")
    names = [
        shared().limits.resource_and_demand(provider, LLMRequest(()), node)[0].names
        for provider in made
    ]
    assert names[0] == names[1] != names[2]
    shown = f"{names} {made[0].account}"
    assert "sk-" not in shown
    assert hashlib.sha256(b"sk-the-same").hexdigest()[:12] not in shown


async def test_an_object_without_limits_keeps_its_own_bound_as_well() -> None:
    url, node = "http://127.0.0.1:1/v1", LLM("n", prompt="?")
    known: dict[str, Any] = {"name": "limited", "api_key": "sk-1", "default_model": "m"}
    wide = OpenAIProvider(url, limits=PERMITTED, **known)
    narrow = OpenAIProvider(url, max_concurrency=2, **known)
    common, _ = shared().limits.resource_and_demand(wide, LLMRequest(()), node)
    resource, demand = shared().limits.resource_and_demand(narrow, LLMRequest(()), node)
    assert resource.names[1:] == common.names
    admission = shared().admission
    held = [admission.acquire("run", [resource], demand=demand) for _ in range(3)]
    assert [bool(permit) for permit in held] == [True, True, False]
    assert admission.acquire("run", [common], demand=demand)


async def test_nothing_keeps_a_provider_alive() -> None:
    provider = ScriptedProvider("Yes.", limits=PERMITTED)
    await talk(1).run(provider=provider)
    gone = weakref.ref(provider)
    del provider
    gc.collect()
    assert gone() is None


async def test_calls_of_functions_are_admitted_like_nodes() -> None:
    service = LimitedService("sliding window", requests=10, window=0.4)

    async def ask(context: Context[None]) -> None:
        for _ in range(5):
            await context.acomplete(HI, max_tokens=20)

    graph = talk(10)
    for number in range(4):
        graph.function(ask, id=f"ask{number}")
    with ModelServer(service) as server:
        limits = Limits(requests=10, window_seconds=0.4)
        await run_all(graph, 1, provider=provider_of(server, limits))
    assert service.refused == []
    assert len(service.admitted) == 30


# -- faults --------------------------------------------------------------------------------------

ERRORS: dict[str, type[Exception]] = {
    "429": RateLimitedError,
    "429 with a pause": RateLimitedError,
    "500": OverloadedError,
    "503": OverloadedError,
    "closed before the answer": ProviderConnectionError,
    "closed in the head": ProviderConnectionError,
    "closed in the stream": ProviderConnectionError,
    "closed in an event": ProviderConnectionError,
    "an error in the stream": OverloadedError,
    "nonsense in the stream": MalformedReplyError,
    "no first byte": ProviderTimeoutError,
    "silent in the stream": ProviderTimeoutError,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_ends_in_its_error_or_in_a_retry_that_succeeds(fault: str) -> None:
    once = Policy(retry=Retry(attempts=1))
    with ModelServer(FAULTS[fault]) as server:
        with pytest.raises(RunError) as caught:
            await talk(1, once).run(provider=provider_of(server, None, timeouts=QUICK))
        assert type(caught.value.__cause__) is ERRORS[fault]
    again = Policy(retry=Retry(attempts=3, base_delay_seconds=0.01))
    with ModelServer(FAULTS[fault], answer()) as server:
        limits = Limits(requests=100, tokens=10_000)
        result = await talk(1, again).run(provider=provider_of(server, limits, timeouts=QUICK))
    assert result.get("n0").attempts == 2


# -- on virtual time -----------------------------------------------------------------------------


def test_a_limit_per_minute_takes_minutes(virtual: Any) -> None:
    provider = ScriptedProvider("ok", latency_seconds=1, limits=Limits(requests=10))
    result = virtual(partial(talk(35).run, provider=provider))
    # Ten at once, whose replies begin after a second; then ten every 61 s.
    assert result.duration_seconds == pytest.approx(3 * 61 + 1)
    assert provider.peak == 10


def test_limits_of_two_providers_are_independent(virtual: Any) -> None:
    slow = ScriptedProvider("s", name="slow", latency_seconds=1, limits=Limits(requests=1))
    quick = ScriptedProvider("q", name="quick", latency_seconds=1, limits=Limits(requests=60))
    graph = Graph("both")
    for number in range(3):
        graph.add(LLM(f"slow{number}", prompt="x", provider="slow", policy=Policy(priority=9)))
        graph.add(LLM(f"quick{number}", prompt="x", provider="quick"))
    result = virtual(partial(graph.run, provider={"slow": slow, "quick": quick}, max_parallel=2))
    assert [result.get(f"quick{n}").ended_seconds for n in range(3)] == [1.0, 2.0, 2.0]
    assert result.duration_seconds == pytest.approx(2 * 61 + 1)


def test_an_unmeasurable_provider_is_bounded_too(virtual: Any) -> None:
    """The provider cannot be weakly referenced or hashed, and has no limits."""

    class Own:
        __slots__ = ("inner",)
        __hash__ = None  # type: ignore[assignment]
        name, default_model, max_concurrency = "own", "m", 2

        def __init__(self) -> None:
            self.inner = ScriptedProvider("ok", latency_seconds=1)

        def worst_case_usd(self, request: Any) -> None:
            return None

        async def exchange(self, request: Any, on_text: Any) -> Any:
            return await self.inner.exchange(request, on_text)

    provider = Own()
    result = virtual(partial(talk(6).run, provider=provider))
    assert provider.inner.peak == 2
    assert result.duration_seconds == pytest.approx(3)
