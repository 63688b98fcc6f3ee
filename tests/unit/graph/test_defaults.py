"""The default retry, timeout and provider of a graph."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import LLM, DefinitionError, Graph, Policy, Retry, RunError
from dagorch.errors import OverloadedError
from dagorch.files import dump_graph, parse_graph
from dagorch.nodes import Function
from dagorch.testing import ScriptedProvider, run_virtual

BUSY = OverloadedError("busy")


def work() -> str:
    return "done"


def broken() -> str:
    raise OSError("broken")


def test_nodes_get_what_their_policy_does_not_say() -> None:
    graph = Graph("g", retry=3, timeout_seconds=60)
    graph.function(work)
    graph.function(work, id="own", policy=Policy(retry=1, timeout_seconds=5, priority=2))
    graph.add(LLM("ask", prompt="?", policy=Policy(priority=1)))
    policies = {node.id: node.policy for node in graph}
    assert policies == {
        "work": Policy(retry=3, timeout_seconds=60),
        "own": Policy(retry=1, timeout_seconds=5, priority=2),
        "ask": Policy(retry=3, timeout_seconds=60, priority=1),
    }


def test_nodes_that_make_no_attempts_are_left_alone() -> None:
    graph = Graph("g", retry=3, timeout_seconds=60)
    way = graph.branch("way", lambda: True)
    graph.merge("joined", [graph.function(work, after=way["true"])])
    graph.ask("sure", "Sure?")
    graph.map(Function("each", lambda item: item), over=[1])
    assert {node.id for node in graph if node.policy.retry} == {"work"}
    [inner] = graph.node("each").body  # type: ignore[attr-defined]
    assert inner.policy == Policy(retry=3, timeout_seconds=60)
    graph.compile()


def test_a_node_in_two_graphs_is_not_changed() -> None:
    node = LLM("ask", prompt="?")
    Graph("g", retry=3).add(node)
    assert node.policy == Policy()
    plain = Graph("plain")
    plain.add(node)
    assert plain.node("ask") is node


def test_a_default_retry_is_what_runs() -> None:
    async def attempts(retry: Any) -> int:
        graph = Graph("g", retry=retry)
        graph.function(broken)
        with pytest.raises(RunError) as caught:
            await graph.run()
        return caught.value.partial_results.get("broken").attempts

    assert run_virtual(attempts, 4) == 4
    assert run_virtual(attempts, Retry(attempts=2, on=OSError)) == 2
    assert run_virtual(attempts, None) == 1


def test_a_graph_has_a_provider_that_a_run_overrides() -> None:
    own, other = ScriptedProvider("own"), ScriptedProvider("other")
    graph = Graph("g", provider=own)
    graph.add(LLM("ask", prompt="?"))
    assert graph.run_sync().output == "own"
    assert graph.run_sync(provider=None).output == "own"
    assert graph.run_sync(provider=other).output == "other"
    assert graph.run_sync({}, provider={"x": other}).output == "other"


def test_a_provider_by_name_is_one_of_the_runs() -> None:
    graph = Graph("g", provider="second")
    graph.add(LLM("ask", prompt="?"))
    own = graph.add(LLM("own", prompt="?", provider="first"))
    named = graph.add(LLM("named", prompt="?", model="first:m"))
    providers = {"first": ScriptedProvider("1"), "second": ScriptedProvider("2")}
    result = graph.run_sync(provider=providers)
    assert (result["ask"], result[own], result[named]) == ("2", "1", "1")
    with pytest.raises(DefinitionError, match="no provider is named 'second'"):
        graph.run_sync(provider={"first": providers["first"]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retry": 0}, "graph 'g': retry=0 must be a Retry, or a number of attempts"),
        ({"timeout_seconds": "1"}, "graph 'g': timeout_seconds='1' must be a number"),
    ],
)
def test_a_wrong_default_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Graph("g", **options)


FILE = """
retry: 3
timeout_seconds: 60
provider: second
nodes:
  ask: {prompt: "?"}
  own: {prompt: "?", retry: 1, provider: first}
  each:
    map: {prompt: "{item}"}
    over: [1, 2]
"""


def test_a_file_has_the_same_defaults() -> None:
    graph = parse_graph(FILE)
    python = Graph("graph", retry=3, timeout_seconds=60, provider="second")
    python.add(LLM("ask", prompt="?"))
    python.add(LLM("own", prompt="?", provider="first", policy=Policy(retry=1)))
    python.map(LLM("each", prompt="{item}"), over=[1, 2])
    assert graph.fingerprint == python.fingerprint
    assert [node.policy for node in graph] == [node.policy for node in python]
    [inner] = graph.node("each").body  # type: ignore[attr-defined]
    assert (inner.policy, inner.provider) == (Policy(retry=3, timeout_seconds=60), "second")


@pytest.mark.parametrize("format", ["yaml", "json"])
def test_defaults_are_written_once(format: Any) -> None:
    graph = parse_graph(FILE)
    text = dump_graph(graph, format)
    again = parse_graph(text)
    assert (again.fingerprint, again.defaults) == (graph.fingerprint, graph.defaults)
    assert [node.policy for node in again] == [node.policy for node in graph]
    assert text.count("provider") - 1 == text.count("60") == 1


def test_a_node_that_says_the_default_itself_reads_the_same() -> None:
    graph = Graph("g", retry=3)
    graph.add(LLM("ask", prompt="?", policy=Policy(retry=3)))
    assert "ask:\n    prompt: '?'" in dump_graph(graph) or "retry: 3" in dump_graph(graph)
    assert [n.policy for n in parse_graph(dump_graph(graph))] == [Policy(retry=3)]


def test_a_provider_that_is_an_object_cannot_be_written() -> None:
    graph = Graph("g", provider=ScriptedProvider("x"))
    graph.add(LLM("ask", prompt="?"))
    with pytest.raises(DefinitionError, match="provider= is an object; a file has a name"):
        dump_graph(graph)


def test_a_retry_with_errors_is_written() -> None:
    graph = Graph("g", retry=Retry(attempts=2, on=OSError, base_delay_seconds=0.5))
    graph.add(LLM("ask", prompt="?"))
    assert parse_graph(dump_graph(graph)).defaults == graph.defaults


def test_defaults_of_a_file_are_checked() -> None:
    with pytest.raises(DefinitionError, match="retry") as caught:
        parse_graph("retry: 0\ntimeout_seconds: soon\nnodes: {ask: {prompt: '?'}}")
    assert len(caught.value.problems) == 2
    with pytest.raises(DefinitionError, match="no error 'OSEror'; did you mean 'OSError'"):
        parse_graph("retry: {on: [OSEror]}\nnodes: {ask: {prompt: '?'}}")
