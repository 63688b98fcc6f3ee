"""A merge's `after` against its sources; and policy options without effect."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import DefinitionError, Graph, Policy


async def work() -> int: ...


def joined(sources: list[str], after: list[str]) -> Graph:
    graph = Graph("joined")
    refs = {id: graph.function(work, id=id) for id in ("a", "b")}
    graph.merge("merged", [refs[id] for id in sources], after=[refs[id] for id in after])
    return graph


def test_sources_and_after_make_different_definitions() -> None:
    assert joined(["a", "b"], []).fingerprint == joined(["a", "b"], []).fingerprint
    assert joined(["a", "b"], []).fingerprint != joined(["a"], ["b"]).fingerprint


def test_the_plan_separates_the_sources_from_after() -> None:
    plan = joined(["a"], ["b"]).compile()
    merged = plan.index("merged")
    assert plan.control_edges_start == {merged: plan.in_start[merged] + 1}
    assert joined(["a", "b"], []).compile().control_edges_start == {}


def test_a_merge_without_sources_is_refused_even_with_after() -> None:
    with pytest.raises(DefinitionError, match="joins nothing"):
        joined([], ["a"]).compile()


@pytest.mark.parametrize(
    "make",
    [
        lambda a: [[a]],
        lambda a: [5],
        lambda a: [{"x": a}],
        lambda a: {"x": a},
        lambda a: "a",
        lambda a: None,
        lambda a: 5,
    ],
)
def test_sources_that_are_not_a_list_of_refs_are_refused(make: Any) -> None:
    graph = Graph("joined")
    with pytest.raises(DefinitionError, match=r"merge 'merged': sources"):
        graph.merge("merged", make(graph.function(work, id="a")))


def test_one_source_needs_no_list() -> None:
    graph = Graph("joined")
    a = graph.function(work, id="a")
    graph.merge("merged", a)
    assert graph.entries["merged"].sources == (a,)


@pytest.mark.parametrize("kind", ["branch", "merge"])
@pytest.mark.parametrize("option", ["timeout_seconds", "priority"])
def test_an_option_that_would_do_nothing_is_refused(kind: str, option: str) -> None:
    policy = Policy(**{option: 1})  # type: ignore[arg-type]
    graph = Graph("idle")
    a: Any = graph.function(work, id="a")
    if kind == "branch":
        graph.branch("decide", lambda a: "true", a=a, policy=policy)
    else:
        graph.merge("decide", [a], policy=policy)
    with pytest.raises(DefinitionError, match=f"{kind} 'decide' .* so {option}= would do nothing"):
        graph.compile()
