"""
Frames: how subgraphs, loops, maps, fallbacks and expansions proceed under their node run.

Every rule here is a function of a frame and a node. It updates the node run's container and
returns the next step: a frame to open, an evaluation, or the node run's end. The core takes it
(`Core.proceed`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from dagorch.errors import BudgetExceededError, ItemError, ProviderError, RunError
from dagorch.graph.plan import LOOP, MAP, Plan
from dagorch.ids import FALLBACK
from dagorch.nodes.container import Loop, Map
from dagorch.scheduler.closed_frames import pack, unpack
from dagorch.scheduler.events import describe
from dagorch.scheduler.records import MISSING, Container, Evaluate, Frame, Purpose
from dagorch.scheduler.states import State

__all__ = [
    "OPEN_ITEMS", "STOPPED", "End", "OpenFrame", "OpenMap", "Step", "StopWith", "close",
    "frame_outcome", "is_service_wide", "map_ended", "missing_output_error",
    "next_item", "open_body", "open_container", "open_map", "too_many_node_runs",
    "until_evaluated",
]  # fmt: skip

_COMPLETED: Final = int(State.COMPLETED)
_SKIPPED: Final = int(State.SKIPPED)


# -- steps ------------------------------------------------------------------------------------


class OpenFrame:
    """Open a frame of the container's body."""

    __slots__ = ("inputs", "label")

    def __init__(self, inputs: dict[str, Any], label: int | None = None) -> None:
        self.inputs = inputs
        self.label = label


class OpenMap:
    """Begin a map over these items."""

    __slots__ = ("items",)

    def __init__(self, items: Any) -> None:
        self.items = items


class End:
    """End the node run: COMPLETED with a value, FAILED with an error, or SKIPPED."""

    __slots__ = ("error", "state", "value")

    def __init__(
        self, state: State, value: Any = MISSING, error: BaseException | None = None
    ) -> None:
        self.state = state
        self.value = value
        self.error = error


class StopWith:
    """Stop the container's other frames, then let the node run fail."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Signal:
    """A step without data."""

    __slots__ = ()


OPEN_ITEMS: Final = _Signal()
"""Open further items of a map, or complete it."""
STOPPED: Final = _Signal()
"""All frames of a container that was being stopped have closed."""

Step = OpenFrame | OpenMap | Evaluate | End | StopWith | _Signal | None
"""What a container does next; None: it waits for its other frames."""


# -- opening ----------------------------------------------------------------------------------


def open_container(frame: Frame, index: int) -> Step:
    """Give a loop, map or subgraph its container, and return its first step."""
    plan, inputs = frame.plan, frame.inputs_of(index)
    kind, node = plan.kinds[index], plan.nodes[index]
    container = Container(plan.bodies[index], inputs, None if kind in (LOOP, MAP) else "")
    frame.containers[index] = container
    if not isinstance(node, Loop | Map):
        return OpenFrame(inputs)
    container.parameter = node.parameter
    value = inputs[node.parameter]
    if kind == LOOP:
        return _next_pass(container, value)
    if type(value) in (list, tuple, range):  # not a subclass, whose methods are user code
        return OpenMap(value)
    assert isinstance(node, Map)
    return Evaluate(frame, index, Purpose.ITEMS, node.items_of, {}, value)


def open_body(
    frame: Frame, index: int, plan: Plan, inputs: dict[str, Any], error: BaseException | None
) -> Step:
    """
    Let a plan run in a node run's place: an expansion, or a fallback.

    `error` is what a fallback recovers from; None for an expansion.
    """
    suffix = "" if error is None else FALLBACK
    container = frame.containers[index] = Container(plan, inputs, suffix)
    container.recovering = error
    return OpenFrame(inputs)


def too_many_node_runs(path: str, max_node_runs: int) -> RunError:
    """Return the error of a container whose next frame would exceed the run's bound."""
    return RunError(
        f"opening {path!r} would make more than max_node_runs={max_node_runs} node runs; raise it "
        "if that many are meant",
        path=path,
    )


# -- loops ------------------------------------------------------------------------------------


def _next_pass(container: Container, state: Any) -> Step:
    return OpenFrame({**container.inputs, container.parameter: state}, container.iteration)


def _pass_ended(frame: Frame, index: int, state: Any) -> Step:
    container, node = frame.containers[index], frame.plan.nodes[index]
    assert isinstance(node, Loop)
    container.iteration += 1
    if frame.readers is not None and container.history:  # values are released after their use
        container.history[-1] = MISSING
    container.history.append(state)
    if node.until is not None:
        return Evaluate(frame, index, Purpose.UNTIL, node.until, {}, state)
    return until_evaluated(frame, index, is_done=False)


def until_evaluated(frame: Frame, index: int, *, is_done: bool) -> Step:
    """Return the next pass of a loop, or its end."""
    container, node = frame.containers[index], frame.plan.nodes[index]
    assert isinstance(node, Loop)
    assert node.max_iterations is not None
    if not is_done and container.iteration < node.max_iterations:
        return _next_pass(container, container.history[-1])
    return _loop_ended(frame, index, is_done=is_done)


def _loop_ended(frame: Frame, index: int, *, is_done: bool) -> End:
    container = frame.containers[index]
    state = container.history[-1]
    if frame.readers is not None:
        container.history[-1] = MISSING
    container.group.history, container.group.converged = tuple(container.history), is_done
    return End(State.COMPLETED, state)


# -- maps -------------------------------------------------------------------------------------


def open_map(frame: Frame, index: int, items: Any, max_parallel: int) -> Container:
    """Begin a map; `max_parallel` is its bound on open items unless it sets one."""
    container, node = frame.containers[index], frame.plan.nodes[index]
    assert isinstance(node, Map)
    container.items = items
    container.max_open = node.max_parallel or max_parallel
    container.results = [MISSING] * len(items)
    return container


