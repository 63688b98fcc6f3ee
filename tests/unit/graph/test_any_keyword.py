"""A function that takes any keyword receives every input bound to it."""

from __future__ import annotations

from typing import Any

from dagorch import LLM, Graph
from dagorch.providers import ScriptedProvider


async def test_bindings_beyond_the_named_parameters_reach_the_function() -> None:
    graph = Graph("open")
    given = graph.input("given", int)

    @graph.function
    async def one() -> int:
        return 1

    async def collect(first: int, **rest: Any) -> dict[str, Any]:
        return {"first": first, **rest}

    all_of_it = graph.function(collect, first=one, second=one, third=given, fourth="fixed")
    result = await graph.run(given=3)
    assert result[all_of_it] == {"first": 1, "second": 1, "third": 3, "fourth": "fixed"}


async def test_the_inputs_of_an_llm_node_with_tools_reach_its_prompt() -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    graph = Graph("tools")
    graph.input("task", str)
    ref = graph.add(LLM("answer", prompt="Do {task}.", tools=(add,)))
    provider = ScriptedProvider("done")
    result = await graph.run(task="it", provider=provider)
    assert result[ref] == "done"
    assert provider.requests[0].messages[0].content == "Do it."
