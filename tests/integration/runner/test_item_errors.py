"""Items that failed where a map continues: typed records, and counted in the result."""

from __future__ import annotations

import pickle
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from dagorch import LLM, Graph
from dagorch.errors import ItemError, NodeEndError
from dagorch.models.llm import LLMResponse
from dagorch.models.usage import Usage
from dagorch.providers import ScriptedProvider

COST = Decimal("0.25")


def body() -> Graph:
    """Ask a model, inside a graph inside the body; fail with odd items."""
    inner = Graph("inner")
    answer = inner.add(LLM("ask", prompt="?"))
    inner.output(answer)
    graph = Graph("body")
    item = graph.input("item", int)
    answer = graph.subgraph(inner)

    def check(item: int, answer: str) -> str:
        if item % 2:
            raise OSError(f"no {item}")
        return answer

    graph.function(check, item=item, answer=answer)
    return graph


def each(**options: Any) -> Graph:
    graph = Graph("each")
    graph.map(body(), id="f", over=[0, 1, 2, 3], **options)
    return graph


def provider() -> ScriptedProvider:
    usage = Usage(1, 1, COST, calls=1)
    return ScriptedProvider(lambda request: LLMResponse("x", "m", usage=usage))


def test_a_collected_error_has_its_place_its_cause_and_its_cost(virtual: Any) -> None:
    graph = each(on_item_error="collect")
    result = virtual(partial(graph.run, provider=provider()))
    first, error, third, last = result["f"]
    assert (first, third) == ("x", "x")
    assert isinstance(error, ItemError)
    assert (error.index, error.path, error.cost_usd) == (1, "f[1]", COST)
    assert isinstance(error.error, OSError)
    assert str(error) == "OSError: no 1"
    assert dict(result.item_errors) == {"f[1]": error, "f[3]": last}
    assert "2 items failed" in repr(result)
    assert pickle.loads(pickle.dumps(result)).item_errors["f[3]"].index == 3


def test_a_skipped_item_is_counted_too(virtual: Any) -> None:
    result = virtual(partial(each(on_item_error="skip").run, provider=provider()))
    assert result["f"] == ["x", "x"]
    assert list(result.item_errors) == ["f[1]", "f[3]"]


def test_a_map_in_a_map_keeps_its_errors(virtual: Any) -> None:
    graph = Graph("outer")
    inner = each(on_item_error="collect")
    inner.input("n", int)
    graph.map(inner, id="outer", over=[1, 2])
    result = virtual(partial(graph.run, provider=provider()))
    assert list(result.item_errors) == [f"outer[{n}]/f[{item}]" for n in (0, 1) for item in (1, 3)]


def test_an_item_can_be_read_like_a_node_run(virtual: Any) -> None:
    result = virtual(partial(each(on_item_error="collect").run, provider=provider()))
    failed, completed = result.get("f[1]"), result.get("f[2]")
    assert (failed.path, failed.end, failed.usage.cost_usd) == ("f[1]", "failed", COST)
    assert (completed.end, completed.error, len(completed.bills)) == ("completed", None, 1)
    assert failed.error is result["f"][1]
    with pytest.raises(NodeEndError, match=r"there is no node run 'f\[9\]'"):
        result.get("f[9]")
