"""
Frames opened and closed under a node run.

Subgraphs, loop passes, map items, fallbacks, expansions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagorch.errors import RunError
from dagorch.graph.plan import LOOP, MAP, Plan
from dagorch.models.events import EventType
from dagorch.nodes.container import Loop, Map
from dagorch.scheduler.commands import Evaluate
from dagorch.scheduler.frames import MISSING, Container, Frame, Group
from dagorch.scheduler.propagate import judge
from dagorch.scheduler.records import pack
from dagorch.scheduler.states import State

if TYPE_CHECKING:
    from dagorch.scheduler.noderuns import NodeRuns

__all__ = [
    "close",
    "evaluated",
    "open_body",
    "open_container",
    "open_frame",
    "stop",
    "stop_container",
    "verdict",
]

_COMPLETED = int(State.COMPLETED)
_SKIPPED = int(State.SKIPPED)


def open_container(core: NodeRuns, frame: Frame, index: int) -> None:
    """Open a loop, map or subgraph that has just become ready, unless cancelled since."""
    if frame.stopping or frame.state[index] != State.READY:
        return
    plan = frame.plan
    core.move(frame, index, State.OPEN)
    inputs = frame.inputs_of(index)
    kind = plan.kinds[index]
    box = Container(plan.bodies[index], inputs, kind in (LOOP, MAP))
    frame.containers[index] = box
    if plan.needs_policy[index]:
        core.arm_node(frame, index)
    node = plan.nodes[index]
    if kind == MAP:
        assert isinstance(node, Map)
        items = inputs[node.parameter]
        if isinstance(items, (list, tuple, range)):
            _open_map(core, frame, index, items)
        else:
            core.evaluate(Evaluate(frame, index, "items", tuple, {}, items))
    elif kind == LOOP:
        assert isinstance(node, Loop)
        _open_pass(core, frame, index, inputs[node.parameter])
    else:
        _open_child(core, frame, index, inputs, None)


def open_body(
    core: NodeRuns,
    frame: Frame,
    index: int,
    plan: Plan,
    inputs: dict[str, Any],
    error: BaseException | None,
) -> None:
    """
    Let a plan run in a node run's place: an expansion, or a fallback.

    `error` is what a fallback makes good; None for an expansion.
    """
    if frame.state[index] != State.OPEN:
        core.move(frame, index, State.OPEN)
    box = Container(plan, inputs, indexed=False)
    box.recovering = error
    frame.containers[index] = box
    _open_child(core, frame, index, inputs, None)


def open_frame(
    core: NodeRuns,
    plan: Plan,
    inputs: dict[str, Any],
    parent: Frame | None,
    index: int,
    label: int | None,
) -> Frame:
    """Make a frame and put its first node runs on the agenda."""
    core.serial += 1
    core.opened += plan.size
    values = [inputs.get(name, default) for name, default in plan.inputs.items()]
    if parent is None:
        tail, priority = 0.0, 0
    else:
        tail = parent.tail - parent.plan.neg_rank[index] - parent.plan.weights[index]
        priority = parent.plan.priorities.get(index, parent.priority)
    frame = Frame(plan, core.serial, values, parent, index, label, tail, priority)
    if core.freeing:
        frame.count_readers()
    if core.observed:
        frame.detour = True
    core.frames[frame.serial] = frame
    core.agenda.append((_begin, frame, 0))
    return frame


def _begin(core: NodeRuns, frame: Frame, start: int) -> None:
    """Judge the node runs that wait for nothing."""
    sources = frame.plan.sources
    for place in range(start, len(sources)):
        if frame.stopping:
            return
        if core.allowance <= 0:
            core.agenda.appendleft((_begin, frame, place))
            return
        judge(core, frame, sources[place])


def _open_child(
    core: NodeRuns, frame: Frame, index: int, inputs: dict[str, Any], label: int | None
) -> None:
    box = frame.containers[index]
    assert box.body is not None
    if core.opened + box.body.size > core.max_node_runs:
        error = RunError(
            f"opening {frame.path_of(index)!r} would make more than "
            f"max_node_runs={core.max_node_runs} "
            "node runs; raise it if that many are meant",
            path=frame.path_of(index),
        )
        _fail_container(core, frame, index, error)
        return
    child = open_frame(core, box.body, inputs, frame, index, label)
    box.frames[child.serial] = child


# -- loops ------------------------------------------------------------------------------------


def _open_pass(core: NodeRuns, frame: Frame, index: int, state: Any) -> None:
    box = frame.containers[index]
    node = frame.plan.nodes[index]
    assert isinstance(node, Loop)
    _open_child(core, frame, index, {**box.inputs, node.parameter: state}, box.iteration)


def _pass_ended(core: NodeRuns, frame: Frame, index: int, value: Any) -> None:
    box = frame.containers[index]
    node = frame.plan.nodes[index]
    assert isinstance(node, Loop)
    box.iteration += 1
    box.history.append(value)
    if node.until is not None:
        core.evaluate(Evaluate(frame, index, "until", node.until, {}, value))
    else:
        _next_pass(core, frame, index, done=False)


def _next_pass(core: NodeRuns, frame: Frame, index: int, *, done: bool) -> None:
    box = frame.containers[index]
    node = frame.plan.nodes[index]
    assert isinstance(node, Loop)
    box.converged = done
    assert node.max_iterations is not None
    if done or box.iteration >= node.max_iterations:
        assert box.group is not None
        box.group.history, box.group.converged = tuple(box.history), done
        core.complete(frame, index, box.history[-1])
    else:
        _open_pass(core, frame, index, box.history[-1])


# -- maps -------------------------------------------------------------------------------------


def _open_map(core: NodeRuns, frame: Frame, index: int, items: Any) -> None:
    box = frame.containers[index]
    node = frame.plan.nodes[index]
    assert isinstance(node, Map)
    box.items = items
    box.limit = node.max_parallel or core.max_parallel
    box.results = [MISSING] * len(items)
    core.foreseen += len(items) * frame.plan.bodies[index].size
    if core.observed:
        core.emit(EventType.MAP_OPENED, frame, index, 0, {"items": len(items)})
    _open_items(core, frame, index)


def _open_items(core: NodeRuns, frame: Frame, index: int) -> None:
    """Open items in order up to the map's bound; the map is done when none is left."""
    box = frame.containers.get(index)
    if box is None or box.stopping:
        return
    node = frame.plan.nodes[index]
    assert isinstance(node, Map)
    total = len(box.items)
    while box.next_item < total and len(box.frames) < box.limit:
        if core.allowance <= 0:
            core.agenda.append((_open_items, frame, index))
            return
        label = box.next_item
        box.next_item += 1
        core.foreseen -= frame.plan.bodies[index].size
        core.allowance -= 1
        _open_child(core, frame, index, {**box.inputs, node.parameter: box.items[label]}, label)
        if box.stopping or frame.containers.get(index) is not box:
            return
    if not box.frames:
        core.complete(frame, index, [value for value in box.results if value is not MISSING])


