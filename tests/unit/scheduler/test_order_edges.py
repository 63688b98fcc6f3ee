"""`after=` is an edge like any other; `after_end=` waits for an end of any kind."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import DefinitionError, Graph, Policy, Ref
from dagorch.scheduler import stimuli
from dagorch.scheduler.states import State
from tests.unit.scheduler.by_hand import ByHand

CONTINUE = Policy(on_error="continue")


async def work() -> int: ...


async def takes(other: Any) -> int: ...


async def may_take(other: Any = 0) -> int: ...


def gated(fn: Any) -> Graph:
    """Give a node that runs only on a label, an unrelated node, and `late` after the first."""
    graph = Graph("gated")
    road = graph.branch("road", lambda yes: yes, yes=graph.input("yes", bool))
    first = graph.function(work, id="first", after=road["true"], policy=CONTINUE)
    other = graph.function(work, id="other")
    bound = {} if fn is work else {"other": other}
    graph.function(fn, id="late", after=first, policy=CONTINUE, **bound)
    return graph


@pytest.mark.parametrize("fn", [work, takes, may_take])
def test_a_node_after_a_skipped_one_is_skipped_whatever_else_it_reads(fn: Any) -> None:
    hand = ByHand(gated(fn)).start(yes=False).succeed("other")
    assert hand.state("late") is State.SKIPPED
    assert hand.core.finished


@pytest.mark.parametrize("fn", [work, takes, may_take])
def test_a_node_after_a_failed_one_is_blocked_whatever_else_it_reads(fn: Any) -> None:
    hand = ByHand(gated(fn)).start(yes=True).succeed("other").fail("first")
    assert hand.state("late") is State.BLOCKED


def test_a_node_after_several_needs_all_of_them() -> None:
    graph = gated(work)
    graph.function(work, id="last", after=[Ref(graph, "first"), Ref(graph, "other")])
    hand = ByHand(graph).start(yes=False).succeed("other")
    assert hand.state("last") is State.SKIPPED


@pytest.mark.parametrize("wait", ["all", "any"])
def test_a_merge_after_a_skipped_node_is_skipped(wait: Any) -> None:
    graph = gated(work)
    graph.merge("merged", Ref(graph, "other"), wait=wait, after=Ref(graph, "first"))
    hand = ByHand(graph).start(yes=False).succeed("other")
    assert hand.state("merged") is State.SKIPPED


# -- after_end ------------------------------------------------------------------------------------


def end_as(end: str, hand: ByHand) -> ByHand:
    """Start a graph of `gated`, and let `late` end that way."""
    hand.start(yes=end != "skipped").succeed("other")
    if end == "blocked":
        hand.fail("first")
    elif end != "skipped":
        hand.succeed("first")
        (hand.fail if end == "failed" else hand.succeed)("late")
    return hand


@pytest.mark.parametrize("end", ["completed", "failed", "skipped", "blocked"])
@pytest.mark.parametrize("fn", [work, may_take])
def test_after_end_waits_for_an_end_of_any_kind(fn: Any, end: str) -> None:
    graph = gated(work)
    bound = {} if fn is work else {"other": "a constant"}
    graph.function(fn, id="clean", after_end=Ref(graph, "late"), **bound)
    hand = end_as(end, ByHand(graph))
    assert hand.state("late").name == end.upper()
    assert "clean" in hand.running
    hand.succeed("clean")
    assert hand.core.finished


def test_after_end_does_not_run_before_the_end() -> None:
    graph = Graph("waits")
    first = graph.function(work, id="first", policy=CONTINUE)
    graph.function(work, id="clean", after_end=[first])
    hand = ByHand(graph).start()
    assert sorted(hand.running) == ["first"]


def cleaned() -> Graph:
    """Give a node that fails its graph, one beside it, one to come, and one to clean up."""
    graph = Graph("cleaned")
    first = graph.function(work, id="first")
    beside = graph.function(work, id="beside")
    late = graph.function(work, id="late", after=first)
    graph.function(work, id="clean", after_end=[beside, late])
    graph.function(work, id="report", after=Ref(graph, "clean"))
    return graph


def test_after_end_runs_when_a_failure_stops_the_graph() -> None:
    hand = ByHand(cleaned()).start().fail("first")
    assert hand.cancelling == ["beside"]
    assert hand.state("late") is State.CANCELLED
    assert "clean" not in hand.running  # its other source has not ended
    hand.stopped("beside")
    assert sorted(hand.running) == ["clean"]
    hand.succeed("clean")
    assert hand.state("clean") is State.COMPLETED
    assert hand.state("report") is State.CANCELLED
    assert hand.core.finished
    assert hand.core.outcome_error is not None


def test_a_failure_while_cleaning_up_does_not_replace_the_first() -> None:
    hand = ByHand(cleaned()).start().fail("first").stopped("beside")
    first = hand.core.root.stop_error
    hand.fail("clean")
    assert hand.state("clean") is State.FAILED
    assert hand.core.outcome_error is first


def test_a_node_with_after_end_and_a_broken_input_is_blocked_when_the_graph_stops() -> None:
    graph = Graph("both")
    first = graph.function(work, id="first")
    graph.function(takes, id="clean", other=first, after_end=graph.function(work, id="beside"))
    hand = ByHand(graph).start().fail("first").stopped("beside")
    assert hand.state("clean") is State.BLOCKED
    assert hand.core.finished


def test_after_end_does_not_run_when_the_run_is_cancelled() -> None:
    hand = ByHand(cleaned()).start()
    hand.tell(stimuli.RunCancelled("enough", hand.now)).stopped("first").stopped("beside")
    assert hand.state("clean") is State.CANCELLED
    assert hand.core.finished


def test_cancelling_ends_the_cleaning_up() -> None:
    hand = ByHand(cleaned()).start().fail("first").stopped("beside")
    hand.tell(stimuli.RunCancelled("enough", hand.now))
    assert hand.cancelling == ["clean"]
    hand.stopped("clean")
    assert hand.state("clean") is State.CANCELLED
    assert hand.core.finished


def test_a_label_gates_a_node_that_also_waits_for_an_end() -> None:
    graph = Graph("both")
    road = graph.branch("road", lambda: False)
    first = graph.function(work, id="first")
    graph.function(work, id="clean", after=road["true"], after_end=first)
    hand = ByHand(graph).start().succeed("first")
    assert hand.state("clean") is State.SKIPPED


@pytest.mark.parametrize("wait", ["all", "any"])
def test_a_merge_waits_for_an_end_and_does_not_fold_it(wait: Any) -> None:
    graph = Graph("merge")
    a = graph.function(work, id="a")
    gate = graph.function(work, id="gate", policy=CONTINUE)
    graph.merge("merged", [a], wait=wait, after_end=gate)
    hand = ByHand(graph).start().succeed("a", 1)
    assert hand.state("merged") is State.PENDING
    hand.fail("gate")
    assert hand.value("merged") == [1]


def test_what_others_only_wait_for_is_not_needed_and_its_cancellation_is_an_end() -> None:
    graph = Graph("race")
    a, b = graph.function(work, id="a"), graph.function(work, id="b")
    graph.merge("first", [a, b], wait="any")
    graph.function(work, id="clean", after_end=[a, b])
    hand = ByHand(graph).start().succeed("a", 1)
    assert hand.cancelling == ["b"]
    assert "clean" not in hand.running
    hand.stopped("b")
    assert "clean" in hand.running


def test_a_node_that_others_only_wait_for_is_an_output() -> None:
    graph = Graph("outputs")
    first = graph.function(work, id="first", policy=CONTINUE)
    graph.function(work, id="clean", after_end=first)
    assert graph.sinks() == ["first", "clean"]
    assert graph.compile().output_ids == ("first", "clean")


def test_a_label_of_after_end_is_refused() -> None:
    graph = Graph("label")
    road = graph.branch("road", lambda: False)
    graph.function(work, id="clean", after_end=road["true"])
    with pytest.raises(DefinitionError, match=r"'clean': after_end='road' with a label"):
        graph.compile()


@pytest.mark.parametrize("option", ["after", "after_end"])
def test_what_is_not_a_ref_is_refused_with_the_option(option: str) -> None:
    graph = Graph("wrong")
    with pytest.raises(DefinitionError, match=rf"function 'clean': {option}=5 is not a ref"):
        graph.function(work, id="clean", **{option: [5]})


def test_a_cycle_through_an_end_is_a_cycle() -> None:
    graph = Graph("cycle")
    graph.function(work, id="a", after_end=Ref(graph, "b"))
    graph.function(work, id="b", after=Ref(graph, "a"))
    with pytest.raises(DefinitionError, match=r"a -> b -> a"):
        graph.compile()
