"""From a finished core to a `Result`. Most of it is read off the frames only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from dagorch.errors import BudgetExceededError, InvariantError, ItemError, RunError
from dagorch.graph.definition import Definition
from dagorch.graph.plan import ATTEMPT_KINDS, Plan
from dagorch.ids import NodePath
from dagorch.models.result import NodeRun, Result, RunStatus
from dagorch.models.usage import NOTHING_USED, Bill, Usage
from dagorch.models.user_objects import error_text
from dagorch.runner.tracebacks import begin_at_user_code
from dagorch.scheduler.closed_frames import unpack
from dagorch.scheduler.containers import missing_output_error
from dagorch.scheduler.core import Core
from dagorch.scheduler.records import MISSING, RELEASED, Frame, FrameGroup, NodeDetails
from dagorch.scheduler.states import State
from dagorch.scheduler.story import NodeRunRecords, ended_story, reason

__all__ = ["engine_error", "result_of", "run_error"]

V = TypeVar("V")
_COMPLETED = int(State.COMPLETED)
_NO_BODY = Definition()


class _Lazy(Mapping[str, V], Generic[V]):
    """A mapping made on first use: most runs are never asked for all of it."""

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


class _Values(Mapping[str, Any]):
    """The values of the nodes at the top of a run, by id."""

    __slots__ = ("_root",)

    def __init__(self, root: Frame) -> None:
        self._root = root

    def __getitem__(self, id: str) -> Any:
        index = self._root.plan.index(id)
        if not self._has(index):
            raise KeyError(id)
        return self._root.values[index]

    def __iter__(self) -> Iterator[str]:
        return (node.id for index, node in enumerate(self._root.plan.nodes) if self._has(index))

    def __len__(self) -> int:
        return sum(map(self._has, range(self._root.plan.size)))

    def _has(self, index: int) -> bool:
        return self._root.state[index] == _COMPLETED and self._root.values[index] is not RELEASED

    def __repr__(self) -> str:
        return repr(dict(self))


class _NodeRuns(Mapping[str, NodeRun]):
    """
    The node runs of a run by path: those at the top, then frame by frame those inside.

    A record is made when it is asked for, and kept. One inside a container is found with all
    others.
    """

    __slots__ = ("_core", "_inner", "_models", "_records", "_top")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._records = _root_view(core).records
        self._models = list(core.models)
        self._top: dict[str, NodeRun] = {}
        self._inner: _Lazy[NodeRun] = _Lazy(self._make_inner)

    def __getitem__(self, path: str) -> NodeRun:
        run = self._top.get(path)
        if run is not None:
            return run
        plan = self._records.plan
        if path not in plan:
            return self._inner[path]
        run = _node_run(self._core, path, self._records, plan.index(path), self._models)
        self._top[path] = run
        return run

    def __contains__(self, path: object) -> bool:
        return path in self._records.plan or path in self._inner

    def _make_inner(self) -> dict[str, NodeRun]:
        frames = _all_frames(self._core)
        next(frames)  # the root
        return {
            (path := prefix + node.id): _node_run(self._core, path, records, index, self._models)
            for prefix, records, _ in frames
            for index, node in enumerate(records.plan.nodes)
        }

    def __iter__(self) -> Iterator[str]:
        yield from (node.id for node in self._records.plan.nodes)
        yield from self._inner

    def __len__(self) -> int:
        return self._records.plan.size + len(self._inner)

    def __repr__(self) -> str:
        return repr(dict(self))


class _FrameView(NamedTuple):
    """A frame, open or closed: the prefix of its paths, its node runs, the frames inside it."""

    prefix: str
    records: NodeRunRecords
    groups: Mapping[int, list[FrameGroup]]


class _GroupView(NamedTuple):
    """A group of closed frames, and the node run that it is under."""

    path: str
    plan: Plan
    node: int
    group: FrameGroup


def result_of(core: Core, graph: Any, dropped_events: int) -> Result:
    """Return the result of a run, finished or not."""
    root, plan = _root(core), core.plan
    if plan.single_output:
        index = plan.outputs[0]
        output = root.values[index] if root.state[index] == _COMPLETED else None
    else:
        output = {
            id: root.values[index]
            for id, index in zip(plan.output_ids, plan.outputs, strict=True)
            if root.state[index] == _COMPLETED
        }
    return Result(
        run_id=core.run_id,
        graph=graph,
        status=_status(core),
        output=output,
        values=_Values(root),
        inner_values=_Lazy(partial(_inner_values, core)),
        node_runs=_NodeRuns(core),
        loops=_Lazy(partial(_loops, core)),
        expansions=_Lazy(partial(_expansions, core)),
        usage=core.usage,
        usage_by_model=_Lazy(partial(_usage_by_model, core)),
        duration_seconds=core.now - core.started,
        dropped_events=dropped_events,
        budget_error=core.dispatcher.over_budget,
        item_errors=_Lazy(partial(_item_errors, core)),
    )


def _root(core: Core) -> Frame:
    assert core.root is not None
    return core.root


def _status(core: Core) -> RunStatus:
    root = _root(core)
    if core.cancelled is not None or not core.finished:
        return "cancelled"
    if root.stop_error is not None:
        return "failed"
    ends = [State(root.state[index]) for index in core.plan.outputs]
    if all(end in (State.COMPLETED, State.SKIPPED) for end in ends):
        return "completed" if core.dispatcher.over_budget is None else "partial"
    return "partial" if State.COMPLETED in ends else "failed"


# -- errors -----------------------------------------------------------------------------------


def run_error(core: Core, result: Result) -> RunError | None:
    """
    Return the error that a finished run raises, or None.

    A budget stop and the run's own deadline are raised as they are. The error of a node is the
    cause of a `RunError` that names the node and tells its story.
    """
    root = _root(core)
    if result.status not in ("failed", "cancelled"):
        return None
    if core.cancelled is not None:
        return RunError(f"the run was cancelled: {core.cancelled}", partial_results=result)
    cause = root.stop_error
    if cause is None:
        broken = [index for index in core.plan.outputs if root.state[index] != State.SKIPPED]
        cause = missing_output_error(root, broken[0])
    index = next((i for i, details in root.node_details.items() if details.error is cause), None)
    is_ceiling = isinstance(cause, BudgetExceededError) and cause.partial_results is None
    if isinstance(cause, RunError) and (index is None or is_ceiling):
        cause.partial_results = result
        return cause
    trail = list(_trail(core, index, cause)) if index is not None else []
    path = trail[-1][0] if trail else ""
    name, text = type(cause).__name__, error_text(cause)
    error = RunError(
        f"node {path!r} failed: {name}: {text}" if path else f"{name}: {text}",
        path=path,
        story=[line for _, lines in trail for line in lines],
        partial_results=result,
    )
    begin_at_user_code(cause)
    error.__cause__ = cause
    if place := _place_of(result.graph, path):
        error.add_note(f"node {path!r} was added at {place}")
    return error


def engine_error(core: Core, graph: Any, error: Exception) -> InvariantError:
    """Return an error of the engine itself, with what had finished, as far as it can be read."""
    failure = error
    if not isinstance(failure, InvariantError):
        failure = InvariantError(
            f"the engine failed with {type(error).__name__}: {error_text(error)}; this is a bug in "
            "dagorch"
        )
        failure.__cause__ = error
    with suppress(
        Exception
    ):  # the core is broken; without partial results the error still says why
        failure.partial_results = result_of(core, graph, 0)
    return failure


def _place_of(graph: Definition, path: str) -> str:
    """Return the line that added a node; of a node made at run time, that of its container."""
    place, definition = "", graph
    for id in NodePath(path).in_plan.split("/"):
        entry = definition.entries.get(id)
        if entry is None:
            break
        place = entry.where
        definition = getattr(entry.node, "body", None) or _NO_BODY
    return place


def _trail(core: Core, index: int, cause: BaseException) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield path and story of a failed node run of the root, then of those inside it."""
    frame = _root_view(core)
    while True:
        path = frame.prefix + frame.records.plan.nodes[index].id
        yield path, ended_story(frame.records, path, index, core.started)
        groups = frame.groups.get(index, [])
        found = _find_cause(path, groups, cause)
        if found is None:
            return
        frame, index = found


