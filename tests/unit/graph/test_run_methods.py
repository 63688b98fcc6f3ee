"""How the methods that run a graph take inputs and options; nothing wrong gets past them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, get_overloads

import pytest

from dagorch import LLM, DefinitionError, Graph, OrchestratorConfig, Policy
from dagorch.graph.run_methods import BoundRunMethod
from dagorch.models.run_options import RUN_OPTIONS, RunOptions
from dagorch.testing import ScriptedProvider, run_virtual

METHODS = ("run", "run_sync", "stream", "start")


def echoing(*names: str) -> Graph:
    """Return a graph that gives its inputs as a list."""
    graph = Graph("echo")
    refs = {name: graph.input(name) for name in names}
    graph.function(list_of, items=list(refs.values()))
    return graph


def list_of(items: list[Any]) -> list[Any]:
    return items


def test_inputs_come_by_keyword_or_as_one_mapping() -> None:
    graph = echoing("topic", "reader")
    assert graph.run_sync(topic="tea", reader="Ada").output == ["tea", "Ada"]
    assert graph.run_sync({"topic": "tea", "reader": "Ada"}, max_parallel=3).output == [
        "tea",
        "Ada",
    ]
    assert echoing().run_sync({}).output == []


def test_a_mapping_starts_every_method() -> None:
    graph = echoing("topic")

    async def others() -> list[Any]:
        assert (await graph.run({"topic": 1})).output == [1]
        stream = graph.stream({"topic": 2}, seed=1)
        async for _ in stream:
            pass
        async with graph.start({"topic": 3}) as run:
            return [stream.result.output, (await run.result()).output]

    assert run_virtual(others) == [[2], [3]]


@pytest.mark.parametrize("name", sorted(RUN_OPTIONS))
def test_an_input_can_have_the_name_of_any_option(name: str) -> None:
    graph = echoing(name)
    assert graph.run_sync({name: "a value"}).output == ["a value"]
    with pytest.raises(DefinitionError, match=rf"{name}= is an option .* run\({{'{name}': ...}}\)"):
        graph.run_sync(**{name: None})
    with pytest.raises(DefinitionError, match=rf"'{name}' is missing; pass run\({{'{name}': ...}}"):
        graph.run_sync()


def test_an_option_beside_a_mapping_is_the_option() -> None:
    assert echoing("seed").run_sync({"seed": "apple"}, seed=3).output == ["apple"]


WRONG_CALLS: list[tuple[str, Callable[[Graph], Any]]] = [
    ("no option and the graph no input 'max_paralel'; did you mean 'max_parallel'",
     lambda g: g.run_sync(topic=1, max_paralel=3)),
    ("run.. has no option 'max_paralel'; did you mean 'max_parallel'",
     lambda g: g.run_sync({"topic": 1}, max_paralel=3)),
    ("input 'topic' is passed beside the mapping", lambda g: g.run_sync({}, topic=1)),
    ("the graph has no input 'topc'; did you mean 'topic'", lambda g: g.run_sync({"topc": 1})),
    ("the graph has no input 3", lambda g: g.run_sync({3: 1, "topic": 1})),
    ("inputs are passed by keyword, or as one mapping", lambda g: g.run_sync("tea")),
    ("run.True.: inputs are passed", lambda g: g.run_sync(True)),
    ("input 'topic' is missing; put 'topic' into the mapping", lambda g: g.run_sync({})),
    ("input 'topic' is missing; pass topic=", lambda g: g.run_sync()),
]  # fmt: skip


@pytest.mark.parametrize(("message", "call"), WRONG_CALLS, ids=[m for m, _ in WRONG_CALLS])
def test_a_wrong_name_is_refused_before_anything_is_paid_for(
    message: str, call: Callable[[Graph], Any]
) -> None:
    graph = Graph()
    graph.input("topic")
    provider = ScriptedProvider("paid")
    graph.add(LLM("ask", prompt="{topic}"))
    with pytest.raises(DefinitionError, match=message):
        call(graph)
    assert not provider.requests


WRONG_VALUES = {
    "max_parallel": [0, "three", True, 2.5, None],
    "max_node_runs": [0, "many"],
    "max_cost": ["cheap", -1, float("nan"), float("inf"), [1]],
    "max_tokens": [-1, 2.5, "all", False],
    "timeout_seconds": [0, -1, "soon", float("nan"), float("inf"), True],
    "drain_seconds": [-1, "soon", float("nan")],
    "downgrade": [3, ["a"], "cheaper"],
    "limits": [3, ["db"], {"db": 0}, {"db": "two"}],
    "seed": ["x", 1.5],
    "on_event": [3, [3], "print"],
    "retain": ["nothing", None, []],
    "provider": ["openai", 3, [1], {"x": 3}],
}


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in WRONG_VALUES.items() for v in values]
)
def test_a_wrong_value_of_an_option_is_refused(name: str, value: Any) -> None:
    with pytest.raises(DefinitionError, match=name):
        echoing().run_sync({}, **{name: value})


def test_every_wrong_value_is_reported_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        echoing("topic").run_sync(max_parallel=0, seed="x", topc=1)
    assert len(caught.value.problems) == 4


def test_right_values_are_accepted() -> None:
    graph = Graph()
    graph.function(list_of, items=[], policy=Policy(resources=("db",)))
    graph.run_sync(
        max_cost=Decimal("0.5"), on_event=None, limits={"db": 1}, drain_seconds=0, retain="outputs"
    )
    graph.run_sync(max_cost=0.50, on_event=[print], limits={"db": 1}, deps=object())


# A protocol has no implementation, by which `get_overloads` finds them.
FORMS = get_overloads(
    SimpleNamespace(__module__=BoundRunMethod.__module__, __qualname__="BoundRunMethod.__call__")  # type: ignore[arg-type]
)


def test_there_are_two_forms() -> None:
    assert len(FORMS) == 2


@pytest.mark.parametrize("form", FORMS)
def test_the_types_and_the_options_agree(form: Any) -> None:
    # The one list that is written twice, because no type checker can derive it.
    found = {
        name: parameter
        for name, parameter in inspect.signature(form).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert list(found) == [option.name for option in fields(RunOptions)]
    for option in fields(RunOptions):
        parameter = found[option.name]
        if option.name != "provider":  # its type is on a higher floor than the options
            assert parameter.annotation == option.type
        expected = ... if option.default is MISSING else option.default
        assert parameter.default == expected


@pytest.mark.parametrize("method", METHODS)
def test_every_option_is_in_the_signature(method: str) -> None:
    parameters = inspect.signature(getattr(Graph, method)).parameters
    assert parameters.keys() >= RUN_OPTIONS
    assert parameters["max_parallel"].default == 16
    assert "max_parallel" in inspect.signature(getattr(Graph(), method)).parameters
    assert getattr(Graph, method).__doc__


def test_every_option_is_described() -> None:
    from dagorch.graph.run_methods import RunMethods

    for name in RUN_OPTIONS:
        assert f"\n    {name}: " in (inspect.getdoc(RunMethods) or "")


def test_a_run_has_one_default_of_max_parallel() -> None:
    assert OrchestratorConfig().max_parallel == RunOptions().max_parallel