def next_item(container: Container) -> OpenFrame:
    """Return the frame of the next item of a map."""
    label = container.next_item
    container.next_item += 1
    return OpenFrame({**container.inputs, container.parameter: container.items[label]}, label)


def map_ended(frame: Frame, index: int) -> End:
    """Return the end of a map whose items have all ended; SKIPPED if the budget left no value."""
    container = frame.containers[index]
    value = [value for value in container.results if value is not MISSING]
    if not value and container.over_budget is not None:
        frame.details(index).error = container.over_budget
        return End(State.SKIPPED)
    return End(State.COMPLETED, value)


def _item_ended(frame: Frame, index: int, item: Frame, outcome: End) -> Step:
    container, node = frame.containers[index], frame.plan.nodes[index]
    label = item.label
    assert isinstance(node, Map)
    assert label is not None
    if outcome.error is None:
        container.results[label] = outcome.value
    elif node.on_item_error == "fail" or is_service_wide(outcome.error):
        return StopWith(outcome.error)
    else:
        group = container.group
        group.item_errors = group.item_errors or {}
        error = group.item_errors[label] = ItemError(
            describe(outcome.error),
            path=f"{frame.path_of(index)}[{label}]",
            index=label,
            error=outcome.error,
            cost_usd=_cost_of(item),
        )
        if node.on_item_error == "collect":
            container.results[label] = error
    if container.next_item < len(container.items) or not container.frames:
        return OPEN_ITEMS
    return None


def _cost_of(frame: Frame) -> Decimal:
    """Return what the node runs of a frame that has closed cost, those inside them included."""
    total = sum((details.usage.cost_usd for details in frame.node_details.values()), Decimal(0))
    stack = [group for groups in frame.closed_frames.values() for group in groups]
    while stack:
        group = stack.pop()
        for _, closed in group.frames_with_suffix():
            _, _, found, inner = unpack(group.plan, closed)
            total += sum((details.usage.cost_usd for details in found.values()), Decimal(0))
            stack += [group for groups in inner.values() for group in groups]
    return total


# -- closing ----------------------------------------------------------------------------------


def close(frame: Frame) -> Step:
    """Close a frame whose node runs have all ended, and return the next step of its container."""
    parent, index = frame.parent, frame.parent_index
    assert parent is not None
    container = parent.containers[index]
    del container.frames[frame.serial]
    group = container.group
    if not group.frames:
        parent.closed_frames.setdefault(index, []).append(group)
    group.keep(frame.label, pack(frame))
    if container.stopping:
        group.keep_values(frame)
        return None if container.frames else STOPPED
    outcome = frame_outcome(frame)
    if outcome.error is not None:
        group.keep_values(frame)
    refusal = _refusal_behind(frame) if outcome.state is State.SKIPPED else None
    if refusal is not None:
        group.keep_values(frame)
        container.over_budget = refusal
    kind = parent.plan.kinds[index] if container.recovering is None else None
    if kind == MAP:
        return _item_ended(parent, index, frame, outcome)
    if kind == LOOP and outcome.state == _COMPLETED:
        return _pass_ended(parent, index, outcome.value)
    if kind == LOOP and refusal is not None and container.iteration:
        return _loop_ended(parent, index, is_done=False)
    if refusal is not None:
        parent.details(index).error = refusal
    return outcome


def frame_outcome(frame: Frame) -> End:
    """Return what a frame came to: a value, an error, or SKIPPED if its output was skipped."""
    if frame.stop_error is not None:
        return End(State.FAILED, error=frame.stop_error)
    plan, state = frame.plan, frame.state
    if plan.single_output:
        index = plan.outputs[0]
        if state[index] == _COMPLETED:
            return End(State.COMPLETED, frame.values[index])
    else:
        value = {
            id: frame.values[index]
            for id, index in zip(plan.output_ids, plan.outputs, strict=True)
            if state[index] == _COMPLETED
        }
        if value:
            return End(State.COMPLETED, value)
    broken = [index for index in plan.outputs if state[index] != _SKIPPED]
    if broken:
        return End(State.FAILED, error=missing_output_error(frame, broken[0]))
    return End(State.SKIPPED)


def is_service_wide(error: BaseException) -> bool:
    """Return whether an error stops the run, because every call to the service would meet it."""
    return isinstance(error, ProviderError) and error.service_wide


def missing_output_error(frame: Frame, index: int) -> BaseException:
    """Return why an output has no value: its own error, else that of what it depended on."""
    for ancestor in _with_ancestors(frame, index):
        details = frame.node_details.get(ancestor)
        error = details.error if details is not None else None
        if frame.state[ancestor] == State.FAILED and error is not None:
            return error
    end = State(frame.state[index]).name.lower()
    return RunError(f"output {frame.path_of(index)!r} was {end}", path=frame.path_of(index))


def _refusal_behind(frame: Frame) -> BudgetExceededError | None:
    """Return why the outputs of a frame were skipped, if that is the budget."""
    for output in frame.plan.outputs:
        for ancestor in _with_ancestors(frame, output):
            details = frame.node_details.get(ancestor)
            if frame.state[ancestor] == _SKIPPED and details is not None and details.refusal:
                return details.refusal
    return None


def _with_ancestors(frame: Frame, index: int) -> Iterator[int]:
    """Yield a node, then all that it depends on, each once."""
    seen = {index}
    stack = [index]
    plan = frame.plan
    while stack:
        current = stack.pop()
        yield current
        for edge in range(plan.in_start[current], plan.in_start[current + 1]):
            source = plan.edge_source[edge]
            if source not in seen:
                seen.add(source)
                stack.append(source)
