"""
Joins: a node or merge with several edges in runs once, at the right moment, on the right values.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from dagorch import Graph, Policy, Ref
from dagorch.errors import QuorumError
from dagorch.scheduler.commands import StartAttempt
from dagorch.scheduler.states import State
from tests.property.driver import drive
from tests.property.spec import GraphSpec, NodeSpec
from tests.property.world import World
from tests.unit.scheduler.by_hand import ByHand


async def work() -> int: ...


async def either(a: int = 0, b: int = 0) -> int: ...


async def both(a: int, b: int) -> int: ...


def starts(hand: ByHand, path: str) -> int:
    return sum(isinstance(c, StartAttempt) and c.path == path for c in hand.commands)


def test_a_join_with_a_conditionally_skipped_parent_runs() -> None:
    graph = Graph("conditional")
    ready = graph.input("ready", bool)
    road = graph.branch("road", lambda ready: ready, ready=ready)
    yes = graph.function(work, id="yes", after=road["true"])
    no = graph.function(work, id="no", after=road["false"])
    graph.function(either, id="join", a=yes, b=no)
    graph.merge("merged", [yes, no])
    hand = ByHand(graph).start(ready=True)
    assert hand.state("no") is State.SKIPPED
    hand.succeed("yes", 5)
    assert dict(hand.running["join"].inputs) == {"a": 5}
    assert hand.value("merged") == [5]
    hand.succeed("join", 1)
    assert hand.core.finished


def test_a_join_is_skipped_with_a_required_parent() -> None:
    graph = Graph("required")
    road = graph.branch("road", lambda: False)
    yes = graph.function(work, id="yes", after=road["true"])
    no = graph.function(work, id="no", after=road["false"])
    graph.function(both, id="join", a=yes, b=no)
    hand = ByHand(graph).start()
    hand.succeed("no", 1)
    assert hand.state("join") is State.SKIPPED
    assert hand.core.finished


@pytest.mark.parametrize("seed", range(20))
def test_a_join_fed_by_unequal_branches_fires_once(seed: int) -> None:
    graph = Graph("unequal")
    short = graph.function(work, id="short")
    long: Ref[Any] = graph.function(work, id="long0")
    for place in range(1, 5):
        long = graph.function(work, id=f"long{place}", after=long)
    graph.function(both, id="join", a=short, b=long)
    graph.merge("merged", [long, short])
    graph.merge("first", [long, short], wait="any")
    hand = ByHand(graph).start()
    chance = random.Random(seed)
    ended: list[str] = []
    while set(hand.running) - {"join"}:
        path = chance.choice(sorted(set(hand.running) - {"join"}))
        assert ("join" in hand.running) is ("short" in ended and "long4" in ended)
        hand.succeed(path, len(ended))
        ended.append(path)
    hand.succeed("join")
    assert hand.core.finished
    assert starts(hand, "join") == 1
    by_id = {path: place for place, path in enumerate(ended)}
    assert hand.value("merged") == [by_id["long4"], by_id["short"]]
    assert hand.value("first") == [min(by_id["long4"], by_id["short"])]


PARENTS = [[], [0], [0, 1], [0, 2], [0, 1], [3, 4]]


@pytest.mark.parametrize("slots", [1, 2, 6])
@pytest.mark.parametrize("seed", range(100))
def test_six_nodes_whose_join_a_peer_fires_early_are_right_every_time(
    seed: int, slots: int
) -> None:
    """parents = [[], [0], [0, 1], [0, 2], [0, 1], [3, 4]]"""
    spec = GraphSpec("six")
    for place, parents in enumerate(PARENTS):
        after = [(f"n{parent}", ()) for parent in parents]
        spec.nodes.append(NodeSpec(f"n{place}", "function", after=after))  # type: ignore[arg-type]
    world = World(seed, instant=True)
    seen = drive(spec, world, slots, {})
    begun = {attempt.path: attempt.time for attempt in seen.started}
    assert len(seen.started) == len(begun) == 6
    assert {ending.end for ending in seen.ends.values()} == {"completed"}
    for place, parents in enumerate(PARENTS):
        for parent in parents:
            assert begun[f"n{place}"] >= seen.ends[f"n{parent}"].time
    if slots == 6:
        for place, parents in enumerate(PARENTS):
            assert begun[f"n{place}"] == max(
                (seen.ends[f"n{p}"].time for p in parents), default=0.0
            )


def test_there_is_no_barrier_between_levels() -> None:
    graph = Graph("levels")
    a1 = graph.function(work, id="a1")
    b1 = graph.function(work, id="b1")
    a2 = graph.function(work, id="a2", after=a1)
    b2 = graph.function(work, id="b2", after=b1)
    graph.function(work, id="join", after=(a2, b2))
    hand = ByHand(graph).start()
    hand.succeed("b1")
    assert sorted(hand.running) == ["a1", "b2"], "b2 does not wait for a1"


def test_a_node_that_reads_another_twice_runs_once() -> None:
    graph = Graph("twice")
    x = graph.function(work, id="x")
    graph.function(both, id="sum", a=x, b=x)
    hand = ByHand(graph).start()
    hand.succeed("x", 3)
    assert dict(hand.running["sum"].inputs) == {"a": 3, "b": 3}


# -- merges ---------------------------------------------------------------------------------------


def merging(count: int, policy: Policy | None = None, **options: Any) -> ByHand:
    graph = Graph("merging")
    continues = Policy(on_error="continue")
    refs = [graph.function(work, id=f"n{i}", policy=continues) for i in range(count)]
    graph.merge("merged", refs, policy=policy or Policy(), **options)
    return ByHand(graph).start()


def test_any_folds_the_first_and_cancels_what_nobody_else_waits_for() -> None:
    hand = merging(3, wait="any")
    hand.succeed("n1", "one")
    assert hand.value("merged") == ["one"]
    assert sorted(hand.cancelling) == ["n0", "n2"]
    hand.stopped("n0").stopped("n2")
    assert hand.core.finished
    assert hand.state("n0") is State.CANCELLED


def test_a_quorum_folds_its_values_in_edge_order_not_in_that_of_their_coming() -> None:
    hand = merging(4, wait=3)
    hand.succeed("n3", "d").succeed("n0", "a").succeed("n2", "c")
    assert hand.value("merged") == ["a", "c", "d"]
    assert hand.cancelling == ["n1"]


def test_what_succeeds_although_it_was_told_to_stop_is_completed_and_not_folded() -> None:
    hand = merging(2, wait="any")
    hand.succeed("n0", "a").succeed("n1", "late")
    assert hand.state("n1") is State.COMPLETED
    assert hand.value("merged") == ["a"]


def test_a_quorum_out_of_reach_fails_with_how_many_are_missing() -> None:
    hand = merging(3, wait=3)
    hand.succeed("n0").fail("n1")
    assert hand.state("merged") is State.FAILED
    assert isinstance(hand.core.root.node_details[hand.index("merged")].error, QuorumError)  # type: ignore[union-attr]
    assert hand.cancelling == ["n2"]


def test_a_quorum_without_a_single_value_is_blocked_not_failed() -> None:
    hand = merging(2, wait=2)
    hand.fail("n0").fail("n1")
    assert hand.state("merged") is State.BLOCKED


def test_a_fallback_stands_in_for_a_quorum() -> None:
    hand = merging(2, Policy(fallback="half"), wait=2)
    hand.succeed("n0").fail("n1")
    assert hand.value("merged") == "half"


@pytest.mark.parametrize(("tolerate", "end"), [(False, State.BLOCKED), (True, State.COMPLETED)])
def test_a_broken_edge_blocks_all_unless_failures_are_tolerated(tolerate: bool, end: State) -> None:
    hand = merging(3, wait="all", tolerate_failures=tolerate)
    hand.succeed("n0", 0).fail("n1")
    assert hand.state("merged") is State.PENDING
    hand.succeed("n2", 2)
    assert hand.state("merged") is end
    if tolerate:
        assert hand.value("merged") == [0, 2]


def test_a_shared_upstream_lives_while_one_of_its_edges_is_open() -> None:
    graph = Graph("shared")
    shared = graph.function(work, id="shared")
    quick = graph.function(work, id="quick")
    slow = graph.function(work, id="slow", after=shared)
    alone = graph.function(work, id="alone", after=shared)
    graph.merge("first", [quick, slow], wait="any")
    graph.function(work, id="reader", after=alone)
    hand = ByHand(graph).start()
    hand.succeed("quick", 1)
    assert hand.state("slow") is State.CANCELLED, "it had not even begun"
    assert not hand.cancelling
    hand.succeed("shared")
    assert sorted(hand.running) == ["alone"]


@pytest.mark.parametrize("kept", ["sink", "output", "keep"])
def test_sinks_outputs_and_what_is_kept_are_never_abandoned(kept: str) -> None:
    graph = Graph("kept")
    a = graph.function(work, id="a")
    b = graph.function(work, id="b", policy=Policy(keep=kept == "keep"))
    merged = graph.merge("first", [a, b], wait="any")
    if kept == "output":
        graph.output(merged, b)
    if kept == "sink":
        graph.function(work, id="sink", after=b)
    hand = ByHand(graph).start()
    hand.succeed("a")
    assert not hand.cancelling
    assert hand.state("b") is State.RUNNING


def test_abandoning_goes_upstream_and_into_containers() -> None:
    inner = Graph("inner")
    inner.function(work, id="deep")
    graph = Graph("upstream")
    root = graph.function(work, id="root")
    held = graph.subgraph(inner, id="held", after=root)
    waiting = graph.function(work, id="waiting", after=held)
    quick = graph.function(work, id="quick")
    graph.merge("first", [waiting, quick], wait="any")
    hand = ByHand(graph).start()
    hand.succeed("root").succeed("quick")
    assert hand.state("waiting") is State.CANCELLED
    assert hand.state("held") is State.OPEN
    assert hand.cancelling == ["held/deep"]
    hand.stopped("held/deep")
    assert hand.state("held") is State.CANCELLED
    assert hand.core.finished


def test_a_container_abandoned_by_the_very_event_that_would_open_it_stays_shut() -> None:
    inner = Graph("inner")
    inner.function(work, id="deep")
    graph = Graph("race")
    start = graph.function(work, id="start")
    held = Ref[Any](graph, "held")
    graph.merge("first", [start, held], wait="any")
    graph.subgraph(inner, id="held", after=start)
    hand = ByHand(graph).start()
    hand.succeed("start", 1)
    assert hand.state("held") is State.CANCELLED
    assert hand.value("first") == [1]
    assert hand.core.finished


# -- `after` on a merge ---------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["all", "any", 2])
def test_what_a_merge_comes_after_is_waited_for_and_not_folded(wait: Any) -> None:
    graph = Graph("gate")
    a, b = graph.function(work, id="a"), graph.function(work, id="b")
    gate = graph.function(work, id="gate")
    graph.merge("merged", [a, b], wait=wait, after=gate)
    hand = ByHand(graph).start()
    hand.succeed("b", "b").succeed("a", "a")
    assert hand.state("merged") is State.PENDING
    hand.succeed("gate", "not this")
    assert hand.value("merged") == (["b"] if wait == "any" else ["a", "b"])


@pytest.mark.parametrize("wait", ["all", "any"])
def test_a_merge_behind_a_label_not_picked_is_skipped_with_its_last_edge(wait: Any) -> None:
    graph = Graph("label")
    road = graph.branch("road", lambda: False)
    a = graph.function(work, id="a")
    graph.merge("merged", [a], wait=wait, after=road["true"])
    hand = ByHand(graph).start()
    assert hand.state("merged") is State.PENDING
    hand.succeed("a")
    assert hand.state("merged") is State.SKIPPED


def test_a_merge_after_what_failed_is_blocked() -> None:
    graph = Graph("blocked")
    gate = graph.function(work, id="gate", policy=Policy(on_error="continue"))
    a = graph.function(work, id="a")
    graph.merge("merged", [a], wait="any", after=gate)
    hand = ByHand(graph).start()
    hand.fail("gate").succeed("a")
    assert hand.state("merged") is State.BLOCKED


def test_a_merge_does_not_count_what_it_comes_after_as_a_source() -> None:
    graph = Graph("count")
    a = graph.function(work, id="a")
    gate = graph.function(work, id="gate")
    graph.merge("merged", [a], wait=2, after=gate)
    with pytest.raises(Exception, match="waits for 2 of 1 sources"):
        graph.compile()


# -- a frame that stops ---------------------------------------------------------------------------


def test_when_a_node_fails_its_frame_everything_else_is_cancelled_and_nothing_blocked() -> None:
    graph = Graph("stops")
    broken = graph.function(work, id="broken")
    for place in range(3):
        graph.function(work, id=f"after{place}", after=broken)
    graph.merge("merged", [broken])
    hand = ByHand(graph).start()
    hand.fail("broken")
    ends = [hand.state(id) for id in ("after0", "after1", "after2", "merged")]
    assert ends == [State.CANCELLED] * 4
    assert hand.core.finished