def _item_ended(
    core: NodeRuns, frame: Frame, index: int, child: Frame, value: Any, error: BaseException | None
) -> None:
    box = frame.containers[index]
    node = frame.plan.nodes[index]
    assert isinstance(node, Map)
    assert child.label is not None
    if error is None:
        box.results[child.label] = value
    elif node.on_item_error == "fail":
        _fail_container(core, frame, index, error)
        return
    elif node.on_item_error == "collect":
        box.results[child.label] = error
    if box.next_item < len(box.items) or not box.frames:
        core.agenda.append((_open_items, frame, index))


# -- ends -------------------------------------------------------------------------------------


def evaluated(core: NodeRuns, ticket: Evaluate, value: Any) -> None:
    """Go on with a container whose evaluation came back."""
    if ticket.purpose == "items":
        _open_map(core, ticket.frame, ticket.index, value)
    else:
        _next_pass(core, ticket.frame, ticket.index, done=bool(value))


def close(core: NodeRuns, frame: Frame) -> None:
    """Close a frame whose node runs have all ended; its value goes to what contains it."""
    frame.ended = True
    del core.frames[frame.serial]
    parent, index = frame.parent, frame.parent_index
    if parent is None:
        core.finish(frame)
        return
    box = parent.containers[index]
    del box.frames[frame.serial]
    group = _record(parent, index, box, frame)
    if box.stopping:
        group.leave(frame)
        if not box.frames:
            core.container_stopped(parent, index)
        return
    value, error, skipped = verdict(frame)
    if error is not None:
        group.leave(frame)
    kind = parent.plan.kinds[index] if box.recovering is None else None
    if kind == MAP:
        _item_ended(core, parent, index, frame, value, error)
    elif error is not None:
        core.fail(parent, index, error)
    elif skipped:
        core.end(parent, index, State.SKIPPED)
    elif kind == LOOP:
        _pass_ended(core, parent, index, value)
    else:
        core.complete(parent, index, value)


