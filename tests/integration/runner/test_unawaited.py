"""A forgotten `await` fails where the value appears, and names the function."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dagorch import LLM, AgentResult, BaseOrchestrator, DefinitionError, Graph, RunError, SubTask
from dagorch.models.llm import LLMResponse, ToolCall
from dagorch.providers import ScriptedProvider

pytestmark = pytest.mark.filterwarnings("error")


async def fetch(page: int = 1) -> str:
    return f"page {page}"


async def pages() -> AsyncIterator[str]:
    yield "one"


class Later:
    def __await__(self) -> Any:
        yield


async def forgets() -> Any:
    return fetch()


async def forgets_a_list() -> Any:
    return [fetch(1), fetch(2)]


async def forgets_to_collect() -> Any:
    return pages()


async def gives_an_awaitable() -> Any:
    return Later()


async def forgets_a_dict() -> Any:
    return {"count": 1, "pages": [[fetch(1)], fetch(2)]}


def forgets_in_a_thread() -> Any:
    return (fetch(1),)


async def failure(graph: Graph, **options: Any) -> RunError:
    with pytest.raises(RunError) as raised:
        await graph.run(**options)
    return raised.value


@pytest.mark.parametrize(
    ("fn", "what"),
    [
        (forgets, "the coroutine of 'fetch'; await it"),
        (forgets_a_list, "a list with the coroutine of 'fetch'; await it"),
        (forgets_a_dict, "a dict with the coroutine of 'fetch'; await it"),
        (forgets_in_a_thread, "a tuple with the coroutine of 'fetch'; await it"),
        (forgets_to_collect, "the async generator of 'pages'; await its items with 'async for'"),
        (gives_an_awaitable, "a Later, which is awaitable; await it"),
    ],
)
@pytest.mark.parametrize("listens", [False, True])
def test_a_function_that_returns_it_fails(virtual: Any, fn: Any, what: str, listens: bool) -> None:
    graph = Graph("forgets")
    graph.function(fn, id="node")
    options = {"on_event": lambda event: None} if listens else {}
    error = virtual(lambda: failure(graph, **options))
    assert f"node 'node' returned {what}" in str(error)
    assert error.path == "node"


def test_a_function_that_is_an_async_generator_is_refused() -> None:
    graph = Graph("generator")
    graph.function(pages)
    with pytest.raises(DefinitionError, match=r"'pages' is an async generator; collect"):
        graph.compile()


def test_what_the_core_asks_for_fails(virtual: Any) -> None:
    graph = Graph("asked")
    graph.branch("pick", lambda: fetch())
    error = virtual(failure, graph)
    assert "the coroutine of 'fetch'; await it" in str(error)
    graph = Graph("asked")
    graph.merge("fold", [graph.function(fetch)], reducer=lambda values: fetch())
    assert "the coroutine of 'fetch'; await it" in str(virtual(failure, graph))
    body = Graph("body")
    body.function(fetch, page=body.input("state"))
    graph = Graph("asked")
    graph.loop("again", body, max_iterations=3, until=lambda state: fetch(), state=1)
    assert "the coroutine of 'fetch'; await it" in str(virtual(failure, graph))


def test_items_of_a_map_fail(virtual: Any) -> None:
    graph = Graph("map")
    body = Graph("body")
    body.input("item")
    body.function(lambda item: item, id="same")
    graph.map(body, over=graph.function(lambda: {"a": 1}.keys(), id="keys"))
    assert virtual(graph.run).output == ["a"]
    graph = Graph("map")
    graph.map(body, over=graph.function(lambda: (fetch(n) for n in range(3)), id="calls"))
    assert "the coroutine of 'fetch'; await it" in str(virtual(failure, graph))


def test_an_input_and_a_constant_are_refused(virtual: Any) -> None:
    graph = Graph("input")
    graph.input("text")
    graph.function(lambda text: text, id="same")

    async def run() -> None:
        await graph.run(text=fetch())

    with pytest.raises(DefinitionError, match="input 'text' is the coroutine of 'fetch'; await it"):
        virtual(run)
    graph = Graph("constant")
    graph.function(lambda text: text, id="same", text=fetch())
    with pytest.raises(DefinitionError, match="'text' of node 'same' is the coroutine of 'fetch'"):
        graph.compile()


def test_an_agent_result_refuses_it() -> None:
    with pytest.raises(DefinitionError, match="content is the coroutine of 'fetch'; await it"):
        AgentResult("a", fetch())


class Forgetful(BaseOrchestrator):
    async def decompose_task(self, task: str, context: Any = None) -> list[SubTask]:
        return [SubTask("a", "do it")]

    async def execute_subtask(self, subtask: SubTask, context: Any = None) -> AgentResult:
        return AgentResult("a", "done")

    async def synthesize_results(self, agent_results: Any, context: Any = None) -> Any:
        return fetch()


def test_a_synthesis_that_forgets_fails(virtual: Any) -> None:
    async def run() -> None:
        await Forgetful(provider=ScriptedProvider("x")).execute_workflow("task")

    with pytest.raises(RunError, match="node 'synthesize' returned the coroutine of 'fetch'"):
        virtual(run)


def asks_for(name: str) -> LLMResponse:
    call = ToolCall("1", name, json.dumps({"page": 3}))
    return LLMResponse("", "m", tool_calls=(call,))


def test_a_tool_that_forgets_fails_and_a_lambda_is_awaited(virtual: Any) -> None:
    async def forgetful(page: int) -> Any:
        return fetch(page)

    def starts(page: int) -> Any:
        return fetch(page)

    graph = Graph("tools")
    graph.add(LLM("ask", prompt="?", tools=(forgetful,)))
    provider = ScriptedProvider([asks_for("forgetful"), "done"])
    error = virtual(lambda: failure(graph, provider=provider))
    assert "tool 'forgetful' returned the coroutine of 'fetch'; await it" in str(error)
    graph = Graph("tools")
    graph.add(LLM("ask", prompt="?", tools=(starts,)))
    provider = ScriptedProvider([asks_for("starts"), "done"])

    async def run() -> Any:
        return await graph.run(provider=provider)

    assert virtual(run).output == "done"
    assert provider.requests[1].messages[-1].content == "page 3"
