"""How a handler is called, and its arguments."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from dagorch import (
    AgentResult,
    IterativeOrchestrator,
    RunError,
    SequentialOrchestrator,
    TaskStatus,
)
from tests.conformance.doubles import HI, once, talking


def plain(step: str, context: dict[str, Any]) -> Any:
    return (step, context)


async def coroutine(step: str, context: dict[str, Any]) -> Any:
    await anyio.lowlevel.checkpoint()
    return (step, context)


class Things:
    def method(self, step: str, context: dict[str, Any]) -> Any:
        return (step, context)

    async def async_method(self, step: str, context: dict[str, Any]) -> Any:
        return (step, context)

    def __call__(self, step: str, context: dict[str, Any]) -> Any:
        return (step, context)


class AsyncThing:
    async def __call__(self, step: str, context: dict[str, Any]) -> Any:
        return (step, context)


async def with_more(more: int, step: str, context: dict[str, Any]) -> Any:
    return (step, context)


def optional_context(step: str, context: dict[str, Any] | None = None) -> Any:
    return (step, context)


BOTH: dict[str, Callable[..., Any]] = {
    "function": plain,
    "coroutine function": coroutine,
    "lambda": lambda step, context: (step, context),
    "lambda around a coroutine": lambda step, context: coroutine(step, context),
    "method": Things().method,
    "async method": Things().async_method,
    "object": Things(),
    "async object": AsyncThing(),
    "partial": functools.partial(with_more, 1),
    "anything": lambda *arguments: arguments,
    "context by default": optional_context,
}
CONTEXT_ONLY: dict[str, Callable[..., Any]] = {
    "lambda": lambda context: context,
    "lambda around a coroutine": lambda ctx: anyio_value(ctx),
    "bound early": lambda context, limit=3: context,
    "partial": functools.partial(plain, "step"),
}


async def anyio_value(value: Any) -> Any:
    await anyio.lowlevel.checkpoint()
    return value


async def call_handler(handler: Callable[..., Any], step: str = "second") -> Any:
    o = SequentialOrchestrator(
        once(steps=["first", "second"]), talking("yes"), step_handlers={step: handler}
    )
    return (await o.execute_workflow("Why?", {"mine": 1})).agent_results[-1].content


@pytest.mark.parametrize("handler", BOTH.values(), ids=BOTH)
async def test_a_handler_gets_step_and_context(handler: Callable[..., Any]) -> None:
    step, context = await call_handler(handler)
    assert step == "second"
    assert context == {"mine": 1, "task": "Why?", "results": {"first": "yes"}}


@pytest.mark.parametrize("handler", CONTEXT_ONLY.values(), ids=CONTEXT_ONLY)
async def test_a_handler_with_one_parameter_gets_the_context(handler: Callable[..., Any]) -> None:
    found = await call_handler(handler)
    context = found[1] if isinstance(found, tuple) else found
    assert context == {"mine": 1, "task": "Why?", "results": {"first": "yes"}}


async def test_each_handler_gets_its_own_context() -> None:
    def spoil(step: str, context: dict[str, Any]) -> str:
        context["results"]["made up"] = 1
        context["mine"] = context["task"] = "spoilt"
        return step

    seen: list[dict[str, Any]] = []
    mine = {"mine": 1, "task": "not this one"}
    o = SequentialOrchestrator(
        once(steps=["a", "b", "c"]),
        step_handlers={"a": spoil, "b": spoil, "c": lambda context: seen.append(context)},
    )
    await o.execute_workflow("Why?", mine)
    assert seen == [{"mine": 1, "task": "Why?", "results": {"a": "a", "b": "b"}}]
    assert mine == {"mine": 1, "task": "not this one"}


async def test_a_sync_handler_does_not_block_the_event_loop() -> None:
    loop_ran = threading.Event()

    def blocking(step: str, context: dict[str, Any]) -> str:
        assert loop_ran.wait(20), "the event loop was blocked"
        return threading.current_thread().name

    began = anyio.Event()

    async def meanwhile() -> None:
        await began.wait()
        loop_ran.set()

    async def first(context: dict[str, Any]) -> None:
        began.set()

    o = SequentialOrchestrator(
        once(steps=["first", "second"]), step_handlers={"first": first, "second": blocking}
    )
    async with anyio.create_task_group() as group:
        group.start_soon(meanwhile)
        result = await o.execute_workflow("Why?")
    assert result.result != threading.current_thread().name


@pytest.mark.parametrize("how", ["sync", "async", "lambda"])
async def test_provider_calls_of_a_handler_are_metered(how: str) -> None:
    provider = talking("one two three", price_per_token=0.01)

    def sync(step: str, context: dict[str, Any]) -> str:
        return o.provider.complete(HI).content

    async def of_async(step: str, context: dict[str, Any]) -> str:
        return (await o.provider.acomplete(HI)).content

    handler: Any = {"sync": sync, "async": of_async, "lambda": lambda s, c: of_async(s, c)}[how]
    o = SequentialOrchestrator(once(steps=["a"]), provider, step_handlers={"a": handler})
    result = await o.execute_workflow("Why?")
    assert result.result == "one two three"
    assert result.total_cost == pytest.approx(0.04)
    assert result.agent_results[0].tokens_used == 4


@pytest.mark.parametrize("pattern", [SequentialOrchestrator, IterativeOrchestrator])
async def test_a_handler_may_return_an_agent_result(pattern: Any) -> None:
    own = AgentResult("mine", "A text", tokens_used=9, cost=0.5)
    o = pattern(once(steps=["a"]), step_handlers={"a": lambda context: own})
    result = await o.execute_workflow("Why?")
    agent = result.agent_results[0]
    assert (agent.content, agent.tokens_used, agent.cost) == ("A text", 9, 0.5)
    assert agent.subtask_id.startswith("a")
    assert result.total_cost == 0.5 * len(result.agent_results)
    own.status = TaskStatus.FAILED
    with pytest.raises(
        RunError, match=r"node '.*a' failed: RunError: subtask 'mine' reports failed"
    ):
        await o.execute_workflow("Why?")
