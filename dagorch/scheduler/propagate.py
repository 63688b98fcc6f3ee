"""
What the end of a node run means for the others.

Edges resolve, nodes run, are skipped or blocked, merges fire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagorch.errors import QuorumError
from dagorch.graph.plan import MERGE
from dagorch.nodes.merge import Merge
from dagorch.scheduler.frames import Frame
from dagorch.scheduler.states import State

if TYPE_CHECKING:
    from dagorch.scheduler.noderuns import NodeRuns

__all__ = ["close_other_edges", "judge", "merge_values", "release"]

_PENDING = int(State.PENDING)
_COMPLETED = int(State.COMPLETED)
_SKIPPED = int(State.SKIPPED)
DEAD, REQUIRED_DEAD, BROKEN = range(3)


def release(core: NodeRuns, frame: Frame, index: int, start: int = 0) -> None:
    """Resolve every edge out of an ended node run; whoever waits for none any more is judged."""
    plan = frame.plan
    edges = plan.out_edges[index]
    pending = frame.pending
    targets = plan.edge_target
    completed = frame.state[index] == _COMPLETED
    simple = completed and plan.unconditional[index] and frame.closed_edges is None
    for place in range(start, len(edges)):
        if frame.stopping:  # whatever still waits is cancelled, not blocked
            return
        if core.allowance <= 0:
            core.agenda.appendleft((release, frame, index, place))
            return
        edge = edges[place]
        target = targets[edge]
        if not simple:
            if frame.closed_edges is not None and edge in frame.closed_edges:
                continue
            if frame.state[target] != _PENDING:
                continue
            _mark(frame, edge, target, completed, index)
        left = pending[target] - 1
        pending[target] = left
        core.allowance -= 1
        if not left and simple and plan.slot_only[target] and target not in frame.marks:
            core.make_ready(frame, target)
        elif not left or (not simple and plan.kinds[target] == MERGE):
            judge(core, frame, target)


def _mark(frame: Frame, edge: int, target: int, completed: bool, source: int) -> None:
    """Note what became of an edge; a live one only where a merge may fold some and not others."""
    plan = frame.plan
    labels = plan.labels.get(edge)
    kind = plan.kinds[target]
    if edge >= plan.control_edges_start.get(target, plan.edges):
        target = ~target  # a merge's `after`: counted apart from what it joins
    if completed and (labels is None or not labels.isdisjoint(frame.facts[source].picked)):
        if kind == MERGE:
            frame.arrived.setdefault(target, []).append(edge)
        return
    marks = frame.marks.get(target)
    if marks is None:
        marks = frame.marks[target] = [0, 0, 0]
    if completed or frame.state[source] == _SKIPPED:
        marks[DEAD] += 1
        marks[REQUIRED_DEAD] += plan.required[edge]
    else:
        marks[BROKEN] += 1


def judge(core: NodeRuns, frame: Frame, index: int) -> None:
    """Decide what a pending node run comes to, if that can be told yet."""
    marks = frame.marks.get(index)
    pending = frame.pending[index]
    if frame.plan.kinds[index] == MERGE:
        _judge_merge(core, frame, index, marks, pending)
    elif pending:
        return
    elif marks is None:
        core.make_ready(frame, index)
    elif marks[BROKEN]:
        core.end(frame, index, State.BLOCKED)
    elif marks[REQUIRED_DEAD] or marks[DEAD] == frame.plan.in_degree[index]:
        core.end(frame, index, State.SKIPPED)
    else:
        core.make_ready(frame, index)


def _judge_merge(
    core: NodeRuns, frame: Frame, index: int, marks: list[int] | None, pending: int
) -> None:
    """
    Decide a merge; with an `after`, as if its other edges came to light when those had.

    A quorum out of reach is told only once one edge lives or none is pending: then the verdict
    is the same whatever order the sources end in.
    """
    node = frame.plan.nodes[index]
    assert isinstance(node, Merge)
    dead, _, broken = marks or (0, 0, 0)
    joined = frame.plan.in_degree[index]
    if index in frame.plan.control_edges_start:
        joined = frame.plan.control_edges_start[index] - frame.plan.in_start[index]
        if not _gate_is_open(core, frame, index, joined, pending):
            return
        pending = joined - len(frame.arrived.get(index, ())) - dead - broken
    live = joined - pending - dead - broken
    quorum = node.quorum
    if quorum and live >= quorum:
        core.make_ready(frame, index)
        close_other_edges(core, frame, index)
    elif not live:
        if not pending:
            core.end(frame, index, State.BLOCKED if broken else State.SKIPPED)
    elif quorum:
        if live + pending < quorum:
            error = QuorumError(
                f"merge {node.id!r} needs {quorum} of {joined} sources, but only "
                f"{live + pending} can still give a value",
                path=frame.path_of(index),
            )
            core.move(frame, index, State.READY)
            core.fail(frame, index, error)
            close_other_edges(core, frame, index)
    elif not pending:
        if broken and not node.tolerate_failures:
            core.end(frame, index, State.BLOCKED)
        else:
            core.make_ready(frame, index)


def _gate_is_open(core: NodeRuns, frame: Frame, index: int, joined: int, pending: int) -> bool:
    """
    Whether what a merge comes after lets it be decided.

    If it never will, the merge ends with its last edge.
    """
    dead, required_dead, broken = frame.marks.get(~index) or (0, 0, 0)
    if broken or required_dead:
        if not pending:
            core.end(frame, index, State.BLOCKED if broken else State.SKIPPED)
        return False
    return len(frame.arrived.get(~index, ())) + dead == frame.plan.in_degree[index] - joined


def merge_values(frame: Frame, index: int) -> list[object]:
    """The values of a merge's live edges, in edge order; of a quorum's, only those it fired on."""
    plan = frame.plan
    node = plan.nodes[index]
    assert isinstance(node, Merge)
    if node.quorum:
        return [
            frame.values[plan.edge_source[edge]]
            for edge in sorted(frame.arrived[index][: node.quorum])
        ]
    values = []
    for edge in range(
        plan.in_start[index], plan.control_edges_start.get(index, plan.in_start[index + 1])
    ):
        source = plan.edge_source[edge]
        labels = plan.labels.get(edge)
        if frame.state[source] == _COMPLETED and (
            labels is None or not labels.isdisjoint(frame.facts[source].picked)
        ):
            values.append(frame.values[source])
    return values


def close_other_edges(core: NodeRuns, frame: Frame, index: int) -> None:
    """Close the edges that a node run no longer needs, and cancel what nothing waits for."""
    plan = frame.plan
    if frame.closed_edges is None:
        frame.closed_edges = set()
        frame.detour = True
        frame.open_out = [len(edges) for edges in plan.out_edges]
    assert frame.open_out is not None
    for edge in range(plan.in_start[index], plan.in_start[index + 1]):
        source = plan.edge_source[edge]
        if edge in frame.closed_edges or frame.state[source] >= _COMPLETED:
            continue
        frame.closed_edges.add(edge)
        frame.open_out[source] -= 1
        if not frame.open_out[source] and not plan.protected[source]:
            core.agenda.append((_abandon, frame, source))


def _abandon(core: NodeRuns, frame: Frame, index: int) -> None:
    """Cancel a node run that nothing waits for; what it needed may go in turn."""
    if frame.stopping or frame.state[index] >= _COMPLETED:
        return
    core.cancel(frame, index)
    close_other_edges(core, frame, index)
