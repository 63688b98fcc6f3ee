"""Every error survives pickling with its attributes, including a run's partial result."""

from __future__ import annotations

import inspect
import pickle
from decimal import Decimal
from typing import Any

import pytest

from dagorch import LLM, BudgetExceededError, Graph, Policy, RunError
from dagorch import errors as module
from dagorch.errors import (
    CycleError,
    DagorchError,
    DefinitionError,
    Problem,
    ProviderError,
    SourceError,
)
from dagorch.testing import ScriptedProvider

KINDS = sorted(
    (
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, DagorchError)
    ),
    key=lambda kind: kind.__name__,
)


class EqualError(Exception):
    """An error that equals its copy."""

    def __eq__(self, other: object) -> bool:
        return type(other) is EqualError and other.args == self.args

    __hash__ = None  # type: ignore[assignment]


def made(kind: type[DagorchError]) -> DagorchError:
    if issubclass(kind, CycleError):
        return kind([Problem("a cycle", "a", "file:1")], cycle=("a", "b", "a"), subject="graph 'g'")
    if issubclass(kind, DefinitionError):
        return kind([Problem("one", "a", "file:1"), Problem("two")], subject="graph 'g'")
    if issubclass(kind, ProviderError):
        return kind(
            "down", service="s", model="m", status=503, request_id="r", retry_after_seconds=2
        )
    if issubclass(kind, SourceError):
        return kind("down", source="s", status=503, retry_after_seconds=2)
    if kind is module.InvalidOutputError:
        return module.InvalidOutputError("no", reply="text", path="a/b")
    if kind is module.ItemError:
        cost = Decimal("0.5")
        return module.ItemError(
            "no", path="each[3]", index=3, error=EqualError("no"), cost_usd=cost
        )
    if issubclass(kind, RunError):
        return kind("failed", path="a/b", story=("one", "two"), partial_results={"kept": 1})
    return kind("plain")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_keeps_all_its_attributes(kind: type[DagorchError], protocol: int) -> None:
    error = made(kind)
    back = pickle.loads(pickle.dumps(error, protocol))
    assert type(back) is kind
    assert str(back) == str(error)
    assert back.args == error.args
    assert vars(back) == vars(error)


def test_every_error_class_is_tested() -> None:
    assert len(KINDS) == sum(name.endswith("Error") for name in module.__all__)


async def broken(kept: int) -> int:
    raise ValueError("boom")


async def kept() -> int:
    return 7


async def test_the_error_of_a_run_keeps_its_partial_results() -> None:
    graph = Graph("bad")
    body = Graph("body")
    body.input("item")
    body.function(lambda item: item, id="same")
    graph.map(body, over=[1, 2], id="all")
    graph.function(kept)
    saved = graph.function(broken, policy=Policy(fallback=3), id="saved")
    last = graph.function(broken, after=saved)
    with pytest.raises(RunError) as caught:
        await graph.run()
    error = caught.value
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.path, back.story) == (str(error), "broken", error.story)
    result = back.partial_results
    assert result.status == "failed"
    assert result.values == dict(error.partial_results.values)
    assert result["kept"] == 7
    assert result["saved"] == 3
    assert set(result.node_runs) == set(error.partial_results.node_runs)
    run = result.get("broken")
    assert (run.end, repr(run.error)) == ("failed", "ValueError('boom')")
    assert isinstance(result.get("saved").recovered_from, ValueError)
    assert result.get(last.id).end == "failed"


async def test_a_result_survives_pickling_even_from_local_functions() -> None:
    graph = Graph("local")
    graph.loop("again", _body(), max_iterations=2, state=1)
    result = await graph.run()
    back = pickle.loads(pickle.dumps(result))
    assert (back.status, back.output, back.run_id) == ("completed", 4, result.run_id)
    assert back.loop("again").history == (2, 4)
    assert back.usage == result.usage
    assert back.duration_seconds == result.duration_seconds


def _body() -> Graph:
    body = Graph("body")
    body.input("state", int)
    body.function(lambda state: 2 * state, id="double")
    return body


async def test_a_budget_error_survives_pickling_too() -> None:
    graph = Graph("dear")
    graph.add(LLM("ask", prompt="Hi"))
    with pytest.raises(BudgetExceededError) as caught:
        await graph.run(provider=ScriptedProvider("x", price_per_token=1), max_cost=Decimal(1))
    back: Any = pickle.loads(pickle.dumps(caught.value))
    assert type(back) is BudgetExceededError
    assert back.partial_results.get("ask").end == "cancelled"
