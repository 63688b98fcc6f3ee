"""Compiling finds every problem at once, each with its node, place and the nearest right name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dagorch import LLM, DefinitionError, Graph, Policy, Ref, Retry
from dagorch.errors import CycleError
from dagorch.nodes import Function, Map, Merge


async def number() -> int:
    return 1


async def text(number: str) -> str:
    return number


async def takes(value: int) -> int:
    return value


def body(annotation: Any = int, input: str = "state") -> Graph:
    made = Graph("body")
    made.input(input, annotation)
    made.add(Function("same", _same), value=made.input("other", int, default=0))
    return made


async def _same(value: int) -> int:
    return value


def unknown_source(g: Graph) -> None:
    g.function(number)
    g.function(takes, after=Ref(g, "nmber"), value=1)


def unbound(g: Graph) -> None:
    g.input("valeu", int)
    g.function(takes)


def wrong_binding(g: Graph) -> None:
    g.function(takes, value=1, vallue=2)


def wrong_types(g: Graph) -> None:
    g.function(number)
    g.function(text)


def wrong_constant(g: Graph) -> None:
    g.function(takes, value="one")


def twice(g: Graph) -> None:
    g.function(number)
    g.function(number)


def foreign(g: Graph) -> None:
    other = Graph("other")
    g.function(takes, value=other.function(number))


def empty_merge(g: Graph) -> None:
    g.merge("join", [])


def big_quorum(g: Graph) -> None:
    g.merge("join", [g.function(number)], wait=2)


def endless_loop(g: Graph) -> None:
    g.loop("again", body(), state=1)


def loop_types(g: Graph) -> None:
    g.loop("again", body(str), max_iterations=2, state="a")


def no_state(g: Graph) -> None:
    g.loop("again", body(), max_iterations=2, state_input="stat", other=1, state=1)


def unknown_label(g: Graph) -> None:
    choice = g.branch("choice", lambda: "yes", ("yes", "no"))
    g.function(number, after=choice["yse"])


def label_of_no_branch(g: Graph) -> None:
    g.function(number)
    g.function(takes, value=1, after=Ref(g, "number", frozenset({"yes"})))


def map_over_text(g: Graph) -> None:
    g.map(Function("takes", takes), over=g.input("words", str))


def map_over_wrong_items(g: Graph) -> None:
    g.map(Function("takes", takes), over=g.input("words", list[str]))


def output_type_without_schema(g: Graph) -> None:
    g.add(LLM("ask", prompt="hi", output=Graph))


def policy_on_container(g: Graph) -> None:
    policy = Policy(retry=Retry())
    g.merge("join", [g.function(number)], policy=policy)


def fallback_wants_more(g: Graph) -> None:
    g.function(number, policy=Policy(fallback=Function("takes", takes)))


def output_is_an_input(g: Graph) -> None:
    g.function(number)
    g.output(g.input("x", int))


def nothing(g: Graph) -> None:
    g.input("x", int)


CASES: list[tuple[Callable[[Graph], None], str]] = [
    (unknown_source, "'nmber', which is not in graph 'g'; did you mean 'number'"),
    (unbound, "'value' of node 'takes' is not bound.*did you mean 'valeu'"),
    (wrong_binding, "'takes' has no input 'vallue'; did you mean 'value'"),
    (wrong_types, "'number' of node 'text' takes str, but 'number' gives int"),
    (wrong_constant, "takes int, but is bound to the constant 'one'"),
    (twice, "the id 'number' is used twice .first at .*test_validate.py:"),
    (foreign, "reads 'number' of graph 'other'.*declare graph.input"),
    (empty_merge, "merge 'join' joins nothing"),
    (big_quorum, "waits for 2 of 1 sources"),
    (endless_loop, "loop 'again' has no bound; pass max_iterations="),
    (loop_types, "gives int, but its state 'state' is str"),
    (no_state, "has no input 'stat' for the state; did you mean 'state'"),
    (unknown_label, "label 'yse'.*did you mean 'yes'"),
    (label_of_no_branch, "label 'yes' of 'number', which is not a branch"),
    (map_over_text, "which gives str, not a sequence"),
    (map_over_wrong_items, "needs a sequence of int, but 'words' gives list.str."),
    (output_type_without_schema, "no JSON Schema"),
    (policy_on_container, "merge 'join'.* retry="),
    (fallback_wants_more, "fallback 'takes' of node 'number' needs 'value'"),
    (output_is_an_input, "output 'x' is an input"),
    (nothing, "has no nodes"),
]


@pytest.mark.parametrize(("build", "message"), CASES, ids=[case[0].__name__ for case in CASES])
def test_problem(build: Callable[[Graph], None], message: str) -> None:
    graph = Graph("g")
    build(graph)
    with pytest.raises(DefinitionError, match=f"(?s){message}"):
        graph.compile()


def test_every_problem_is_reported_at_once_with_its_place() -> None:
    graph = Graph("g")
    for build in (unknown_source, empty_merge, endless_loop):
        build(graph)
    with pytest.raises(DefinitionError) as caught:
        graph.compile()
    assert len(caught.value.problems) == 3
    assert {problem.node for problem in caught.value.problems} == {"takes", "join", "again"}
    assert all("test_validate.py:" in problem.where for problem in caught.value.problems)


def test_a_problem_inside_a_body_is_reported_too() -> None:
    inner = Graph("inner")
    inner.merge("join", [])
    outer = Graph("outer")
    outer.subgraph(inner)
    with pytest.raises(DefinitionError, match="merge 'join' joins nothing"):
        outer.compile()


def test_a_cycle_is_named() -> None:
    graph = Graph("g")

    async def a(c: int) -> int:
        return c

    async def b(a: int) -> int:
        return a

    async def c(b: int) -> int:
        return b

    for fn in (a, b, c):
        graph.function(fn)
    graph.function(number)
    with pytest.raises(CycleError, match="a -> b -> c -> a") as caught:
        graph.compile()
    assert caught.value.cycle == ("a", "b", "c", "a")
    assert isinstance(caught.value, ValueError)


def test_a_graph_that_contains_itself() -> None:
    graph = Graph("g")
    graph.function(number)
    graph.subgraph(graph, id="me")
    with pytest.raises(DefinitionError, match="contains itself"):
        graph.compile()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LLM("x", promt="hi"), "no option 'promt'; did you mean 'prompt'"),
        (lambda: LLM("x"), "a prompt or messages"),
        (lambda: LLM("x", prompt="{a[0]}"), "LLM node 'x'"),
        (lambda: Merge("x", "lsit"), "no reducer 'lsit'; did you mean 'list'"),
        (lambda: Merge("x", wait=0), "wait=0"),
        (lambda: Function("a/b", number), "'/'"),
        (lambda: Function("", number), "not empty"),
        (lambda: Function("x", 3), "not callable"),
        (lambda: Policy(timeout_seconds=-1), "timeout_seconds=-1"),
        (lambda: Policy(on_error="ignore"), "on_error='ignore'"),
        (lambda: Retry(attempts=0), "attempts=0"),
        (lambda: Function("x", number, policy=[Retry()]), "function 'x': policy=.* not a Policy"),
        (lambda: Merge("x", policy=None), "merge 'x': policy=None is not a Policy"),
        (lambda: Map("x", body(), max_parallel="X"), "map 'x': max_parallel='X' must be a whole"),
        (lambda: Map("x", body(), max_parallel=0), "map 'x': max_parallel=0 must be a whole"),
        (lambda: Graph("g").input("self"), "graph 'g': no input can be named 'self'"),
        (
            lambda: Graph().function(number, after=None),
            "function 'number': after=None is not a ref",
        ),
        (lambda: Graph().merge("x", [], after=5), "merge 'x': after=5 is not a ref"),
    ],
)
def test_a_wrong_option_is_refused_where_it_is_written(
    make: Callable[[], Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        make()


def test_an_unchanged_graph_is_compiled_once() -> None:
    graph = Graph("g")
    graph.function(number)
    plan = graph.compile()
    assert graph.compile() is plan
    graph.function(takes, value=1)
    assert graph.compile() is not plan
