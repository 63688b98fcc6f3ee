"""
From a finished core to a `Result`.

Values, node runs and status read off its frames, when they are asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from dagorch.errors import BudgetExceededError, RunError
from dagorch.graph.plan import ATTEMPT_KINDS, Plan
from dagorch.models.result import NodeRun, Result, RunStatus
from dagorch.models.usage import NOTHING_USED, Bill
from dagorch.scheduler.closed_frames import unpack
from dagorch.scheduler.core import Core
from dagorch.scheduler.frames import missing_output_error
from dagorch.scheduler.records import MISSING, RELEASED, FrameGroup, NodeDetails
from dagorch.scheduler.states import State
from dagorch.scheduler.story import NodeRunRecords, ended_story, reason

__all__ = ["result_of", "run_error"]

V = TypeVar("V")
_COMPLETED = int(State.COMPLETED)


class _Lazy(Mapping[str, V], Generic[V]):
    """A mapping made when it is first looked into: most runs are never asked for all of it."""

    __slots__ = ("_data", "_make")

    def __init__(self, make: Callable[[], dict[str, V]]) -> None:
        self._make: Callable[[], dict[str, V]] | None = make
        self._data: dict[str, V] = {}

    def _all(self) -> dict[str, V]:
        if self._make is not None:
            self._data = self._make()
            self._make = None
        return self._data

    def __getitem__(self, key: str) -> V:
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


def result_of(core: Core, graph: Any, dropped_events: int) -> Result:
    """Give what a run came to, finished or not."""
    root = core.root
    assert root is not None
    plan = core.plan

    def values() -> dict[str, Any]:
        return {
            plan.nodes[i].id: root.values[i]
            for i in range(plan.size)
            if root.state[i] == _COMPLETED and root.values[i] is not RELEASED
        }

    def left() -> dict[str, Any]:
        return _left(core)

    def node_runs() -> dict[str, NodeRun]:
        return _node_runs(core)

    def expansions() -> dict[str, Plan]:
        return _expansions(core)

    def loops() -> dict[str, tuple[tuple[Any, ...], bool]]:
        return _loops(core)

    if plan.single_output:
        index = plan.outputs[0]
        output = root.values[index] if root.state[index] == _COMPLETED else None
    else:
        output = {
            id: root.values[i]
            for id, i in zip(plan.output_ids, plan.outputs, strict=True)
            if root.state[i] == _COMPLETED
        }
    return Result(
        run_id=core.run_id,
        graph=graph,
        status=_status(core),
        output=output,
        values=_Lazy(values),
        inner_values=_Lazy(left),
        node_runs=_Lazy(node_runs),
        loops=_Lazy(loops),
        expansions=_Lazy(expansions),
        usage=core.usage,
        duration_seconds=core.now - core.started,
        dropped_events=dropped_events,
    )


def _status(core: Core) -> RunStatus:
    root = core.root
    assert root is not None
    if core.cancelled is not None or not core.finished:
        return "cancelled"
    if root.stop_error is not None:
        return "failed"
    ends = [State(root.state[i]) for i in core.plan.outputs]
    if all(end in (State.COMPLETED, State.SKIPPED) for end in ends):
        return "completed"
    return "partial" if State.COMPLETED in ends else "failed"


def run_error(core: Core, result: Result) -> RunError | None:
    """
    The error that a finished run raises, or None if it raises none.

    A budget stop or the run's own deadline is raised as it is; what a node failed with is the
    cause of a `RunError` that names the node and tells its story.
    """
    root = core.root
    assert root is not None
    if result.status not in ("failed", "cancelled"):
        return None
    if core.cancelled is not None:
        return RunError(f"the run was cancelled: {core.cancelled}", partial_results=result)
    cause = root.stop_error
    if cause is None:
        broken = [i for i in core.plan.outputs if root.state[i] != State.SKIPPED]
        cause = missing_output_error(root, broken[0])
    index = next((i for i, facts in root.node_details.items() if facts.error is cause), None)
    ceiling = isinstance(cause, BudgetExceededError) and cause.partial_results is None
    if isinstance(cause, RunError) and (index is None or ceiling):
        cause.partial_results = result
        return cause
    way = list(_way(core, index, cause)) if index is not None else []
    path = way[-1][0] if way else ""
    name = type(cause).__name__
    error = RunError(
        f"node {path!r} failed: {name}: {cause}" if path else f"{name}: {cause}",
        path=path,
        story=[line for _, lines in way for line in lines],
        partial_results=result,
    )
    error.__cause__ = cause
    return error


def _way(core: Core, index: int, cause: BaseException) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give path and story of a node run of the root, then of what failed inside of it with that."""
    root = core.root
    assert root is not None
    prefix, known = "", NodeRunRecords(core.plan, root.state, root.times, root.node_details)
    groups = root.closed_frames.get(index, [])
    while True:
        path = prefix + known.plan.nodes[index].id
        yield path, ended_story(known, path, index, core.started)
        found = _broken(groups, cause)
        if found is None:
            return
        number, index, known, groups = found
        prefix = f"{path}{number}/"


