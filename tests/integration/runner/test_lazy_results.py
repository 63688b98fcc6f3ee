"""Reading one value of a large run makes no record of the others."""

from __future__ import annotations

import pytest

from dagorch import LLM, Graph
from dagorch.errors import NodeEndError
from dagorch.models.ref import Ref
from dagorch.runner import outcome
from dagorch.testing import ScriptedProvider


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the paths of the node runs of which a record was made."""
    paths: list[str] = []
    node_run = outcome._node_run

    def recorded(core, path, *rest):  # type: ignore[no-untyped-def]  # as the original
        paths.append(path)
        return node_run(core, path, *rest)

    monkeypatch.setattr(outcome, "_node_run", recorded)
    return paths


def chain(length: int) -> tuple[Graph, list[Ref[int]]]:
    graph = Graph("chain")

    async def first() -> int:
        return 0

    async def more(number: int) -> int:
        return number + 1

    refs = [graph.function(first, id="n0")]
    for place in range(1, length):
        refs.append(graph.function(more, id=f"n{place}", number=refs[-1]))
    return graph, refs


async def test_a_value_is_read_without_records(made: list[str]) -> None:
    graph, refs = chain(100)
    result = await graph.run()
    assert result[refs[-1]] == result["n99"] == result.output == 99
    assert refs[5] in result or result.get(refs[5]).end == "completed"
    assert "n100" not in result
    assert len(made) <= 1


async def test_a_record_is_made_when_it_is_asked_for_and_kept(made: list[str]) -> None:
    graph, refs = chain(100)
    result = await graph.run(retain="all")
    assert result.get(refs[7]) is result.node_runs["n7"]
    assert made == ["n7"]
    assert len(result.node_runs) == 100
    assert list(result.node_runs)[:3] == ["n0", "n1", "n2"]
    assert made == ["n7"]
    assert [run.path for run in result.node_runs.values()] == [ref.id for ref in refs]
    assert len(made) == 100
    assert dict(result.values) == {f"n{place}": place for place in range(100)}
    assert len(result.values) == 100


async def test_a_node_that_is_not_there_is_still_named() -> None:
    graph, _ = chain(3)
    result = await graph.run()
    with pytest.raises(NodeEndError, match="there is no node run 'n22'; did you mean 'n2'"):
        result["n22"]
    with pytest.raises(KeyError):
        result.node_runs["n22"]
    with pytest.raises(KeyError):
        result.values["n22"]


async def test_usage_by_model_needs_no_records(made: list[str]) -> None:
    graph = Graph("asking")
    body = Graph("body")
    body.add(LLM("inner", prompt="{item}", model="small"), item=body.input("item", str))
    graph.add(LLM("a", prompt="Hi", model="large"))
    graph.map(body, id="each", over=["x", "y"])
    result = await graph.run(provider=ScriptedProvider("Hello"))
    usage = result.usage_by_model
    assert not made
    assert {name: used.calls for name, used in usage.items()} == {
        "scripted:large": 1, "scripted:small": 2,
    }  # fmt: skip
    assert sum(used.total_tokens for used in usage.values()) == result.usage.total_tokens
    usage.clear()
    assert result.usage_by_model
