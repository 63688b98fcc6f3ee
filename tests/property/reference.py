"""
A brute-force interpreter of the engine's rules, written from their text and sharing no code.

Node runs are plain objects, edges are evaluated repeatedly until nothing changes, and time is
a sorted list of things that will happen. It is slow, recursive and naive on purpose. Its objects
are in `reference_model.py`, time and attempts in `reference_attempts.py`, edges and frames here.

Two things depend on what the rules leave open:

* Of equally urgent node runs in different frames the engine may start either. So the order in
  which it started attempts is given to the reference, which checks each choice against the rule
  (`NotAllowedError` if it breaks it) and otherwise follows it.
* What happens at the very instant a frame is stopped or a node abandoned may count as before or
  after. The reference names those instants (`Frame.instants`), and says in `tied` whether a quorum
  had more than one candidate at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagorch.errors import NodeTimeoutError, QuorumError, RunError
from tests.property.reference_attempts import SLOTTED, Attempts, NotAllowedError
from tests.property.reference_model import Box, Edge, Frame, Run
from tests.property.spec import GraphSpec, NodeSpec
from tests.property.world import World

__all__ = ["NotAllowedError", "Reference"]


def items_of(value: Any) -> list[Any]:
    if isinstance(value, str | bytes | Mapping):
        raise TypeError("neither a text nor a mapping is a sequence of items")
    return list(value)


class Reference(Attempts):
    """
    Runs one graph.

    Args:
        spec: The graph.
        inputs: Its inputs.
        run_timeout: Of the run, in seconds.
        cancel_at: When the run is cancelled, in seconds from its start.
        options: See `Attempts`.
    """

    def __init__(
        self,
        spec: GraphSpec,
        world: World,
        parallel: int,
        inputs: dict[str, Any],
        *,
        run_timeout: float | None = None,
        cancel_at: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(world, parallel, **options)
        if run_timeout is not None:
            self.run_deadline = self.now + run_timeout
            self.at(self.run_deadline, lambda: self.stop(self.root, NodeTimeoutError("run")))
        if cancel_at is not None:
            self.at(self.now + cancel_at, lambda: self.stop(self.root, None))
        self.root = self.open(spec, "", inputs, None, 0)

    def run(self) -> Reference:
        """Advance time until the root frame has closed."""
        self.settle()
        while not self.root.closed:
            self.now, _, happen = self.events.pop(0)
            happen()
            self.settle()
        return self

    # -- edges: evaluated until nothing changes --------------------------------------------------

    def settle(self) -> None:
        changed = True
        while changed:
            changed = False
            for frame in list(self.frames):
                for run in frame.runs.values():
                    if run.state == "pending" and not frame.stops(run):
                        changed |= self.judge(run)
                    if not frame.stopping and run.end is None and not run.abandoned:
                        changed |= self.abandon(run)
                if not frame.closed and all(run.end for run in frame.runs.values()):
                    self.close(frame)
                    changed = True
            if not changed and self.at_once:
                self.at_once.pop(0)()
                changed = True
        self.fill_slots()

    def judge(self, run: Run) -> bool:
        if run.spec.kind == "merge":
            return self.judge_merge(run)
        states = [edge.state for edge in run.edges]
        if "pending" in states:
            return False
        if "broken" in states:
            self.finish(run, "blocked")
        elif any(edge.required and edge.state == "dead" for edge in run.edges) or (
            states and set(states) == {"dead"}
        ):
            self.finish(run, "skipped")
        else:
            self.ready(run)
        return True

    def judge_merge(self, run: Run) -> bool:
        gates = [edge for edge in run.edges if edge.role in ("order", "end")]
        joins = [edge for edge in run.edges if edge.role == "join"]
        if any(edge.state == "pending" for edge in gates):
            return False
        shut = [edge for edge in gates if edge.state in ("broken", "dead")]
        if shut:
            if any(edge.state == "pending" for edge in joins):
                return False
            self.finish(
                run, "blocked" if any(edge.state == "broken" for edge in gates) else "skipped"
            )
            return True
        live = [edge for edge in joins if edge.state == "live"]
        pending = [edge for edge in joins if edge.state == "pending"]
        broken = [edge for edge in joins if edge.state == "broken"]
        wanted = {"all": 0, "any": 1}.get(run.spec.wait, run.spec.wait)  # type: ignore[call-overload]
        if wanted and len(live) >= wanted:
            live.sort(key=lambda edge: edge.source.order)
            self.tied |= self.tie(live, wanted)
            chosen = [edge for edge in joins if edge in live[:wanted]]
            self.close_edges(run)
            self.fold(run, chosen)
        elif not live and not pending:
            self.finish(run, "blocked" if broken else "skipped")
        elif wanted and live and len(live) + len(pending) < wanted:
            self.close_edges(run)
            self.fail(run, QuorumError("out of reach"))
        elif not wanted and not pending:
            if broken and not run.spec.tolerate:
                self.finish(run, "blocked")
            else:
                self.fold(run, live)
        else:
            return False
        return True

    def tie(self, live: list[Edge], wanted: int) -> bool:
        """Whether several sources came alive at the instant that completed the quorum."""
        last = live[wanted - 1].source
        at_once = {edge.source.path for edge in live if edge.source.ended == last.ended}
        return len(at_once) > 1

    def close_edges(self, run: Run) -> None:
        run.frame.instants.add(self.now)
        for edge in run.edges:
            if edge.source.end is None:
                edge.closed = True

    def abandon(self, run: Run) -> bool:
        """Cancel every node run that nothing waits for."""
        if (
            not run.needed_by
            or run.spec.id in run.frame.protected
            or not all(edge.closed for edge in run.needed_by)
        ):
            return False
        run.abandoned = True
        self.cancel(run)
        self.close_edges(run)
        return True

    # -- going ahead -----------------------------------------------------------------------------

    def ready(self, run: Run) -> None:
        spec, frame = run.spec, run.frame
        run.state = "ready"
        run.inputs = {}
        for p in spec.params:
            sources = [part.source[0] for part in p.parts() if part.source is not None]
            ended = [frame.runs[id].end for id in sources if id in frame.runs]
            if all(end == "completed" for end in ended):
                run.inputs[p.name] = p.value(lambda place: self.value_of(frame, place[0]))
        inputs = run.inputs
        if spec.kind == "llm":
            run.state = "preparing"
            self.evaluate(run, "prepare", lambda: None, lambda _: self.queue(run))
        elif spec.kind == "branch":
            run.state = "evaluating"
            self.evaluate(
                run,
                "select",
                lambda: self.labels(spec, inputs),
                lambda labels: self.picked(run, labels),
            )
        elif spec.kind == "ask":
            run.state = "preparing"
            self.evaluate(run, "question", lambda: None, lambda _: self.park(run))
        elif spec.kind in SLOTTED:
            self.queue(run)
        else:
            self.open_container(run)

    def value_of(self, frame: Frame, id: str) -> Any:
        return frame.runs[id].value if id in frame.runs else frame.inputs[id]

    def queue(self, run: Run) -> None:
        run.state = "ready"

    def fold(self, run: Run, edges: list[Edge]) -> None:
        run.state = "evaluating"
        values = [edge.source.value for edge in edges]
        self.evaluate(
            run,
            "reduce",
            lambda: self.world.fold(run.spec, values),
            lambda v: self.complete(run, v),
        )

    def labels(self, spec: NodeSpec, inputs: dict[str, Any]) -> tuple[str, ...]:
        picked = self.world.pick(spec, inputs)
        chosen = [picked] if isinstance(picked, str) else picked
        if not set(chosen) <= set(spec.labels):
            raise ValueError(picked)
        return tuple(label for label in spec.labels if label in chosen)

    def picked(self, run: Run, labels: tuple[str, ...]) -> None:
        run.picked = labels
        self.complete(run, labels[0] if len(labels) == 1 else labels)

    def park(self, run: Run) -> None:
        run.state = "parked"
        self.arm(run)
        answer = self.world.value(run.spec, run.inputs)
        self.later(
            run, self.world.answer_seconds(run.spec, run.path), lambda: self.complete(run, answer)
        )

    # -- frames ----------------------------------------------------------------------------------

    def open(
        self, spec: GraphSpec, prefix: str, inputs: dict[str, Any], owner: Run | None, label: int
    ) -> Frame:
        given = {name: value for name, value in inputs.items() if name in spec.inputs}
        frame = Frame(spec, prefix, given, owner, label)
        self.frames.append(frame)
        for run in frame.runs.values():
            assert run.path not in self.all, run.path
            self.all[run.path] = run
        return frame

    def open_container(self, run: Run) -> None:
        spec = run.spec
        assert spec.body is not None
        run.state = "open"
        run.box = Box(spec.body, run.inputs, spec.kind, None)
        self.arm(run)
        if spec.kind == "loop":
            run.box.passes = [run.inputs["state"]]
            self.open_child(run, {"state": run.inputs["state"]}, 0)
        elif spec.kind == "map":
            items = run.inputs["item"]
            if isinstance(items, (list, tuple)):
                self.begin_map(run, items)
            else:
                self.evaluate(
                    run, "items", lambda: items_of(items), lambda found: self.begin_map(run, found)
                )
        else:
            self.open_box(run, run.box)

    def open_box(self, run: Run, box: Box) -> None:
        run.state, run.box = "open", box
        self.open_child(run, {}, None)

    def open_child(self, run: Run, inputs: dict[str, Any], label: int | None) -> None:
        box = run.box
        assert box is not None
        suffix = "" if label is None else f"[{label}]"
        if box.recovering is not None:
            suffix = "[fallback]"
        prefix = f"{run.path}{suffix}/"
        box.frames.append(self.open(box.body, prefix, {**box.inputs, **inputs}, run, label or 0))

    def begin_map(self, run: Run, items: list[Any]) -> None:
        assert run.box is not None
        run.box.items = items
        self.more_items(run)

    def more_items(self, run: Run) -> None:
        """Open items in order, up to the map's bound."""
        box = run.box
        assert box is not None
        while box.next_item < len(box.items) and len(box.frames) < (
            run.spec.max_items or self.parallel
        ):
            box.next_item += 1
            self.open_child(run, {"item": box.items[box.next_item - 1]}, box.next_item - 1)
        if not box.frames:
            self.complete(run, [box.results[place] for place in sorted(box.results)])

    def close(self, frame: Frame) -> None:
        """Close each frame whose node runs have all ended, and continue its owner."""
        frame.closed = True
        self.frames.remove(frame)
        run = frame.owner
        if run is None:
            return
        box = run.box
        assert box is not None
        box.frames.remove(frame)
        if box.stopping:
            if not box.frames:
                self.box_stopped(run)
            return
        value, error, skipped = outcome(frame)
        if box.kind == "map":
            self.item_ended(run, frame.label, value, error, skipped)
        elif error is not None:
            self.fail(run, error)
        elif skipped:
            self.finish(run, "skipped")
        elif box.kind == "loop":
            box.passes.append(value)
            if run.spec.has_until:
                self.evaluate(
                    run,
                    "until",
                    lambda: self.world.until(run.spec, value),
                    lambda done: self.next_pass(run, done),
                )
            else:
                self.next_pass(run, False)
        else:
            self.complete(run, value)

    def next_pass(self, run: Run, done: bool) -> None:
        assert run.box is not None
        passes = run.box.passes
        if done or len(passes) - 1 >= run.spec.max_iterations:
            self.complete(run, passes[-1])
        else:
            self.open_child(run, {"state": passes[-1]}, len(passes) - 1)

    def item_ended(
        self, run: Run, label: int, value: Any, error: BaseException | None, skipped: bool
    ) -> None:
        assert run.box is not None
        if error is not None and run.spec.on_item_error == "fail":
            self.stop_box(run, error)
            return
        if error is not None and run.spec.on_item_error == "collect":
            run.box.results[label] = error
        elif error is None and not skipped:
            run.box.results[label] = value
        self.more_items(run)


def outcome(frame: Frame) -> tuple[Any, BaseException | None, bool]:
    """Return a frame's value, or its error, or that it was skipped."""
    if frame.error is not None:
        return None, frame.error, False
    outputs = {id: frame.runs[id] for id in frame.outputs}
    done = {id: run.value for id, run in outputs.items() if run.end == "completed"}
    if done:
        return (done if len(frame.outputs) > 1 else next(iter(done.values()))), None, False
    if all(run.end == "skipped" for run in outputs.values()):
        return None, None, True
    return None, RunError("no output"), False
