"""The story of a node run: a line per step, and the reason of its end."""

from __future__ import annotations

import pytest

from dagorch import Graph, Policy, Retry
from dagorch.scheduler.story import reason, story
from tests.unit.scheduler.by_hand import ByHand


async def work() -> int: ...


async def takes(a: int, b: int = 0) -> int: ...


def told(hand: ByHand, id: str) -> list[str]:
    return list(story(hand.root, hand.index(id), hand.core.started))


def why(hand: ByHand, id: str) -> str:
    root = hand.root
    return reason(root.plan, root.state, root.node_details, hand.index(id))


def test_a_retried_node_run_tells_each_attempt() -> None:
    graph = Graph("retried")
    graph.function(
        work, policy=Policy(retry=Retry(attempts=2, base_delay_seconds=0), on_error="continue")
    )
    hand = ByHand(graph).start()
    hand.wait(1.5)
    hand.fail("work", OSError("first")).wait(0.25)
    assert told(hand, "work") == [
        "work (function)",
        "0.000 s: ready",
        "0.000 s: started",
        "1.500 s: attempt 1 failed: OSError: first; next in 0.000 s",
        "now: running",
    ]
    hand.fail("work", OSError("second"))
    assert told(hand, "work")[-2:] == [
        "1.750 s: attempt 2 failed: OSError: second",
        "1.750 s: failed: OSError: second",
    ]


def test_a_pending_one_names_what_it_waits_for() -> None:
    graph = Graph("pending")
    a, b = graph.function(work, id="a"), graph.function(work, id="b")
    graph.function(takes, id="last", a=a, b=b, after=a)
    hand = ByHand(graph).start()
    assert told(hand, "last") == ["last (function)", "pending: waits for a, b"]
    hand.succeed("a", 1)
    assert told(hand, "last") == ["last (function)", "pending: waits for b"]


def test_a_container_tells_its_frames() -> None:
    body = Graph("body")
    body.function(work)
    graph = Graph("held")
    graph.loop("loop", _counting(), max_iterations=3, state=1)
    hand = ByHand(graph).start()
    hand.succeed("loop[0]/step", 2)
    assert told(hand, "loop")[-2:] == ["1 frames open, 1 begun before", "now: open"]


def _counting() -> Graph:
    body = Graph("counting")
    state = body.input("state", int)
    body.function(takes, id="step", a=state)
    return body


def test_the_reason_of_each_end() -> None:
    graph = Graph("reasons")
    road = graph.branch("road", lambda: "left", ("left", "right"))
    off = graph.function(work, id="off", after=road["right"])
    further = graph.function(takes, id="further", a=off)
    broken = graph.function(work, id="broken", policy=Policy(on_error="continue"))
    behind = graph.function(takes, id="behind", a=broken)
    graph.function(takes, id="last", a=behind, b=further)
    graph.function(work, id="fine")
    hand = ByHand(graph).start()
    hand.fail("broken", ValueError("bad value")).succeed("fine", 1)
    assert {id: why(hand, id) for id in ("off", "further", "broken", "behind", "last", "fine")} == {
        "off": "'road' did not pick 'right'",
        "further": "'off' was skipped",
        "broken": "ValueError: bad value",
        "behind": "'broken' failed",
        "last": "'behind' was blocked",
        "fine": "",
    }


@pytest.mark.parametrize("depth", [1, 3])
def test_the_address_of_a_nested_one_is_its_whole_path(depth: int) -> None:
    graph = Graph("bottom")
    graph.function(work)
    for level in range(depth):
        outer = Graph(f"level{level}")
        outer.subgraph(graph)
        graph = outer
    hand = ByHand(graph).start()
    [path] = hand.running
    assert path == "/".join([*(f"level{n}" for n in reversed(range(depth - 1))), "bottom", "work"])
    attempt = hand.running[path]
    assert story(attempt.frame, attempt.index, hand.core.started)[0] == f"{path} (function)"
