"""Properties of the engine that orchestrators rely on; each was once a bug."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import anyio

from dagorch import Context, Event, EventType, Graph, SubTask
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import HI, Plain, once


async def test_an_expansion_starts_once() -> None:
    graph = Graph("expanding")

    async def inner() -> int:
        return 1

    async def plan() -> Graph:
        body = Graph("body")
        body.function(inner)
        return body

    graph.function(plan, expand=True)
    events: list[Event] = []
    await graph.run(on_event=events.append)
    started = Counter(event.path for event in events if event.type is EventType.NODE_STARTED)
    assert started == {"plan": 1, "plan/inner": 1}


async def test_a_sync_call_on_the_loop_leaves_the_provider_open() -> None:
    class Closable:
        closed = False

        async def acomplete(self, messages: Any) -> str:
            return "yes"

        async def aclose(self) -> None:
            self.closed = True

    class Asking(Plain):
        async def execute_subtask(self, subtask, context=None):
            self.provider.complete(HI)
            return await super().execute_subtask(subtask, context)

    provider = Closable()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        await Asking(once(), provider, plan=[SubTask("a", "x")]).execute_workflow("Why?")
    assert not provider.closed


async def test_a_thread_started_by_an_async_function_may_call() -> None:
    graph = Graph("threads")

    @graph.function
    async def ask(context: Context) -> str:
        return await anyio.to_thread.run_sync(lambda: context.complete(HI).content)

    result = await graph.run(provider=ScriptedProvider("yes"))
    assert result[ask] == "yes"
    assert result.usage.calls == 1
