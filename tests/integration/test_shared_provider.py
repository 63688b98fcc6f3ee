"""Forty runs that share one provider; some are cancelled, the others do not notice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import pytest

from dagorch import LLM, Graph
from dagorch.models.result import Result
from dagorch.providers import OpenAIProvider
from dagorch.runner.loop_state import shared
from dagorch.testing import ScriptedProvider, run_virtual
from tests.servers import ModelServer, answer

RUNS: Final = 40


def _graph() -> Graph:
    graph = Graph("two, then one")
    a = graph.add(LLM("a", prompt="x"))
    b = graph.add(LLM("b", prompt="y"))
    graph.add(LLM("c", prompt="{a}{b}"), a=a, b=b)
    return graph


async def _run(graph: Graph, how: str, provider: Any) -> Result:
    if how == "run":
        return await graph.run(provider=provider)
    async with graph.start(provider=provider) as run:
        return await run.result()


async def _run_all(provider: Any, how: str) -> tuple[list[int], list[int]]:
    """Run all; each run that completes cancels another one. Return both kinds."""
    graph = _graph()
    completed: list[int] = []
    cancelled: list[int] = []
    scopes = [anyio.CancelScope() for _ in range(RUNS)]

    async def one(number: int) -> None:
        with scopes[number] as scope:
            await _run(graph, how, provider)
            completed.append(number)
            if len(completed) % 2:
                scopes[(number + RUNS // 2) % RUNS].cancel()
        if scope.cancelled_caught:
            cancelled.append(number)

    async with anyio.create_task_group() as group:
        for number in range(RUNS):
            group.start_soon(one, number)
    assert shared().admission.at_rest
    assert shared().count == 0
    return completed, cancelled


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("how", ["run", "start"])
@pytest.mark.parametrize("max_concurrency", [1, 3])
def test_cancelled_runs_do_not_disturb_those_that_share_their_provider(
    backend: Any, how: str, max_concurrency: int
) -> None:
    provider = ScriptedProvider("ok", latency_seconds=0.1, max_concurrency=max_concurrency)
    completed, cancelled = run_virtual(_run_all, provider, how, backend=backend)
    assert sorted(completed + cancelled) == list(range(RUNS))
    assert cancelled
    assert provider.active == 0


@asynccontextmanager
async def _http_provider() -> AsyncIterator[OpenAIProvider]:
    with ModelServer(answer("ok")) as server:
        async with OpenAIProvider(server.url, default_model="m", max_concurrency=3) as provider:
            yield provider


@pytest.mark.parametrize("how", ["run", "start"])
async def test_the_same_over_connections_of_one_client(anyio_backend: str, how: str) -> None:
    async with _http_provider() as provider:
        completed, cancelled = await _run_all(provider, how)
        assert sorted(completed + cancelled) == list(range(RUNS))
        assert cancelled