def _broken(
    groups: list[FrameGroup], cause: BaseException
) -> tuple[str, int, NodeRunRecords, list[FrameGroup]] | None:
    """Find the frame that broke for a cause: its number, which node run failed, what it knows."""
    for group in reversed(groups):
        for number, record in reversed(list(group.numbered_frames())):
            states, times, facts, inner = unpack(group.plan, record)
            for index, fact in facts.items():
                if fact.error is cause:
                    known = NodeRunRecords(group.plan, states, times, facts)
                    return number, index, known, inner.get(index, [])
    return None


def _node_runs(core: Core) -> dict[str, NodeRun]:
    """Every node run by path: those of the root, then frame by frame those inside."""
    root = core.root
    assert root is not None
    runs: dict[str, NodeRun] = {}
    stack: list[
        tuple[str, Plan, bytes, array[float], dict[int, NodeDetails], dict[int, list[FrameGroup]]]
    ] = [("", core.plan, bytes(root.state), root.times, root.node_details, root.closed_frames)]
    while stack:
        prefix, plan, states, times, facts, children = stack.pop()
        for index in range(plan.size):
            path = prefix + plan.nodes[index].id
            runs[path] = _node_run(core, path, plan, states, times, facts, index)
        for index, groups in reversed(children.items()):
            id = plan.nodes[index].id
            for group in reversed(groups):
                for number, record in reversed(list(group.numbered_frames())):
                    stack.append(
                        (f"{prefix}{id}{number}/", group.plan, *unpack(group.plan, record))
                    )
    return runs


def _groups(core: Core) -> Iterator[tuple[str, int, Plan, FrameGroup]]:
    """Every group of frames: the path of its node run, and that one's place in which plan."""
    root = core.root
    assert root is not None
    stack: list[tuple[str, Plan, dict[int, list[FrameGroup]]]] = [
        ("", core.plan, root.closed_frames)
    ]
    while stack:
        prefix, plan, children = stack.pop()
        for index, groups in children.items():
            path = prefix + plan.nodes[index].id
            for group in groups:
                yield path, index, plan, group
                for number, record in group.numbered_frames():
                    stack.append((f"{path}{number}/", group.plan, unpack(group.plan, record)[3]))


def _expansions(core: Core) -> dict[str, Plan]:
    """The plans that were made at run time, by the path of the node run that gave them."""
    return {
        path: group.plan
        for path, index, plan, group in _groups(core)
        if group.plan is not plan.bodies.get(index) and group.plan is not plan.fallbacks.get(index)
    }


def _loops(core: Core) -> dict[str, tuple[tuple[Any, ...], bool]]:
    """Of each loop that completed, by path: the state after each pass, and if it converged."""
    return {
        path: (group.history, group.converged)
        for path, _, _, group in _groups(core)
        if group.history is not None
    }


def _left(core: Core) -> dict[str, Any]:
    """The values inside of what did not complete, by path."""
    return {
        f"{path}{group.number(label)}/{group.plan.nodes[index].id}": value
        for path, _, _, group in _groups(core)
        for label, values in _left_of(group)
        for index, value in values.items()
    }


def _left_of(group: FrameGroup) -> Iterator[tuple[int, dict[int, Any]]]:
    """What broken frames had completed, and what whole ones had given to a container that broke."""
    yield from (group.values or {}).items()
    plan = group.plan
    for label, value in enumerate(group.results):
        if value is MISSING or isinstance(value, BaseException):
            continue  # an item that failed, or was not reached
        if plan.single_output:
            yield label, {plan.outputs[0]: value}
        else:
            places = zip(plan.output_ids, plan.outputs, strict=True)
            yield label, {index: value[id] for id, index in places if id in value}


def _bills(core: Core, known: NodeDetails) -> tuple[Bill, ...]:
    models = list(core.models)
    return tuple(Bill(*models[model], attempt, usage) for attempt, model, usage in known.bills)


def _node_run(
    core: Core,
    path: str,
    plan: Plan,
    states: bytes,
    times: array[float],
    facts: dict[int, NodeDetails],
    index: int,
) -> NodeRun:
    ready, started, ended = times[3 * index : 3 * index + 3]
    state = State(states[index])
    known = facts.get(index)
    attempts = 0
    if started >= 0 and plan.kinds[index] in ATTEMPT_KINDS:
        failures = known.failures if known else 0
        attempts = failures + (state == State.COMPLETED and not (known and known.recovered_from))
        attempts = max(attempts, 1)
    return NodeRun(
        path=path,
        kind=plan.nodes[index].kind.value,
        end=state.name.lower(),  # type: ignore[arg-type]  # the names of the ends
        ready_seconds=ready - core.started if ready >= 0 else None,
        started_seconds=started - core.started if started >= 0 else None,
        ended_seconds=ended - core.started,
        attempts=attempts,
        usage=known.usage if known else NOTHING_USED,
        bills=_bills(core, known) if known is not None and known.bills else (),
        error=known.error if known and state == State.FAILED else None,
        recovered_from=known.recovered_from if known else None,
        reason=reason(plan, states, facts, index),
    )