def _find_cause(
    path: str, groups: list[FrameGroup], cause: BaseException
) -> tuple[_FrameView, int] | None:
    """Find the closed frame, and the node run in it, that failed with an error."""
    for group in reversed(groups):
        for frame in reversed(list(_frames_of(path, group))):
            for index, details in frame.records.details.items():
                if details.error is cause:
                    return frame, index
    return None


# -- frames -----------------------------------------------------------------------------------


def _root_view(core: Core) -> _FrameView:
    root = _root(core)
    records = NodeRunRecords(core.plan, bytes(root.state), root.times, root.node_details)
    return _FrameView("", records, root.closed_frames)


def _frames_of(path: str, group: FrameGroup) -> Iterator[_FrameView]:
    for suffix, closed in group.frames_with_suffix():
        states, times, details, groups = unpack(group.plan, closed)
        records = NodeRunRecords(group.plan, states, times, details)
        yield _FrameView(f"{path}{suffix}/", records, groups)


def _all_frames(core: Core) -> Iterator[_FrameView]:
    """Yield the root frame, then the closed ones, each before those inside it."""
    stack = [_root_view(core)]
    while stack:
        frame = stack.pop()
        yield frame
        inner = [
            view for found in _groups_of(frame) for view in _frames_of(found.path, found.group)
        ]
        stack.extend(reversed(inner))


