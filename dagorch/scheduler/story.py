"""The story of a node run: what happened to it, when, and what it waits for."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import NamedTuple

from dagorch.graph.plan import Plan
from dagorch.models.user_objects import error_text
from dagorch.scheduler.records import Frame, NodeDetails
from dagorch.scheduler.states import State

__all__ = ["NodeRunRecords", "ended_story", "reason", "story"]


class NodeRunRecords(NamedTuple):
    """What an open frame, or one that has closed, knows of its node runs."""

    plan: Plan
    states: bytes | bytearray
    times: array[float]
    details: Mapping[int, NodeDetails]


def story(frame: Frame, index: int, run_started: float) -> tuple[str, ...]:
    """Return a line per step of a node run, with seconds since the run's start."""
    records = NodeRunRecords(frame.plan, frame.state, frame.times, frame.node_details)
    path, state = frame.path_of(index), State(frame.state[index])
    if state.is_end:
        return ended_story(records, path, index, run_started)
    lines = _steps(records, path, index, run_started)
    container = frame.containers.get(index)
    if container is not None:
        begun = container.iteration or container.next_item
        lines.append(f"{len(container.frames)} frames open, {begun} begun before")
    if state == State.PENDING:
        lines.append(f"pending: waits for {', '.join(_waits_for(frame, index)) or 'nothing'}")
    else:
        lines.append(f"now: {state.name.lower()}")
    return tuple(lines)


def ended_story(
    records: NodeRunRecords, path: str, index: int, run_started: float
) -> tuple[str, ...]:
    """Return the same for a node run that has ended; its frame may have closed."""
    state, ended = State(records.states[index]), records.times[3 * index + 2]
    why = reason(records.plan, records.states, records.details, index)
    end = f"{ended - run_started:.3f} s: {state.name.lower()}{': ' + why if why else ''}"
    return (*_steps(records, path, index, run_started), end)


def _steps(records: NodeRunRecords, path: str, index: int, run_started: float) -> list[str]:
    lines = [f"{path} ({records.plan.nodes[index].kind.value})"]
    ready, started = records.times[3 * index : 3 * index + 2]
    if ready >= 0:
        lines.append(f"{ready - run_started:.3f} s: ready")
    if started >= 0:
        lines.append(f"{started - run_started:.3f} s: started")
    details = records.details.get(index)
    if details is not None:
        lines += details.story_lines
    return lines


def _waits_for(frame: Frame, index: int) -> list[str]:
    plan = frame.plan
    sources = (plan.edge_source[e] for e in range(plan.in_start[index], plan.in_start[index + 1]))
    return [plan.nodes[s].id for s in dict.fromkeys(sources) if frame.state[s] < State.COMPLETED]


def reason(
    plan: Plan, states: bytes | bytearray, details: Mapping[int, NodeDetails], index: int
) -> str:
    """Return why a node run failed, was skipped or blocked; empty for other ends."""
    state, own = states[index], details.get(index)
    error = own.error if own is not None and state == State.FAILED else None
    if own is not None and state == State.SKIPPED:
        error = own.refusal
    if error is not None:
        return f"{type(error).__name__}: {error_text(error)}"
    if state not in (State.SKIPPED, State.BLOCKED):
        return ""
    causes: dict[str, None] = {}
    for edge in range(plan.in_start[index], plan.in_start[index + 1]):
        source = plan.edge_source[edge]
        end = State(states[source])
        name = repr(plan.nodes[source].id)
        if end == State.COMPLETED:
            labels = plan.labels.get(edge)
            if (
                state == State.SKIPPED
                and labels
                and labels.isdisjoint(details[source].picked_labels)
            ):
                causes.setdefault(f"{name} did not pick {' or '.join(map(repr, sorted(labels)))}")
        elif (end == State.SKIPPED) == (state == State.SKIPPED):
            causes.setdefault(
                f"{name} was {end.name.lower()}" if end != State.FAILED else f"{name} failed"
            )
    return ", ".join(causes)
