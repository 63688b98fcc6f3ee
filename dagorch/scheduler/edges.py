"""
Edges: what the end of one node run means for those that wait for it.

Every rule here is a function of a frame and an edge or a node. It updates the frame's counts of
edges and returns what should happen: the state that a pending node run should go to, or None. The
core takes that step (`Core.take_step`). A new trigger rule for joins belongs in
`_judge_merge`; one that fires early must also clear `Plan.unconditional` of its sources.
"""

from __future__ import annotations

from typing import Any, Final

from dagorch.errors import QuorumError
from dagorch.graph.plan import MERGE, EdgeRule
from dagorch.nodes.merge import Merge
from dagorch.scheduler.records import EdgeCounts, Frame
from dagorch.scheduler.states import State

__all__ = [
    "close_inputs", "is_awaited", "judge", "merge_values", "quorum_error", "resolve",
]  # fmt: skip

_PENDING: Final = int(State.PENDING)
_COMPLETED: Final = int(State.COMPLETED)
_SKIPPED: Final = int(State.SKIPPED)
_REQUIRED, _ANY_END = int(EdgeRule.REQUIRED), int(EdgeRule.ANY_END)
_NONE: Final = EdgeCounts()


def is_awaited(frame: Frame, edge: int) -> bool:
    """Return whether the target of an edge still waits for it."""
    return frame.state[frame.plan.edge_target[edge]] == _PENDING and (
        frame.closed_edges is None or edge not in frame.closed_edges
    )


def resolve(frame: Frame, edge: int) -> State | None:
    """
    Resolve an awaited edge whose source has ended: live, dead or broken.

    An edge for any end is live, also if its source was cancelled because nothing needed it.

    Returns:
        What its target should become, or None if it stays pending.
    """
    plan = frame.plan
    source, target = plan.edge_source[edge], plan.edge_target[edge]
    state, is_merge = frame.state[source], plan.kinds[target] == MERGE
    rule = plan.edge_rules[edge]
    is_live = rule == _ANY_END or (state == _COMPLETED and _is_picked(frame, edge, source))
    if not is_live or is_merge:
        is_control = edge >= plan.control_edges_start.get(target, plan.edges)
        by_target = frame.control_counts if is_control else frame.edge_counts
        counts = by_target.get(target)
        if counts is None:
            counts = by_target[target] = EdgeCounts()
        if is_live:
            counts.live.append(edge)
        elif state in (_COMPLETED, _SKIPPED):
            counts.dead += 1
            counts.required_dead += rule == _REQUIRED
        else:
            counts.broken += 1
    frame.pending[target] -= 1
    return judge(frame, target) if is_merge or not frame.pending[target] else None


def _is_picked(frame: Frame, edge: int, source: int) -> bool:
    """Return whether an edge out of a completed node run is live: a branch may not pick it."""
    labels = frame.plan.labels.get(edge)
    return labels is None or not labels.isdisjoint(frame.node_details[source].picked_labels)


def judge(frame: Frame, index: int) -> State | None:
    """Return what a pending node run should become, or None if that is not yet known."""
    if frame.plan.kinds[index] == MERGE:
        return _judge_merge(frame, index)
    if frame.pending[index]:
        return None
    counts = frame.edge_counts.get(index)
    if counts is None:
        return State.READY
    if counts.broken:
        return State.BLOCKED
    if counts.required_dead or counts.dead == frame.plan.in_degree[index]:
        return State.SKIPPED
    return State.READY


def _judge_merge(frame: Frame, index: int) -> State | None:
    """
    Judge a merge. With an order, its other edges count only once those edges are live.

    A quorum out of reach is an error only once one edge is live or none is pending: the verdict
    is then the same for any order in which the sources end.
    """
    plan, node = frame.plan, frame.plan.nodes[index]
    assert isinstance(node, Merge)
    counts = frame.edge_counts.get(index, _NONE)
    pending, joined = frame.pending[index], plan.in_degree[index]
    if index in plan.control_edges_start:
        joined = plan.control_edges_start[index] - plan.in_start[index]
        control = frame.control_counts.get(index, _NONE)
        if control.broken or control.dead:  # it will never run, and ends with its last edge
            if pending:
                return None
            return State.BLOCKED if control.broken else State.SKIPPED
        if len(control.live) < plan.in_degree[index] - joined:
            return None
        pending = joined - len(counts.live) - counts.dead - counts.broken
    live = joined - pending - counts.dead - counts.broken
    quorum = node.quorum
    if quorum and live >= quorum:
        return State.READY
    if not live:
        if pending:
            return None
        return State.BLOCKED if counts.broken else State.SKIPPED
    if quorum:
        return State.FAILED if live + pending < quorum else None
    if pending:
        return None
    if counts.broken and not node.tolerate_failures:
        return State.BLOCKED
    return State.READY


def quorum_error(frame: Frame, index: int) -> QuorumError:
    """Return the error of a merge whose quorum is out of reach."""
    plan, node = frame.plan, frame.plan.nodes[index]
    assert isinstance(node, Merge)
    first, stop = plan.in_start[index], plan.in_start[index + 1]
    joined = plan.control_edges_start.get(index, stop) - first
    counts = frame.edge_counts.get(index, _NONE)
    reachable = joined - counts.dead - counts.broken
    return QuorumError(
        f"merge {node.id!r} needs {node.quorum} of {joined} sources, but only "
        f"{reachable} can still give a value",
        path=frame.path_of(index),
    )


def merge_values(frame: Frame, index: int) -> list[Any]:
    """Return the values of a merge's live edges, in edge order; of a quorum, those it fired on."""
    plan, node = frame.plan, frame.plan.nodes[index]
    assert isinstance(node, Merge)
    if node.quorum:
        live = frame.edge_counts[index].live[: node.quorum]
        return [frame.values[plan.edge_source[edge]] for edge in sorted(live)]
    values = []
    stop = plan.control_edges_start.get(index, plan.in_start[index + 1])
    for edge in range(plan.in_start[index], stop):
        source = plan.edge_source[edge]
        if frame.state[source] == _COMPLETED and _is_picked(frame, edge, source):
            values.append(frame.values[source])
    return values


def close_inputs(frame: Frame, index: int) -> list[int]:
    """
    Close the edges that a node run no longer needs.

    Returns:
        The node runs that should be cancelled, since no open edge leads out of them.
    """
    plan = frame.plan
    if frame.closed_edges is None:
        frame.closed_edges = set()
        frame.needs_slow_path = True
        frame.open_out_edges = plan.needed_by()
    assert frame.open_out_edges is not None
    unneeded = []
    for edge in range(plan.in_start[index], plan.in_start[index + 1]):
        source = plan.edge_source[edge]
        if edge in frame.closed_edges or frame.state[source] >= _COMPLETED:
            continue
        frame.closed_edges.add(edge)
        if plan.edge_rules[edge] == _ANY_END:  # it waits for its source but does not need it
            continue
        frame.open_out_edges[source] -= 1
        if not frame.open_out_edges[source] and not plan.protected[source]:
            unneeded.append(source)
    return unneeded
