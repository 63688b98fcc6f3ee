"""A simulated schedule against a naive tick-by-tick one, and against known bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

import networkx
from hypothesis import given
from hypothesis import strategies as st

from dagorch.graph.makespan import Step, makespan


@st.composite
def schedules(draw: st.DrawFn, *, bounded: bool = True, begun: bool = True) -> list[Step]:
    """Draw steps of whole seconds, numbered in any order."""
    size = draw(st.integers(1, 9))
    numbers = draw(st.permutations(range(size)))
    steps: list[Step] = [Step(0.0)] * size
    for place, number in enumerate(numbers):
        before = draw(st.lists(st.sampled_from(numbers[:place]), unique=True)) if place else []
        seconds = draw(st.integers(0, 5))
        count = draw(st.integers(0, 6))
        most = draw(st.none() | st.integers(1, 3)) if bounded else None
        # A begun step has no unfinished predecessor.
        left = draw(st.lists(st.integers(1, 5), max_size=2)) if begun and not before else []
        steps[number] = Step(float(seconds), tuple(before), count, most, tuple(map(float, left)))
    return steps


@dataclass
class Slow:
    """A step of the plain schedule."""

    left: int
    at_work: list[int] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return not self.left and not self.at_work


def tick_by_tick(steps: list[Step], slots: int) -> int:
    """Check every step each second, and start the ready ones by rank."""
    graph: networkx.DiGraph[int] = networkx.DiGraph()
    graph.add_nodes_from(range(len(steps)))
    graph.add_edges_from((b, n) for n, step in enumerate(steps) for b in step.after)
    rank: dict[int, float] = {}
    for n in reversed(list(networkx.topological_sort(graph))):
        own = steps[n].seconds * -(-steps[n].count // min(steps[n].max_at_once or slots, slots))
        rank[n] = max([own, *steps[n].running]) + max((rank[t] for t in graph[n]), default=0)
    states = [Slow(step.count, [int(left) for left in step.running]) for step in steps]
    order = sorted(rank, key=lambda n: (-rank[n], n))
    now = 0
    while True:
        done: set[int] = set()
        while True:  # a step of no time ends at once, and so may its successors
            for n, state in enumerate(states):
                if not steps[n].seconds and done.issuperset(steps[n].after):
                    state.left = 0
            more = {
                n
                for n, state in enumerate(states)
                if state.is_done and done.issuperset(steps[n].after)
            }
            if more == done:
                break
            done = more
        if len(done) == len(steps):
            return now
        for n in order:
            while (
                states[n].left
                and done.issuperset(steps[n].after)
                and len(states[n].at_work) < (steps[n].max_at_once or slots)
                and sum(len(state.at_work) for state in states) < slots
            ):
                states[n].left -= 1
                states[n].at_work.append(int(steps[n].seconds))
        now += 1
        for state in states:
            state.at_work = [left - 1 for left in state.at_work if left > 1]


@given(schedules(), st.integers(1, 5))
def test_the_makespan_equals_a_tick_by_tick_schedule(steps: list[Step], slots: int) -> None:
    assert makespan(steps, slots) == tick_by_tick(steps, slots)


def longest_chain(steps: list[Step]) -> float:
    """Return networkx's longest path; each edge has the weight of the step it leaves."""
    graph: networkx.DiGraph[int] = networkx.DiGraph()
    for number, step in enumerate(steps):
        graph.add_edge(number, -1, weight=step.seconds if step.count else 0.0)
        for before in step.after:
            own = steps[before]
            graph.add_edge(before, number, weight=own.seconds if own.count else 0.0)
    return float(networkx.dag_longest_path_length(graph))


@given(schedules(bounded=False, begun=False), st.integers(1, 5))
def test_the_makespan_is_within_grahams_bounds(steps: list[Step], slots: int) -> None:
    work = sum(step.seconds * step.count for step in steps)
    span = longest_chain(steps)
    took = makespan(steps, slots)
    assert max(work / slots, span) <= took <= work / slots + span


@given(schedules(bounded=False, begun=False))
def test_with_unlimited_slots_the_makespan_is_the_longest_chain(steps: list[Step]) -> None:
    assert makespan(steps, 100) == longest_chain(steps)


def test_a_hundred_thousand_pieces_are_simulated_in_bundles() -> None:
    assert makespan([Step(0.5, count=100_000)], 8) == 6_250.0


def test_an_empty_schedule_takes_no_time() -> None:
    assert makespan([], 1) == 0.0