def _record(parent: Frame, index: int, box: Container, frame: Frame) -> Group:
    """Keep what a closed frame leaves behind."""
    group = box.group
    assert group is not None
    if not group.records:
        parent.children.setdefault(index, []).append(group)
    group.keep(frame.label, pack(frame))
    return group


def verdict(frame: Frame) -> tuple[Any, BaseException | None, bool]:
    """What a frame came to: a value, an error, or nothing because its output was skipped."""
    if frame.stop_error is not None:
        return MISSING, frame.stop_error, False
    plan, state = frame.plan, frame.state
    ends = [state[i] for i in plan.outputs]
    if plan.single_output:
        index = plan.outputs[0]
        if ends[0] == _COMPLETED:
            return frame.values[index], None, False
        if ends[0] == _SKIPPED:
            return MISSING, None, True
        return MISSING, missing_output(frame, index), False
    value = {
        id: frame.values[i]
        for id, i, end in zip(plan.output_ids, plan.outputs, ends, strict=True)
        if end == _COMPLETED
    }
    if value:
        return value, None, False
    broken = [i for i, end in zip(plan.outputs, ends, strict=True) if end != _SKIPPED]
    if broken:
        return MISSING, missing_output(frame, broken[0]), False
    return MISSING, None, True


def missing_output(frame: Frame, index: int) -> BaseException:
    """
    The error behind an output that has no value.

    Its own, else that of whatever it depended on.
    """
    seen = {index}
    stack = [index]
    plan = frame.plan
    while stack:
        current = stack.pop()
        facts = frame.facts.get(current)
        if facts is not None and facts.error is not None:
            return facts.error
        for edge in range(plan.in_start[current], plan.in_start[current + 1]):
            source = plan.edge_source[edge]
            if source not in seen:
                seen.add(source)
                stack.append(source)
    end = State(frame.state[index]).name.lower()
    return RunError(f"output {frame.path_of(index)!r} was {end}", path=frame.path_of(index))


def _fail_container(core: NodeRuns, frame: Frame, index: int, error: BaseException) -> None:
    """Stop what is left of a container, then let it fail."""
    box = frame.containers[index]
    box.stop_error = error
    stop_container(core, frame, index)


def stop_container(core: NodeRuns, frame: Frame, index: int) -> None:
    """Stop every frame under a node run; it ends when they have."""
    box = frame.containers[index]
    frame.tickets.pop(index, None)
    if box.stopping:
        return
    box.stopping = True
    if box.items:
        core.foreseen -= (len(box.items) - box.next_item) * frame.plan.bodies[index].size
    for child in box.frames.values():
        stop(core, child, None)
    if not box.frames:
        core.container_stopped(frame, index)


def stop(core: NodeRuns, frame: Frame, error: BaseException | None) -> None:
    """Stop a frame: nothing starts any more, what runs is cancelled, what waits is too."""
    if frame.stopping:
        return
    frame.stopping = frame.detour = True
    frame.stop_error = error
    core.agenda.append((_stop_from, frame, 0))


def _stop_from(core: NodeRuns, frame: Frame, start: int) -> None:
    state = frame.state
    for index in range(start, frame.plan.size):
        if core.allowance <= 0:
            core.agenda.appendleft((_stop_from, frame, index))
            return
        if state[index] < _COMPLETED:
            core.cancel(frame, index)
