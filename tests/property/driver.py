"""Drives a core on virtual time in the world of `world.py`; checks the invariants at each step."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagorch.errors import ExpansionError
from dagorch.graph.plan import Plan
from dagorch.models.events import Event
from dagorch.runner.outcome import result_of
from dagorch.scheduler import stimuli
from dagorch.scheduler.commands import (
    CancelAttempt,
    Continue,
    Evaluate,
    Finish,
    StartAttempt,
)
from dagorch.scheduler.core import Core
from dagorch.scheduler.fast_path import fast_path
from dagorch.scheduler.invariants import check
from dagorch.scheduler.records import Prepared, Purpose
from tests.property.spec import GraphSpec, NodeSpec, build
from tests.property.world import World, shown

__all__ = ["Driven", "Driver", "Ending", "Started", "drive"]


@dataclass
class Started:
    """An attempt that the engine started."""

    path: str
    number: int
    time: float
    inputs: dict[str, Any]


@dataclass
class Ending:
    """How a node run ended."""

    end: str
    time: float
    value: Any = None
    error: str = ""
    ready: float | None = None


@dataclass
class Driven:
    """Everything observed in a run."""

    ends: dict[str, Ending] = field(default_factory=dict)
    started: list[Started] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    time: float = 0.0
    steps: int = 0
    most_slots: int = 0


class Driver:
    """
    Args:
        spec: The graph.
        world: What its nodes do.
        parallel: `max_parallel`.
        checked: Whether the invariants are checked after every step.
        observed: Whether there is a listener, so that events are made.
        quick: Whether a success takes the fast path, as in the runner.
    """

    def __init__(
        self,
        spec: GraphSpec,
        world: World,
        parallel: int,
        *,
        limits: Mapping[str, int] | None = None,
        seed: int = 0,
        start: float = 0.0,
        run_timeout: float | None = None,
        cancel_at: float | None = None,
        checked: bool = True,
        observed: bool = False,
        quick: bool = False,
    ) -> None:
        self.world = world
        self.specs: dict[str, NodeSpec] = {node.id: node for node in spec.everything()}
        self.graph = build(spec, world)
        self.plan = self.graph.compile()
        self.core = Core(
            self.plan,
            max_parallel=parallel,
            limits=limits,
            seed=seed,
            timeout_seconds=run_timeout,
            observed=observed,
        )
        self._path = fast_path(self.core) if quick else None
        if self._path is not None:
            next(self._path)
        self.now = start
        self.cancel_at = cancel_at
        self.checked = checked
        self.seen = Driven()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._evaluations: Counter[tuple[str, str]] = Counter()
        self._under_way: dict[StartAttempt, tuple[float, int]] = {}
        """For each attempt: its start, and which of the scheduled ends counts."""
        self._expansions: dict[str, Plan] = {}

    def run(self, inputs: dict[str, Any]) -> Driven:
        """Run to the end."""
        core = self.core
        if self.cancel_at is not None:
            self._at(
                self.now + self.cancel_at,
                lambda: self._tell(stimuli.RunCancelled("enough", self.now)),
            )
        self._tell(stimuli.RunStarted(inputs, self.now))
        self._drain()
        while not core.finished:
            when = self._events[0][0] if self._events else float("inf")
            if core.next_timer_at <= when:
                assert core.next_timer_at < float("inf"), "nothing will ever happen again"
                self.now = max(self.now, core.next_timer_at)
                self._tell(stimuli.TimerFired(self.now))
            else:
                self.now, _, happen = heapq.heappop(self._events)
                happen()
            self._drain()
        self._collect()
        return self.seen

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, happen))

    def _tell(self, stimulus: stimuli.Stimulus) -> None:
        self.core.handle(stimulus)
        self._step()

    def _step(self) -> None:
        self.seen.steps += 1
        if self.checked:
            check(self.core)

    def _drain(self) -> None:
        while (command := self.core.next()) is not None:
            self._step()
            self.seen.commands.append(repr(command))
            if isinstance(command, StartAttempt):
                self._start(command)
            elif isinstance(command, CancelAttempt):
                self._cancel(command.attempt)
            elif isinstance(command, Evaluate):
                self._evaluate(command)
            elif isinstance(command, Continue):
                self._tell(stimuli.Continued(self.now))
            else:
                assert isinstance(command, Finish), command
        self._step()
        self.seen.events.extend(self.core.events)
        self.core.events.clear()

    # -- attempts ----------------------------------------------------------------------------

    def _start(self, attempt: StartAttempt) -> None:
        node = attempt.frame.plan.nodes[attempt.index]
        self.seen.started.append(
            Started(attempt.path, attempt.number, self.now, shown(dict(attempt.inputs)))
        )
        self.seen.most_slots = max(self.seen.most_slots, self.core.dispatcher.slots_used)
        act = self.world.act(self.specs[node.id], attempt.path, attempt.number)
        self._schedule(attempt, self.now, self.now + act.seconds, act.end)

    def _schedule(self, attempt: StartAttempt, started: float, when: float, end: str) -> None:
        mark = self._count + 1
        self._under_way[attempt] = started, mark

        def happen() -> None:
            if self._under_way.get(attempt) == (started, mark):
                del self._under_way[attempt]
                self._end(attempt, end)

        self._at(when, happen)

    def _cancel(self, attempt: StartAttempt) -> None:
        node = attempt.frame.plan.nodes[attempt.index]
        act = self.world.act(self.specs[node.id], attempt.path, attempt.number)
        started, _ = self._under_way[attempt]
        self._schedule(attempt, started, *act.cancelled(started, self.now))

    def _end(self, attempt: StartAttempt, end: str) -> None:
        spec = self.specs[attempt.frame.plan.nodes[attempt.index].id]
        if end == "value":
            value = self.world.value(spec, dict(attempt.inputs))
            if self._path is not None:
                following, _ = self._path.send((attempt, value, self.now))
                self._step()
                if following is not None:
                    self.seen.commands.append(repr(following))
                    self._start(following)
            else:
                self._tell(stimuli.AttemptSucceeded(attempt, value, self.now))
        elif end == "graph":
            assert spec.body is not None
            if spec.id not in self._expansions:
                self._expansions[spec.id] = build(spec.body, self.world).compile()
            self._tell(stimuli.Expanded(attempt, self._expansions[spec.id], self.now))
        elif end == "stopped":
            self._tell(stimuli.AttemptCancelled(attempt, self.now))
        else:
            error = self.world.act(spec, attempt.path, attempt.number).error
            assert error is not None
            if end == "bad graph":
                error = ExpansionError("does not compile")
            self._tell(stimuli.AttemptFailed(attempt, error, self.now))

    # -- evaluations -------------------------------------------------------------------------

    def _evaluate(self, ticket: Evaluate) -> None:
        path = ticket.frame.path_of(ticket.index)
        self._evaluations[path, ticket.purpose] += 1
        wait = self.world.evaluation_seconds(
            path, ticket.purpose.value, self._evaluations[path, ticket.purpose]
        )
        if wait:
            self._at(self.now + wait, lambda: self._evaluated(ticket))
        else:
            self._evaluated(ticket)

    def _evaluated(self, ticket: Evaluate) -> None:
        path = ticket.frame.path_of(ticket.index)
        try:
            if ticket.purpose is Purpose.PREPARE:
                value: Any = Prepared(None, None, None)
            elif ticket.purpose is Purpose.QUESTION:
                value = "?"
                spec = self.specs[ticket.frame.plan.nodes[ticket.index].id]
                answer = self.world.value(spec, dict(ticket.inputs))
                seconds = self.world.answer_seconds(spec, path)
                self._at(
                    self.now + seconds, lambda: self._tell(stimuli.Answered(path, answer, self.now))
                )
            elif ticket.purpose is Purpose.SELECT:
                assert ticket.function is not None
                value = ticket.function(**ticket.inputs)
            else:
                assert ticket.function is not None
                value = ticket.function(ticket.argument)
        except Exception as error:
            self._tell(stimuli.EvaluationFailed(ticket, error, self.now))
        else:
            self._tell(stimuli.Evaluated(ticket, value, self.now))

    def _collect(self) -> None:
        core = self.core
        assert core.next() is None, "a command after the last"
        assert not core.dispatcher.slots_used
        assert not core.frames
        result = result_of(core, None, 0)
        for path, run in result.node_runs.items():
            value = shown(result.values.get(path))
            error = type(run.error).__name__ if run.error is not None else ""
            end = core.started + run.ended_seconds
            self.seen.ends[path] = Ending(run.end, end, value, error, run.ready_seconds)
        self.seen.time = self.now


def drive(
    spec: GraphSpec, world: World, parallel: int, inputs: dict[str, Any], **options: Any
) -> Driven:
    """Run a graph on the engine and return everything observed."""
    return Driver(spec, world, parallel, **options).run(inputs)
