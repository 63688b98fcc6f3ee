"""The end of `Graph.stream`: the result or the error is available after the last event."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from dagorch import LLM, EventType, Graph, RunError
from dagorch.testing import ScriptedProvider


def asking() -> Graph:
    graph = Graph("asking")
    graph.add(LLM("ask", prompt="Say it."))
    return graph


def test_the_result_is_there_when_the_stream_has_ended(virtual: Any) -> None:
    async def main() -> None:
        stream = asking().stream(provider=ScriptedProvider("Yes.", latency_seconds=1))
        events = [event async for event in stream]
        assert events[-1].type is EventType.RUN_COMPLETED
        assert stream.result.output == "Yes."

    virtual(main)


def test_a_failed_run_raises_when_the_stream_has_ended(virtual: Any) -> None:
    async def main() -> None:
        stream = asking().stream(provider=ScriptedProvider([ValueError("no")] * 3))
        while (await anext(stream)).type is not EventType.RUN_FAILED:
            pass
        with pytest.raises(RunError, match="node 'ask' failed"):
            await anext(stream)

    virtual(main)


def test_closing_after_the_last_event_waits_for_the_runs_end(virtual: Any) -> None:
    async def main() -> None:
        async with asking().stream(provider=ScriptedProvider("Yes.")) as stream:
            async for event in stream:
                if event.type is EventType.RUN_COMPLETED:
                    break
        assert stream.result.output == "Yes."

    virtual(main)


def test_a_stream_cancelled_before_its_run_has_begun_cancels_it(virtual: Any) -> None:
    async def main() -> float:
        began = anyio.current_time()
        stream = asking().stream(provider=ScriptedProvider("Yes.", latency_seconds=1_000))
        with anyio.CancelScope() as scope:
            scope.cancel()
            async for _ in stream:
                pass
        await stream.aclose()
        return anyio.current_time() - began

    assert virtual(main) == 0
