"""
Runs against a service with any fault: they end, are billed enough, and leave nothing open.

About 150 calls per dialect and event loop by default; `-m full` makes 10,000 on each loop.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from dagorch import LLM, Context, Graph, Policy, Retry
from dagorch.errors import DagorchError, DagorchWarning, InvariantError, ProviderError, RunError
from dagorch.exporters import Recorder
from dagorch.models.events import Event
from dagorch.models.result import Result
from dagorch.providers import Timeouts, http_reply
from dagorch.runner.cancellation import single_error
from dagorch.runner.loop_state import shared
from tests.chaos_server import ChaosService
from tests.fake_services import FAKE_SERVICES, FakeService
from tests.servers import ModelServer

pytestmark = pytest.mark.anyio

QUICK = Timeouts(
    connect_seconds=5, first_byte_seconds=0.3, between_chunks_seconds=0.3, total_seconds=2
)
RUN_SECONDS = 5.0
HANG_SECONDS = 120.0
"""After this a run hangs; a busy machine may take long."""
RUNS_AT_ONCE = 8


async def look(key: str = "") -> str:
    """Look something up."""
    return "found"


async def asks(context: Context[None]) -> Any:
    messages = [{"role": "user", "content": "Say a few words"}]
    return await context.acomplete(messages, max_tokens=50)


KINDS: dict[str, dict[str, Any]] = {
    "json": {"output": dict[str, int]},
    "choices": {"choices": ["yes", "no"]},
    "tools": {"tools": [look]},
}


@dataclass
class World:
    """The service, and what its runs have done so far."""

    service: FakeService
    seed: int
    calls: int = 0
    runs: int = 0
    ends: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.models = self.service.model, f"{self.service.model}-b"
        self.prices = {
            self.models[0]: (Decimal(1000), Decimal(4000)),
            self.models[1]: (Decimal(500), Decimal(9000)),
        }
        self.chaos = ChaosService(self.service, self.prices, self.seed)

    def graph(self, name: str) -> Graph:
        """Return a few nodes of any kind and policy, some of which wait for the one before."""
        chance, graph = self.chance, Graph(name)
        before: list[Any] = []
        for number in range(chance.randint(1, 6)):
            kind = chance.choice(("text", "text", "json", "choices", "tools", "function"))
            after = before if chance.random() < 0.4 else []
            retry = Retry(
                attempts=chance.randint(1, 4), base_delay_seconds=0.01, max_delay_seconds=0.05
            )
            policy: dict[str, Any] = {
                "retry": retry,
                "timeout_seconds": chance.choice((None, None, 0.5)),
                "fallback_models": chance.choice(((), (self.models[1],))),
            }
            if kind == "text" and chance.random() < 0.3:
                policy["fallback"] = "none"
            else:
                policy["on_error"] = chance.choice(("fail", "continue", "continue"))
            if kind == "function":
                before = [
                    graph.function(asks, id=f"n{number}", policy=Policy(**policy), after=after)
                ]
                continue
            policy["hedge_after"] = chance.choice((None, None, 0.05))
            node: LLM[Any] = LLM(
                f"n{number}",
                prompt=f"Say a few words 🐝 {number}",
                max_tokens=chance.choice((1, 8, 300)),
                policy=Policy(**policy),
                **KINDS.get(kind, {}),
            )
            before = [graph.add(node, after=after)]
        return graph

    async def run(self, url: str, number: int) -> None:
        """Make one run, and check all that it promises."""
        key = f"sk-CHAOS-{self.seed}-{number}-0123456789abcdef"
        options: dict[str, Any] = self.chance.choice(
            (
                {},
                {"max_cost": 1},
                {"max_cost": 6, "on_budget": "finish"},
                {"max_tokens": 6_000},
            )
        )
        graph = self.graph(f"chaos{number}")
        events: list[Event] = []
        recorder = Recorder()
        failure: RunError | None = None
        provider = self.service.provider(url, api_key=key, timeouts=QUICK, prices=self.prices)
        async with provider:
            with anyio.fail_after(HANG_SECONDS):
                try:
                    result: Result = await graph.run(
                        provider=provider, timeout_seconds=RUN_SECONDS, max_parallel=8,
                        on_event=[events.append, recorder], seed=number, **options,
                    )  # fmt: skip
                except RunError as error:
                    failure, result = error, error.partial_results
        self.runs += 1
        end = type(failure).__name__ if failure else result.status
        self.ends[end] = self.ends.get(end, 0) + 1
        assert not isinstance(failure, InvariantError), failure
        usage, received = result.usage, self.chaos.received[key]
        self.calls += received
        lost = self.chaos.lost[key]
        if options.get("max_cost") or options.get("max_tokens"):
            assert usage.calls >= received, f"{received} requests, {usage.calls} on the bill"
            lost = Decimal(0)  # nothing is sent twice under a ceiling
        assert usage.cost_usd >= self.chaos.billed[key] - lost, "billed less than the service does"
        bills = [bill for node_run in result.node_runs.values() for bill in node_run.bills]
        assert sum((bill.usage.cost_usd for bill in bills), Decimal(0)) == usage.cost_usd
        ceiling = options.get("max_cost")
        assert ceiling is None or usage.cost_usd <= ceiling
        assert "max_tokens" not in options or usage.total_tokens <= options["max_tokens"]
        for error in (failure, *(node_run.error for node_run in result.node_runs.values())):
            while error is not None:
                if not isinstance(error, DagorchError | TimeoutError):
                    raise AssertionError("an error of another tree") from error
                assert key not in "".join(traceback.format_exception(error))
                error = (
                    error.__cause__
                    if isinstance(error, RunError) and not isinstance(error, ProviderError)
                    else None
                )
        shown = [repr(result.values), repr(result.node_runs), str(list(map(repr, events)))]
        shown.append(json.dumps([event.data for event in events], default=repr, allow_nan=False))
        for text in shown:
            place = text.find(key)
            assert place < 0, text[max(0, place - 200) : place + 100]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


async def chaos(service: FakeService, seed: int, calls: int, backend: str) -> World:
    """Make runs until the service has received so many requests."""
    with ModelServer(service.answers()) as server:  # opens what stays open, such as threads
        async with service.provider(server) as provider:
            await provider.acomplete([{"role": "user", "content": "Hi"}])
    gc.collect()  # what earlier tests have left
    files, threads, tasks = open_files(), threading.active_count(), living_tasks(backend)
    world = World(service, seed)
    with ModelServer(world.chaos) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", DagorchWarning)
        number = 0
        while world.calls < calls:
            try:
                async with anyio.create_task_group() as group:
                    for _ in range(RUNS_AT_ONCE):
                        number += 1
                        group.start_soon(world.run, server.url, number)
            except BaseExceptionGroup as several:
                raise single_error(several) from None
            server.wait_until(lambda server: server.open == 0)
            assert shared().count == 0
            assert shared().admission.at_rest
            assert living_tasks(backend) == tasks
    gc.collect()
    assert open_files() == files
    assert threading.active_count() <= threads + RUNS_AT_ONCE
    return world


def living_tasks(backend: str) -> int:
    if backend == "trio":
        import trio

        return trio.lowlevel.current_statistics().tasks_living
    import asyncio

    return len(asyncio.all_tasks())


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_every_run_ends_is_billed_enough_and_leaves_nothing_open(
    service: FakeService, anyio_backend_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_reply, "MAX_REPLY_BYTES", 1_000_000)
    world = await chaos(service, 1, 150, anyio_backend_name)
    assert world.calls >= 150


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_ten_thousand_calls(
    service: FakeService,
    seed: int,
    anyio_backend_name: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    monkeypatch.setattr(http_reply, "MAX_REPLY_BYTES", 1_000_000)
    world = await chaos(service, seed, 340, anyio_backend_name)
    record_property("runs", world.runs)
    record_property("calls", world.calls)
    record_property("ends", world.ends)
