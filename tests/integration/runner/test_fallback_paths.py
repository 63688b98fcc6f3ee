"""The fallback of a container has paths of its own, so that no bill is lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dagorch import LLM, Graph, Policy
from dagorch.models.llm import LLMRequest, LLMResponse, ToolCall
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.nodes import Function
from dagorch.providers import ScriptedProvider


def paid(text: str) -> LLMResponse:
    return LLMResponse(text, "m", usage=Usage(10, 5, Decimal("0.25"), calls=1))


def reply(request: LLMRequest) -> LLMResponse:
    if request.tools:
        call = ToolCall("1", "tool", "{}")
        return LLMResponse(
            "", "m", tool_calls=(call,), usage=Usage(10, 5, Decimal("0.25"), calls=1)
        )
    return paid("text")


def asks_and(fails: bool) -> Graph:
    """Ask a model in a node `ask`, then fail or not in a node `then`."""
    graph = Graph("asks")
    graph.input("state", default=None)
    answer = graph.add(LLM("ask", prompt="?"))

    def then(answer: str) -> str:
        if fails:
            raise OSError("no")
        return answer

    graph.function(then, answer=answer)
    return graph


def tool() -> str:
    return "again"


def failing_node(kind: str) -> tuple[Graph, Any]:
    """A graph with a node `f` of that kind that pays for a call, and then fails."""
    graph = Graph(kind)
    policy = Policy(fallback=asks_and(fails=False))
    body = asks_and(fails=True)
    if kind == "subgraph":
        return graph, graph.subgraph(body, id="f", policy=policy)
    if kind == "loop":
        return graph, graph.loop("f", body, max_iterations=2, state=0, policy=policy)
    if kind == "map":
        return graph, graph.map(body, id="f", over=[1, 2], policy=policy)
    if kind == "expansion":
        return graph, graph.function(lambda: body, id="f", expand=True, policy=policy)
    return graph, graph.add(LLM("f", prompt="?", tools=(tool,), max_tool_rounds=1, policy=policy))


@pytest.mark.parametrize("kind", ["subgraph", "loop", "map", "expansion", "tools"])
def test_every_bill_of_a_container_and_its_fallback_is_kept(virtual: Any, kind: str) -> None:
    graph, ref = failing_node(kind)

    async def run() -> Any:
        return await graph.run(provider=ScriptedProvider(reply), max_parallel=1)

    result = virtual(run)
    assert result[ref] == "text"
    assert "f[fallback]/ask" in result.node_runs
    runs = result.node_runs.values()
    assert sum((run.usage for run in runs), NOTHING_USED) == result.usage
    assert sum((bill.usage for run in runs for bill in run.bills), NOTHING_USED) == result.usage
    assert sum(result.usage_by_model.values(), NOTHING_USED) == result.usage
    assert result.usage.cost_usd == Decimal("0.25") * result.usage.calls
    assert result.usage.calls >= 2


def test_every_way_to_leave_a_parameter_out_gives_user_code_a_default(virtual: Any) -> None:
    def broken(text: str = "the default", other: str = "another") -> str:
        raise OSError(text + other)

    def backup(text: str, other: str) -> str:
        return f"{text}, {other}"

    graph = Graph("defaults")
    road = graph.branch("road", lambda: False)
    never = graph.function(lambda: "x", id="never", after=road["true"])
    live = graph.function(lambda: "live", id="live")
    policy = Policy(fallback=Function("backup", backup))
    graph.function(broken, id="f", text=never, other=live, policy=policy)
    assert virtual(graph.run)["f"] == "the default, live"
    body = Graph("body")
    body.function(broken, text=body.input("text", default="of the body"))
    graph = Graph("container")
    graph.subgraph(body, id="f", policy=Policy(fallback=Function("b", lambda text: text)))
    assert virtual(graph.run).output == "of the body"
