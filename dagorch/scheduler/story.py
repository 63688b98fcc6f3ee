"""
The story of a node run, told from its frame's records.

What happened, when, and what it waits for.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from dagorch.graph.plan import Plan
from dagorch.scheduler.frames import Facts, Frame
from dagorch.scheduler.states import State

if TYPE_CHECKING:
    from dagorch.scheduler.run_state import RunState

__all__ = ["Known", "ended_story", "reason", "story"]


def story(core: RunState, frame: Frame, index: int) -> tuple[str, ...]:
    """Give a line a step, times in seconds since the run's start."""
    known = Known(frame.plan, frame.state, frame.times, frame.facts)
    if State(frame.state[index]).is_end:
        return ended_story(core, frame.path_of(index), known, index)
    lines = _steps(core, frame.path_of(index), known, index)
    box = frame.containers.get(index)
    if box is not None:
        lines.append(
            f"{len(box.frames)} frames open, {box.iteration or box.next_item} begun before"
        )
    state = State(frame.state[index])
    if state == State.PENDING:
        lines.append(f"pending: waits for {', '.join(_waits_for(frame, index)) or 'nothing'}")
    else:
        lines.append(f"now: {state.name.lower()}")
    return tuple(lines)


class Known(NamedTuple):
    """What a frame, or the record of one that has closed, knows of its node runs."""

    plan: Plan
    states: bytes | bytearray
    times: array[float]
    facts: Mapping[int, Facts]


def ended_story(core: RunState, path: str, known: Known, index: int) -> tuple[str, ...]:
    """Give the same for a node run that has ended, whose frame may have closed."""
    state, ended = State(known.states[index]), known.times[3 * index + 2]
    why = reason(known.plan, known.states, known.facts, index)
    end = f"{ended - core.started:.3f} s: {state.name.lower()}{': ' + why if why else ''}"
    return (*_steps(core, path, known, index), end)


def _steps(core: RunState, path: str, known: Known, index: int) -> list[str]:
    lines = [f"{path} ({known.plan.nodes[index].kind.value})"]
    ready, started = known.times[3 * index : 3 * index + 2]
    if ready >= 0:
        lines.append(f"{ready - core.started:.3f} s: ready")
    if started >= 0:
        lines.append(f"{started - core.started:.3f} s: started")
    facts = known.facts.get(index)
    if facts is not None:
        lines += facts.retries
    return lines


def _waits_for(frame: Frame, index: int) -> list[str]:
    plan = frame.plan
    sources = (plan.edge_source[e] for e in range(plan.in_start[index], plan.in_start[index + 1]))
    return [plan.nodes[s].id for s in dict.fromkeys(sources) if frame.state[s] < State.COMPLETED]


def reason(plan: Plan, states: bytes | bytearray, facts: Mapping[int, Facts], index: int) -> str:
    """Why a node run was skipped or blocked, or what it failed with; empty for other ends."""
    state = states[index]
    if state == State.FAILED:
        error = facts[index].error
        return f"{type(error).__name__}: {error}"
    if state not in (State.SKIPPED, State.BLOCKED):
        return ""
    causes: dict[str, None] = {}
    for edge in range(plan.in_start[index], plan.in_start[index + 1]):
        source = plan.edge_source[edge]
        end = State(states[source])
        name = repr(plan.nodes[source].id)
        if end == State.COMPLETED:
            labels = plan.labels.get(edge)
            if state == State.SKIPPED and labels and labels.isdisjoint(facts[source].picked):
                causes.setdefault(f"{name} did not pick {' or '.join(map(repr, sorted(labels)))}")
        elif (end == State.SKIPPED) == (state == State.SKIPPED):
            causes.setdefault(
                f"{name} was {end.name.lower()}" if end != State.FAILED else f"{name} failed"
            )
    return ", ".join(causes)