def _groups_of(frame: _FrameView) -> Iterator[_GroupView]:
    plan = frame.records.plan
    for index, groups in frame.groups.items():
        path = frame.prefix + plan.nodes[index].id
        for group in groups:
            yield _GroupView(path, plan, index, group)


def _all_groups(core: Core) -> Iterator[_GroupView]:
    for frame in _all_frames(core):
        yield from _groups_of(frame)


# -- the parts of a result --------------------------------------------------------------------


def _expansions(core: Core) -> dict[str, Plan]:
    """The plans that were made at run time, by the path of the node run that returned them."""
    return {
        path: group.plan
        for path, plan, index, group in _all_groups(core)
        if group.plan is not plan.bodies.get(index) and group.plan is not plan.fallbacks.get(index)
    }


def _loops(core: Core) -> dict[str, tuple[tuple[Any, ...], bool, int]]:
    """Of each loop that completed, by path: its states, if it converged, and its passes."""
    return {
        path: (
            tuple(state for state in group.history if state is not MISSING),
            group.converged,
            len(group.history),
        )
        for path, _, _, group in _all_groups(core)
        if group.history is not None
    }


def _item_errors(core: Core) -> dict[str, ItemError]:
    """Why items failed that their maps continued without, by the item's path."""
    return {
        f"{path}[{label}]": error
        for path, _, _, group in _all_groups(core)
        for label, error in sorted((group.item_errors or {}).items())
    }


def _usage_by_model(core: Core) -> dict[str, Usage]:
    """The usage of each model by `service:model`, in the order of its node runs."""
    names = [f"{service}:{model}" for service, model in core.models]
    sums: dict[str, Usage] = {}
    for _, records, _ in _all_frames(core):
        for _, details in sorted(records.details.items()):
            for _, model, usage in details.bills:
                sums[names[model]] = sums.get(names[model], NOTHING_USED) + usage
    return sums


def _inner_values(core: Core) -> dict[str, Any]:
    """The values inside of what did not complete, by path."""
    return {
        f"{path}{group.suffix_of(label)}/{group.plan.nodes[index].id}": value
        for path, _, _, group in _all_groups(core)
        for label, values in _values_in(group)
        for index, value in values.items()
    }


def _values_in(group: FrameGroup) -> Iterator[tuple[int, dict[int, Any]]]:
    """Yield, by label, what had completed in frames without a value, and the values of the rest."""
    yield from (group.values or {}).items()
    plan = group.plan
    for label, value in enumerate(group.results):
        if value is MISSING or isinstance(value, BaseException):
            continue  # an item that failed or was not opened
        if plan.single_output:
            yield label, {plan.outputs[0]: value}
        else:
            outputs = zip(plan.output_ids, plan.outputs, strict=True)
            yield label, {index: value[id] for id, index in outputs if id in value}


def _node_run(
    core: Core, path: str, records: NodeRunRecords, index: int, models: list[tuple[str, str]]
) -> NodeRun:
    plan, states, times, all_details = records
    ready, started, ended = times[3 * index : 3 * index + 3]
    state = State(states[index])
    if not state.is_end:  # the engine broke before its end
        state, ended = State.CANCELLED, core.now
    details = all_details.get(index)
    attempts = 0
    if started >= 0 and plan.kinds[index] in ATTEMPT_KINDS:
        failures = details.failures if details else 0
        is_own = state == State.COMPLETED and not (details and details.recovered_from)
        was_cut_short = details is not None and details.was_cut_short
        attempts = max(failures + is_own + was_cut_short, 1)
    bills = details.bills if details is not None else ()
    return NodeRun(
        path=path,
        kind=plan.nodes[index].kind.value,
        end=state.name.lower(),  # type: ignore[arg-type]  # the names of the ends
        ready_seconds=ready - core.started if ready >= 0 else None,
        started_seconds=started - core.started if started >= 0 else None,
        ended_seconds=ended - core.started,
        attempts=attempts,
        usage=details.usage if details else NOTHING_USED,
        bills=tuple(Bill(*models[model], attempt, usage) for attempt, model, usage in bills),
        error=_error_of(details, state) if details is not None else None,
        recovered_from=details.recovered_from if details else None,
        reason=reason(plan, states, all_details, index),
    )


def _error_of(details: NodeDetails, state: State) -> BaseException | None:
    if state == State.SKIPPED:
        return details.refusal
    return details.error if state == State.FAILED else None
