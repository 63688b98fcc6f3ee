"""
The core: stimuli in, commands out. It decides everything and does nothing itself.

It has no clock, loop, thread, log or user code: time arrives with each stimulus, chance comes from
a seeded generator, and the runner calls the user's functions on the command `Evaluate`.

Rules are functions in the files below this one. They return what should happen, and the core makes
it happen:

    edges.py        the end of a node run -> the states that others should go to
    attempts.py     the end of an attempt -> another one, or what its rival does
    containers.py   the end of a frame, an item, a pass -> the next step of its container
    dispatcher.py   what is ready -> what may start by slot, resource and money

Every change of a node run's state goes through `Core.move` and the table `STEPS` at the end of
this file, except the plain steps that `Core.take_step` and `fast_path.py` take in place. What may
take long is on the agenda: `drain_agenda` is the one loop that works it off, in slices of
`TRANSITIONS_PER_HANDLE`. Most steps of most runs take a short cut: `fast_path.py`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from dagorch.errors import BudgetExceededError, InvariantError, NodeTimeoutError
from dagorch.graph.plan import (
    ASK,
    ASYNC,
    BRANCH,
    LLM_CALL,
    LOOP,
    MAP,
    MERGE,
    SUBGRAPH,
    SYNC,
    Plan,
)
from dagorch.models.events import Event, EventType
from dagorch.models.policy import NO_FALLBACK
from dagorch.models.usage import NO_AMOUNT, NOTHING_USED, Amount, Usage
from dagorch.nodes.branch import Branch, labels_of
from dagorch.nodes.merge import Merge
from dagorch.scheduler import attempts, containers, edges, stimuli
from dagorch.scheduler.admission import Admission
from dagorch.scheduler.commands import (
    CONTINUE,
    Answer,
    CancelAttempt,
    Command,
    Finish,
    RefuseCall,
    WakeRun,
)
from dagorch.scheduler.dispatcher import Decisions, Dispatcher, Scan
from dagorch.scheduler.events import END_EVENTS, describe, end_data, exchange_data
from dagorch.scheduler.ready import Item
from dagorch.scheduler.records import (
    MISSING,
    NO_SERVICE_MODEL,
    Call,
    Evaluate,
    Frame,
    ModelChoice,
    Purpose,
    ServiceModel,
    StartAttempt,
    Timer,
    TimerKind,
)
from dagorch.scheduler.resource_queues import NEVER, Permit, Resource
from dagorch.scheduler.states import TRANSITIONS, State
from dagorch.scheduler.stimuli import Stimulus
from dagorch.scheduler.story import story
from dagorch.scheduler.timers import Timers

__all__ = ["STEPS", "TRANSITIONS_PER_HANDLE", "Core"]

TRANSITIONS_PER_HANDLE: Final = 1000
"""How many steps one call of `handle` takes at most; the rest waits on the agenda."""

_PENDING, _READY, _RUNNING = State.PENDING, State.READY, State.RUNNING
_OPEN, _COMPLETED = State.OPEN, State.COMPLETED
_STATE_COUNT: Final = len(State)


class Core:
    """
    One run of one plan, as a state machine: `handle` a stimulus, then `next` until it gives None.

    Args:
        plan: What to run.
        run_id: Names the run in events and in the queues of shared resources.
        max_parallel: Slots.
        max_node_runs: Bound on node runs, those of bodies included.
        max_cost: Ceiling in dollars; None means no ceiling.
        max_tokens: Ceiling in tokens; None means no ceiling.
        finishes: Whether what does not fit under a ceiling is skipped, instead of ending the run.
        set_aside: By node, what is kept from the start for it alone.
        timeout_seconds: Of the run.
        limits: Bounds of the resources that policies name.
        admission: Shared by all runs of the process.
        seed: Of the jitter.
        observed: Whether there is a listener; if not, no event is made.
        release_values: Whether each value is released after its last reader.
    """

    # Slots: there may be a thousand runs at once, and each step reads a dozen of these.
    __slots__ = (
        "__weakref__", "_admission_timer", "_rng", "_seed", "_serial", "_set_aside",
        "admission_pending", "agenda", "allowance", "cancelled", "dispatcher", "ended_count",
        "event_number", "events", "finished", "frames", "max_node_runs", "models", "now",
        "observed", "opened_count", "outbox", "outcome_error", "plan", "progress",
        "release_values", "root", "run_id", "started", "timeout_seconds", "timers",
        "unopened_count", "usage",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        *,
        run_id: str = "run",
        max_parallel: int = 16,
        max_node_runs: int = 1_000_000,
        max_cost: Decimal | None = None,
        max_tokens: int | None = None,
        finishes: bool = False,
        set_aside: Mapping[int, Amount] | None = None,
        timeout_seconds: float | None = None,
        limits: Mapping[str, int] | None = None,
        admission: Admission | None = None,
        seed: int = 0,
        observed: bool = False,
        release_values: bool = False,
    ) -> None:
        self.plan = plan
        self.run_id = run_id
        self.max_node_runs = max_node_runs
        self.timeout_seconds = timeout_seconds
        self.observed = observed
        self.release_values = release_values
        self._set_aside = set_aside or {}
        self.dispatcher = Dispatcher(
            plan,
            run_id,
            max_parallel=max_parallel,
            max_cost=max_cost,
            max_tokens=max_tokens,
            finishes=finishes,
            limits=limits,
            admission=admission,
        )
        self.now = 0.0
        self.started = 0.0
        self.root: Frame | None = None
        self.frames: dict[int, Frame] = {}
        """Open frames by serial."""
        self.agenda: deque[tuple[Any, ...]] = deque()
        """Work that is left: a function of the core and its arguments."""
        self.allowance = 0
        """How many steps may still be taken before others use the event loop."""
        self.outbox: deque[Command] = deque()
        self.events: list[Event] = []
        """What happened and nobody was told yet; whoever delivers them clears the list."""
        self.timers = Timers()
        self.admission_pending = False
        """Whether `next` must check what this run still waits for; see `_run_admission`."""
        self._admission_timer: Timer | None = None
        self._serial = 0
        self.opened_count = 0
        """Node runs of all frames that were opened."""
        self.unopened_count = 0
        """Node runs of items of open maps that are not opened yet."""
        self.ended_count = 0
        """Node runs that have ended."""
        self.usage: Usage = NOTHING_USED
        self.models: dict[ServiceModel, int] = {}
        """Every service and model that was paid, numbered in order of their first bill."""
        self.finished = False
        self.outcome_error: BaseException | None = None
        self.cancelled: str | None = None
        """Why the run was cancelled."""
        self.progress = 0.0
        self.event_number = 0
        """The number of the last event."""
        self._seed = seed
        self._rng: random.Random | None = None

    # -- the door -----------------------------------------------------------------------------

    def handle(self, stimulus: Stimulus) -> None:
        """Take in what happened. Follow with `next()` until it gives None."""
        self.now = stimulus.now
        _HANDLERS[type(stimulus)](self, stimulus)
        if self.agenda:
            self.drain_agenda()

    def next(self) -> Command | None:
        """Return the next command, or None if there is nothing to do until the next stimulus."""
        if self.outbox:
            return self.outbox.popleft()
        if self.agenda:
            return CONTINUE
        dispatcher = self.dispatcher
        if dispatcher.waiting_calls:
            self._carry_out(dispatcher.serve_calls(self.now))
        if dispatcher.hedge_candidates:
            self._start_hedges()
        if dispatcher.slots_used < dispatcher.max_parallel and dispatcher.queue:
            item, scan = dispatcher.pop_admissible(self.now)
            if scan is not None:
                self._follow_up(scan)
            if item is not None:
                attempt = self._start(item, None if scan is None else scan.permit)
                if not self.outbox and not self.admission_pending:
                    return attempt
                self.outbox.append(attempt)
        if self.admission_pending:
            self._run_admission()
        if self.outbox:
            return self.outbox.popleft()
        if self.agenda:  # the budget has just stopped the run
            return CONTINUE
        self._check_quiescence()
        return None

    def request_call(self, call: Call, now: float) -> Answer:
        """
        Ask for a call of a function node.

        Returns:
            `GrantCall`, `RefuseCall`, or `WAITING`: then one of the two follows as a command.
        """
        self.now = now
        answer, decisions = self.dispatcher.request_call(call, now)
        if not call.wait and isinstance(answer, RefuseCall):
            self.request_admission()  # a refused sync call does not wait: leave its queue
        self._carry_out(decisions)
        if self.agenda:
            self.drain_agenda()
        return answer

    def request_resend(self, ticket: StartAttempt | Call, now: float) -> bool:
        """
        Ask to send an exchange once more whose reused connection broke before a reply.

        Refused under a ceiling, where the reservation covers one exchange only.
        """
        if self.finished or ticket.reserved:
            return False
        self.now = now
        return ticket.permit is None or self.dispatcher.admission.charge_resend(ticket.permit, now)

    @property
    def has_work(self) -> bool:
        """Whether `next()` may give a command."""
        return bool(
            self.outbox or self.agenda or self.admission_pending or self.dispatcher.has_candidates
        )

    @property
    def can_start(self) -> bool:
        """Whether a command is ready, or an attempt may start."""
        dispatcher = self.dispatcher
        return bool(self.outbox) or (
            dispatcher.slots_used < dispatcher.max_parallel and bool(dispatcher.queue)
        )

    @property
    def is_done(self) -> bool:
        """Whether the run has ended and its last command was taken."""
        return self.finished and not self.outbox

    @property
    def next_timer_at(self) -> float:
        """When to send `TimerFired`; infinity if never."""
        return self.timers.earliest

    @property
    def limits(self) -> Mapping[str, Resource]:
        """The resources that policies may name."""
        return self.dispatcher.limits

    @property
    def measured_progress(self) -> float:
        """How much has ended of what is known, from 0 to 99; falls when more becomes known."""
        known = self.opened_count + self.unopened_count
        return min(99.0, 100.0 * self.ended_count / known) if known else 0.0

    def parked(self) -> dict[str, tuple[Frame, int]]:
        """Return the node runs that wait for a person, by path."""
        return {
            frame.path_of(index): (frame, index)
            for frame in self.frames.values()
            for index in range(frame.plan.size)
            if frame.state[index] == State.PARKED
        }

    # -- the agenda ---------------------------------------------------------------------------

    def drain_agenda(self) -> None:
        """Work the agenda off, as far as the allowance goes."""
        agenda = self.agenda
        self.allowance = TRANSITIONS_PER_HANDLE
        while agenda and self.allowance > 0:
            action = agenda.popleft()
            action[0](self, *action[1:])

    def take_step(self, frame: Frame, index: int, to: State) -> None:
        """Take a step that a rule of `edges.py` recommends for a pending node run."""
        if frame.state[index] != _PENDING:  # an earlier step has ended it
            return
        if to is _READY and frame.plan.slot_only[index]:
            # Most steps of a wide fan, and so without the calls in between.
            frame.state[index] = _READY
            frame.times[3 * index] = self.now
            self.allowance -= 1
            if self.observed:
                self.emit(EventType.NODE_READY, frame, index, 0, {})
            self.dispatcher.queue.push_slot_only(frame, index)
            return
        if to is not _READY and to is not State.FAILED:
            self.move(frame, index, to)
            return
        if to is _READY:
            self.make_ready(frame, index)
        else:
            error = edges.quorum_error(frame, index)
            self.move(frame, index, _READY)
            self.fail(frame, index, error)
        if frame.plan.kinds[index] == MERGE:
            node = frame.plan.nodes[index]
            assert isinstance(node, Merge)
            if node.quorum:
                self._close_inputs(frame, index)

    def begin_frame(self, frame: Frame, start: int) -> None:
        """Judge the node runs without edges into them."""
        roots = frame.plan.roots
        for position in range(start, len(roots)):
            if frame.stopping:  # no root waits for the end of another node
                return
            if self.allowance <= 0:
                self.agenda.appendleft((Core.begin_frame, frame, position))
                return
            to = edges.judge(frame, roots[position])
            if to is not None:
                self.take_step(frame, roots[position], to)

    def resolve_out_edges(self, frame: Frame, index: int, start: int = 0) -> None:
        """Resolve the edges out of an ended node run."""
        plan, pending = frame.plan, frame.pending
        out_edges, targets, slot_only = plan.out_edges[index], plan.edge_target, plan.slot_only
        only_counts = (
            plan.unconditional[index]
            and frame.state[index] == _COMPLETED
            and frame.closed_edges is None
        )
        for position in range(start, len(out_edges)):
            if frame.stopping and not frame.cleaning:  # what waits is cancelled, not judged
                return
            if self.allowance <= 0:
                self.agenda.appendleft((Core.resolve_out_edges, frame, index, position))
                return
            edge = out_edges[position]
            target = targets[edge]
            if frame.stopping and frame.is_stopping(target):
                continue
            if only_counts:
                left = pending[target] - 1
                pending[target] = left
                if left:
                    to = None
                elif slot_only[target] and target not in frame.edge_counts:
                    to = _READY  # as `judge` would say
                else:
                    to = edges.judge(frame, target)
            elif edges.is_awaited(frame, edge):
                to = edges.resolve(frame, edge)
            else:
                continue
            self.allowance -= 1
            if to is not None:
                self.take_step(frame, target, to)

    def _close_inputs(self, frame: Frame, index: int) -> None:
        """Close the edges that a node run no longer needs; cancel what is needed by nothing."""
        for source in edges.close_inputs(frame, index):
            self.agenda.append((Core.cancel_unneeded, frame, source))

    def cancel_unneeded(self, frame: Frame, index: int) -> None:
        if not frame.stopping and frame.state[index] < _COMPLETED:
            self.cancel(frame, index)
            self._close_inputs(frame, index)

    def stop(self, frame: Frame, error: BaseException | None, *, cleaning: bool = False) -> None:
        """
        Stop a frame: nothing starts in it any more, and all that has not ended is cancelled.

        If it is `cleaning`, this spares the nodes that wait for an end of others. A later stop
        without it ends them, too.
        """
        if not frame.stopping:
            frame.stopping = frame.needs_slow_path = True
            frame.cleaning = cleaning and bool(frame.plan.cleanups)
            frame.stop_error = error
        elif frame.cleaning and not cleaning:
            frame.cleaning = False
        else:
            return
        self.agenda.append((Core.cancel_from, frame, 0))

    def cancel_from(self, frame: Frame, start: int) -> None:
        for index in range(start, frame.plan.size):
            if self.allowance <= 0:
                self.agenda.appendleft((Core.cancel_from, frame, index))
                return
            if frame.state[index] < _COMPLETED and frame.is_stopping(index):
                self.cancel(frame, index)

    def stop_run(self, error: BaseException) -> None:
        """Stop the whole run with an error."""
        assert self.root is not None
        self.stop(self.root, error)

    # -- steps of node runs -------------------------------------------------------------------

    def move(self, frame: Frame, index: int, to: State) -> None:
        """Take one legal step, and do what entering the state requires."""
        now = frame.state[index]
        enter = STEPS[now * _STATE_COUNT + to]
        if enter is None:
            raise InvariantError(
                f"node run {frame.path_of(index)!r} cannot go from {State(now).name} to {to.name}\n"
                + "\n".join(story(frame, index, self.started))
            )
        frame.state[index] = to
        self.allowance -= 1
        enter(self, frame, index, to)

    def enter_ready(self, frame: Frame, index: int, to: State) -> None:
        times = frame.times
        if times[3 * index] < 0:
            times[3 * index] = self.now
        if self.observed and times[3 * index + 1] < 0:
            self.emit(EventType.NODE_READY, frame, index, 0, {})

    def enter_running(self, frame: Frame, index: int, to: State) -> None:
        if frame.times[3 * index + 1] < 0:
            frame.times[3 * index + 1] = self.now
        if self.observed:
            details = frame.node_details.get(index)
            attempt = (details.failures if details is not None else 0) + 1
            self.emit_start(frame, index, attempt)

    def enter_open(self, frame: Frame, index: int, to: State) -> None:
        if frame.times[3 * index + 1] < 0:  # else it has started: an expansion or a fallback
            frame.times[3 * index + 1] = self.now
            if self.observed:
                self.emit_start(frame, index, 0)

    def enter_waiting(self, frame: Frame, index: int, to: State) -> None:
        if frame.times[3 * index + 1] < 0:
            frame.times[3 * index + 1] = self.now

    def enter_end(self, frame: Frame, index: int, to: State) -> None:
        plan = frame.plan
        frame.times[3 * index + 2] = self.now
        frame.unended -= 1
        self.ended_count += 1
        if not frame.unended:
            self.agenda.append((Core.close_frame, frame))
        if self.observed:
            self.emit_end(frame, index, to)
        if frame.node_details:
            details = frame.node_details.get(index)
            if details is not None:
                if details.timer is not None:
                    self.timers.drop(details.timer)
                if details.set_aside:
                    self.dispatcher.set_aside(frame, index, NO_AMOUNT)
                    self.request_admission()  # others may use it
        if frame.containers:
            frame.containers.pop(index, None)
        if frame.readers is not None:
            frame.release_inputs(index)
        if plan.out_edges[index] and (not frame.stopping or frame.cleaning):
            if to is _COMPLETED and plan.unconditional[index] and not self.agenda:
                self.resolve_out_edges(frame, index)
            else:
                self.agenda.append((Core.resolve_out_edges, frame, index))

    def make_ready(self, frame: Frame, index: int) -> None:
        """Let a node run go ahead: into the ready queue or, without attempts, on at once."""
        self.move(frame, index, _READY)
        _WHEN_READY[frame.plan.kinds[index]](self, frame, index)

    def enqueue(self, frame: Frame, index: int) -> None:
        self.dispatcher.enqueue(frame, index)

    def prepare_request(self, frame: Frame, index: int) -> None:
        details = frame.node_details.get(index)
        choice = ModelChoice(0, None)
        if details is not None:
            choice = ModelChoice(details.model, details.error if details.model_failures else None)
        inputs = frame.inputs_of(index)
        self._evaluate(Evaluate(frame, index, Purpose.PREPARE, None, inputs, choice))

    def fold(self, frame: Frame, index: int) -> None:
        node = frame.plan.nodes[index]
        assert isinstance(node, Merge)
        self.move(frame, index, _OPEN)
        values = edges.merge_values(frame, index)
        self._evaluate(Evaluate(frame, index, Purpose.REDUCE, node.fold, {}, values))

    def select_labels(self, frame: Frame, index: int) -> None:
        node = frame.plan.nodes[index]
        assert isinstance(node, Branch)
        self.move(frame, index, _OPEN)
        inputs = frame.inputs_of(index)
        self._evaluate(Evaluate(frame, index, Purpose.SELECT, node.select, inputs))

    def render_question(self, frame: Frame, index: int) -> None:
        self._evaluate(Evaluate(frame, index, Purpose.QUESTION, None, frame.inputs_of(index)))

    def schedule_opening(self, frame: Frame, index: int) -> None:
        self.agenda.append((Core.open_container, frame, index))

    def complete(self, frame: Frame, index: int, value: Any) -> None:
        """End a node run with a value."""
        frame.values[index] = value
        container = frame.containers.pop(index, None) if frame.containers else None
        if container is not None and container.recovering is not None:
            frame.details(index).recovered_from = container.recovering
        self.move(frame, index, _COMPLETED)

    def fail(self, frame: Frame, index: int, error: BaseException) -> None:
        """End a node run that has no attempt left: by its fallback, or as failed."""
        policy = frame.plan.nodes[index].policy
        container = frame.containers.get(index)
        is_recovering = container is not None and container.recovering is not None
        if container is not None:
            container.keep_results()
        details = frame.details(index)
        details.error = error
        stops_run = containers.is_service_wide(error)
        has_fallback = policy.fallback is not NO_FALLBACK and not stops_run
        if has_fallback and not frame.is_stopping(index) and not is_recovering:
            plan = frame.plan.fallbacks.get(index)
            if plan is not None:
                inputs = frame.plan.fallback_defaults[index] | frame.inputs_of(index)
                self._open_body(frame, index, plan, inputs, error)
            else:
                details.recovered_from = error
                self.complete(frame, index, policy.fallback)
            return
        self.move(frame, index, State.FAILED)
        if (stops_run or policy.on_error == "fail") and not frame.stopping:
            self.stop(frame, error, cleaning=True)

    def cancel(self, frame: Frame, index: int) -> None:
        """Make an unended node run end. A running attempt keeps its slot until it has stopped."""
        state = frame.state[index]
        if state == _RUNNING:
            self.cancel_attempt(frame.running[index], None)
        elif state == _OPEN and index in frame.containers:
            self._stop_container(frame, index)
        else:
            frame.evaluations.pop(index, None)
            if state == _READY and frame.plan.needs_policy[index]:
                self.request_admission()
            self.move(frame, index, State.CANCELLED)

    def _start_node_timer(self, frame: Frame, index: int) -> None:
        """Set a node run's own deadline when it first starts or opens."""
        seconds = frame.plan.nodes[index].policy.timeout_seconds
        if seconds is not None:
            details = frame.details(index)
            if details.timer is None:
                timer = Timer(self.now + seconds, TimerKind.NODE, frame, index)
                details.timer = self.timers.add(timer)

    # -- evaluations --------------------------------------------------------------------------

    def _evaluate(self, ticket: Evaluate) -> None:
        ticket.frame.evaluations[ticket.index] = ticket
        self.outbox.append(ticket)

    def on_evaluated(self, s: stimuli.Evaluated) -> None:
        ticket, value = s.ticket, s.value
        frame, index = ticket.frame, ticket.index
        if frame.evaluations.get(index) is not ticket:
            return
        del frame.evaluations[index]
        match ticket.purpose:
            case Purpose.REDUCE:
                self.complete(frame, index, value)
            case Purpose.SELECT:
                self._labels_selected(frame, index, value)
            case Purpose.PREPARE:
                frame.details(index).prepared = value
                self.dispatcher.enqueue(frame, index)
            case Purpose.QUESTION:
                frame.details(index).question = value
                self.move(frame, index, State.PARKED)
                self._start_node_timer(frame, index)
                if self.observed:
                    self.emit(EventType.NODE_PARKED, frame, index, 0, {"question": value})
            case Purpose.ITEMS:
                self._open_map(frame, index, value)
            case Purpose.UNTIL:
                step = containers.until_evaluated(frame, index, is_done=bool(value))
                self.proceed(frame, index, step)

    def _labels_selected(self, frame: Frame, index: int, value: Any) -> None:
        node = frame.plan.nodes[index]
        assert isinstance(node, Branch)
        try:
            labels = labels_of(node, value)
        except ValueError as error:
            self.fail(frame, index, error)
            return
        frame.details(index).picked_labels = labels
        self.complete(frame, index, labels[0] if len(labels) == 1 else labels)

    def on_evaluation_failed(self, s: stimuli.EvaluationFailed) -> None:
        ticket = s.ticket
        if ticket.frame.evaluations.get(ticket.index) is ticket:
            del ticket.frame.evaluations[ticket.index]
            self.fail(ticket.frame, ticket.index, s.error)

    def on_thread_ended(self, s: stimuli.ThreadEnded) -> None:
        self.dispatcher.slots_used -= 1
        self.dispatcher.slots_lost -= 1

    def on_answered(self, s: stimuli.Answered) -> None:
        node_run = self.parked().get(s.path)
        if node_run is not None:
            self.complete(*node_run, s.value)

    # -- frames and containers ----------------------------------------------------------------

    def _open_frame(
        self,
        plan: Plan,
        inputs: Mapping[str, Any],
        parent: Frame | None = None,
        index: int = 0,
        label: int | None = None,
    ) -> Frame:
        self._serial += 1
        self.opened_count += plan.size
        values = [inputs.get(name, default) for name, default in plan.inputs.items()]
        tail, priority = 0.0, 0
        if parent is not None:
            tail = parent.tail - parent.plan.neg_rank[index] - parent.plan.weights[index]
            priority = parent.plan.priorities.get(index, parent.priority)
        frame = Frame(plan, self._serial, values, parent, index, label, tail, priority)
        if self.release_values:
            frame.count_readers()
        self.frames[frame.serial] = frame
        self.agenda.append((Core.begin_frame, frame, 0))
        return frame

    def open_container(self, frame: Frame, index: int) -> None:
        """Open a loop, map or subgraph that has become ready, unless it was cancelled since."""
        if frame.is_stopping(index) or frame.state[index] != _READY:
            return
        self.move(frame, index, _OPEN)
        step = containers.open_container(frame, index)
        if frame.plan.needs_policy[index]:
            self._start_node_timer(frame, index)
        self.proceed(frame, index, step)

    def _open_body(
        self,
        frame: Frame,
        index: int,
        plan: Plan,
        inputs: dict[str, Any],
        error: BaseException | None,
    ) -> None:
        """Let an expansion run in a node run's place, or a fallback for `error`."""
        if frame.state[index] != _OPEN:
            self.move(frame, index, _OPEN)
        self.proceed(frame, index, containers.open_body(frame, index, plan, inputs, error))

    def proceed(self, frame: Frame, index: int, step: containers.Step) -> None:
        """Take the next step of a container, as a rule of `containers.py` returned it."""
        if type(step) is containers.End:
            if step.error is not None:
                self.fail(frame, index, step.error)
            elif step.state is _COMPLETED:
                self.complete(frame, index, step.value)
            else:
                self.move(frame, index, step.state)
        elif type(step) is containers.OpenFrame:
            self._open_child(frame, index, step)
        elif type(step) is Evaluate:
            self._evaluate(step)
        elif type(step) is containers.OpenMap:
            self._open_map(frame, index, step.items)
        elif type(step) is containers.StopWith:
            self._stop_container(frame, index, step.error)
        elif step is containers.OPEN_ITEMS:
            self.agenda.append((Core.open_items, frame, index))
        elif step is containers.STOPPED:
            self._container_stopped(frame, index)

    def _open_child(self, frame: Frame, index: int, step: containers.OpenFrame) -> None:
        container = frame.containers[index]
        if self.opened_count + container.body.size > self.max_node_runs:
            error = containers.too_many_node_runs(frame.path_of(index), self.max_node_runs)
            self._stop_container(frame, index, error)
            return
        child = self._open_frame(container.body, step.inputs, frame, index, step.label)
        container.frames[child.serial] = child

    def _open_map(self, frame: Frame, index: int, items: Any) -> None:
        container = containers.open_map(frame, index, items, self.dispatcher.max_parallel)
        self.unopened_count += container.unopened_node_runs
        if self.observed:
            self.emit(EventType.MAP_OPENED, frame, index, 0, {"items": len(items)})
        self.open_items(frame, index)

    def open_items(self, frame: Frame, index: int) -> None:
        """Open items in order up to the map's bound; complete the map when none is left."""
        container = frame.containers.get(index)
        if container is None or container.stopping:
            return
        total = len(container.items)
        while container.next_item < total and len(container.frames) < container.max_open:
            if self.allowance <= 0:
                self.agenda.append((Core.open_items, frame, index))
                return
            self.allowance -= 1
            self.unopened_count -= container.body.size
            self._open_child(frame, index, containers.next_item(container))
            if container.stopping or frame.containers.get(index) is not container:
                return
        if not container.frames:
            self.proceed(frame, index, containers.map_ended(frame, index))

    def close_frame(self, frame: Frame) -> None:
        """Close a frame whose node runs have all ended; its container proceeds."""
        del self.frames[frame.serial]
        if frame.parent is None:
            self._finish(frame)
        else:
            self.proceed(frame.parent, frame.parent_index, containers.close(frame))

    def _stop_container(self, frame: Frame, index: int, error: BaseException | None = None) -> None:
        """Stop every frame under a node run; when they have closed it fails, or is cancelled."""
        container = frame.containers[index]
        frame.evaluations.pop(index, None)
        if container.stopping:
            return
        container.stopping = True
        container.stop_error = error
        self.unopened_count -= container.unopened_node_runs
        for child in container.frames.values():
            self.stop(child, None)
        if not container.frames:
            self._container_stopped(frame, index)

    def _container_stopped(self, frame: Frame, index: int) -> None:
        container = frame.containers[index]
        if container.stop_error is not None:
            self.fail(frame, index, container.stop_error)
        else:
            container.keep_results()
            self.move(frame, index, State.CANCELLED)

    # -- the run ------------------------------------------------------------------------------

    def on_run_started(self, s: stimuli.RunStarted) -> None:
        self.started = s.now
        if self.observed:
            data = {"graph": self.plan.name, "nodes": self.plan.size}
            self.emit(EventType.RUN_STARTED, None, 0, 0, data)
        self.root = self.dispatcher.queue.root = self._open_frame(self.plan, s.inputs)
        for index, amount in self._set_aside.items():
            self.dispatcher.set_aside(self.root, index, amount)
        if self.timeout_seconds is not None:
            self.timers.add(Timer(s.now + self.timeout_seconds, TimerKind.RUN, self.root))

    def on_run_cancelled(self, s: stimuli.RunCancelled) -> None:
        root = self.root
        if root is not None and (not root.stopping or root.cleaning) and not self.finished:
            self.cancelled = s.reason
            self.stop(root, None)

    def on_continued(self, s: stimuli.Continued) -> None:
        """Nothing: `handle` continues with the agenda."""

    def _finish(self, root: Frame) -> None:
        self.finished = True
        self.outcome_error = root.stop_error
        self._wake(self.dispatcher.leave(self.now))
        if self.cancelled is not None:
            kind, data = EventType.RUN_CANCELLED, {"reason": self.cancelled}
        elif (error := containers.frame_outcome(root).error) is not None:
            kind, data = EventType.RUN_FAILED, {"error": describe(error)}
        else:
            kind, data = EventType.RUN_COMPLETED, {}
            self.progress = 100.0
        if self.observed:
            self.emit(kind, None, 0, 0, data)
        self.outbox.append(Finish())

    def _check_quiescence(self) -> None:
        """Raise if the run has nothing to wait for but has not ended."""
        dispatcher = self.dispatcher
        if dispatcher.slots_used or self.finished or self.root is None:
            return
        if len(dispatcher.queue) or self.timers or dispatcher.waiting_calls:
            return
        for frame in self.frames.values():
            if frame.evaluations or State.PARKED in frame.state:
                return
        for frame in self.frames.values():
            for index in range(frame.plan.size):
                if frame.state[index] < _COMPLETED and index not in frame.containers:
                    raise InvariantError(
                        f"nothing is left to wait for, but {frame.path_of(index)!r} has not ended\n"
                        + "\n".join(story(frame, index, self.started))
                    )

    # -- attempts -----------------------------------------------------------------------------

    def _start(self, item: Item, permit: Permit | None) -> StartAttempt:
        """Start an attempt of a ready node run that was admitted."""
        frame, index = item[4], item[3]
        plan = frame.plan
        self.move(frame, index, _RUNNING)
        self.dispatcher.slots_used += 1
        attempt = StartAttempt(frame, index, frame.inputs_of(index))
        frame.running[index] = attempt
        if plan.needs_policy[index]:
            policy = plan.nodes[index].policy
            details = frame.details(index)
            attempt.number = details.failures + 1
            attempt.sent_at = self.now
            attempt.resources = self.dispatcher.resources_of(frame, index)
            attempt.model = details.model
            attempt.permit = permit
            attempt.prepared = details.prepared
            if attempt.prepared is not None and attempt.prepared.worst:
                attempt.reserved = attempt.prepared.worst
                attempt.set_aside, details.set_aside = details.set_aside, NO_AMOUNT
            seconds = policy.attempt_timeout_seconds
            if seconds is not None:
                timer = Timer(self.now + seconds, TimerKind.ATTEMPT, frame, index, attempt)
                attempt.timer = self.timers.add(timer)
            self._start_node_timer(frame, index)
            if policy.hedge_after is not None:
                self._start_hedge_timer(attempt)
        return attempt

    def _end_attempt(self, s: stimuli.AttemptEnded) -> bool:
        """
        Bill an attempt and free what it held.

        Returns:
            Whether its end decides what the node run does next: not while its rival runs, nor
            after its rival has won.
        """
        attempt, usage = s.attempt, s.usage
        frame, index = attempt.frame, attempt.index
        if usage is not NOTHING_USED:
            self._book(attempt, attempt, usage)
        wake = self.dispatcher.settle_attempt(attempt, usage, self.now)
        if wake:
            self._wake(wake)
        if attempt.hedge_timer is not None:
            self.timers.drop(attempt.hedge_timer)
        if attempt.rival is not None:
            self._rival_ended(attempt, attempt.rival, s)
            return False
        if attempt.timer is not None:
            self.timers.drop(attempt.timer)
        del frame.running[index]
        if attempt.winning_value is not MISSING:
            self.complete(frame, index, attempt.winning_value)
            return False
        return True

    def _book(self, attempt: StartAttempt, exchange: StartAttempt | Call, usage: Usage) -> None:
        """Add what an exchange of an attempt used to the bills of the node run and the run."""
        frame, index, prepared = attempt.frame, attempt.index, exchange.prepared
        source = prepared.source if prepared is not None else NO_SERVICE_MODEL
        self.usage += usage
        details = frame.details(index)
        details.usage += usage
        model = self.models.setdefault(source, len(self.models))
        details.bills.append((attempt.number, model, usage))
        if self.observed and frame.state[index] < _COMPLETED:
            began = exchange.sent_at - self.started
            data = exchange_data(prepared, usage, exchange.response, began)
            self.emit(EventType.EXCHANGE_ENDED, frame, index, attempt.number, data)

    def on_attempt_succeeded(self, s: stimuli.AttemptSucceeded) -> None:
        attempt = s.attempt
        if attempt.rival is not None:  # before listeners hear that the exchange has ended
            self._switch_text(attempt, attempt.rival)
        if self._end_attempt(s):
            self.complete(attempt.frame, attempt.index, s.value)

    def on_expanded(self, s: stimuli.Expanded) -> None:
        attempt = s.attempt
        if self._end_attempt(s):
            frame, index = attempt.frame, attempt.index
            if attempt.cancelling and attempt.stop_error is None:
                self._cut_short(attempt)
            elif attempt.is_final and attempt.stop_error is not None:  # too late to open anything
                self.fail(frame, index, attempt.stop_error)
            else:
                self._open_body(frame, index, s.plan, {}, None)

    def on_attempt_failed(self, s: stimuli.AttemptFailed) -> None:
        if self._end_attempt(s):
            self._attempt_failed(s.attempt, s.attempt.stop_error or s.error)

    def on_attempt_cancelled(self, s: stimuli.AttemptCancelled) -> None:
        attempt = s.attempt
        if self._end_attempt(s):
            if attempt.stop_error is not None:
                self._attempt_failed(attempt, attempt.stop_error)
            else:
                self._cut_short(attempt)

    def _cut_short(self, attempt: StartAttempt) -> None:
        """End a node run as cancelled with its attempt."""
        frame, index = attempt.frame, attempt.index
        if index in frame.node_details:
            frame.node_details[index].was_cut_short = True
        self.move(frame, index, State.CANCELLED)

    def _attempt_failed(self, attempt: StartAttempt, error: BaseException) -> None:
        """Retry a node run later, or let it fail."""
        frame, index = attempt.frame, attempt.index
        details = frame.details(index)
        details.failures += 1
        details.model_failures += 1
        details.error = error
        if self.observed:
            data = {"error": describe(error)}
            self.emit(EventType.ATTEMPT_FAILED, frame, index, attempt.number, data)
        if attempt.cancelling and attempt.stop_error is None:
            self.move(frame, index, State.CANCELLED)
            return
        if self.dispatcher.over_budget is not None:
            refusal = attempts.refusal_in(error)
            if refusal is not None:
                self.skip_over_budget(frame, index, refusal)
                return
        deadline = NEVER
        if self.timeout_seconds is not None:
            deadline = self.started + self.timeout_seconds
        delay, model, line = attempts.decide_retry(attempt, error, self.now, deadline, self._random)
        self._note(attempt.frame, attempt.index, line)
        if delay is None:
            self.fail(frame, index, error)
            return
        self.move(frame, index, State.DELAYED)
        if self.observed:
            retrying: dict[str, Any] = {"delay_seconds": delay}
            if model is not None:
                retrying["model"] = model
            self.emit(EventType.NODE_RETRYING, frame, index, attempt.number, retrying)
        if delay > 0:
            when, failures = self.now + delay, details.failures
            self.timers.add(Timer(when, TimerKind.RETRY, frame, index, failures=failures))
        else:
            self.make_ready(frame, index)

    def _random(self) -> random.Random:
        """Return the source of chance, made on first use: most runs never need it."""
        if self._rng is None:
            self._rng = random.Random(self._seed)
        return self._rng

    def cancel_attempt(
        self, attempt: StartAttempt, error: BaseException | None, *, is_final: bool = False
    ) -> None:
        """
        Ask an attempt, and its rival, to stop.

        It keeps its slot, permit and reservation until it reports its end.

        Args:
            attempt: The attempt.
            error: What it fails with when it has stopped; None cancels the node run.
            is_final: Whether no other attempt may follow.
        """
        for one in (attempt, attempt.rival):
            if one is None:
                continue
            one.is_final = one.is_final or is_final
            if not one.cancelling:
                one.cancelling = True
                one.stop_error = error
                self.outbox.append(CancelAttempt(one))
            elif error is None:
                one.stop_error = None

    def on_tokens_arrived(self, s: stimuli.TokensArrived) -> None:
        attempt, rival = s.attempt, s.attempt.rival
        if not self.observed or attempt.cancelling:
            return
        if rival is not None and rival.emits_text:  # kept, in case that this one wins
            attempt.suppressed_text += s.text
            return
        attempt.emits_text = True
        data = {"text": s.text}
        self.emit(EventType.NODE_TOKENS, attempt.frame, attempt.index, attempt.number, data)

    def on_reply_began(self, s: stimuli.ReplyBegan) -> None:
        permit = s.ticket.permit
        if permit is not None:
            self._wake(
                self.dispatcher.admission.reply_began(
                    permit, s.now, s.rates, s.pause_seconds, refused=s.refused
                )
            )

    # -- hedges: docs/adr/0018 ----------------------------------------------------------------

    def _start_hedge_timer(self, attempt: StartAttempt) -> None:
        """Set when an attempt is to be hedged, if enough response times are known."""
        after = attempt.frame.plan.nodes[attempt.index].policy.hedge_after
        if after == "p95":
            permit = attempt.permit
            after = None if permit is None else self.dispatcher.admission.p95(permit)
        if after is not None:
            timer = Timer(self.now + after, TimerKind.HEDGE, attempt.frame, attempt.index, attempt)
            attempt.hedge_after_seconds = after
            attempt.hedge_timer = self.timers.add(timer)

    def _start_hedges(self) -> None:
        for hedge in self.dispatcher.start_hedges(self.now):
            first = hedge.rival
            assert first is not None
            self._note(first.frame, first.index, f"attempt {first.number} is slow; hedged")
            if self.observed:
                data = {"after_seconds": first.hedge_after_seconds}
                self.emit(EventType.NODE_HEDGED, hedge.frame, hedge.index, hedge.number, data)
            self.outbox.append(hedge)

    def _rival_ended(
        self, attempt: StartAttempt, other: StartAttempt, s: stimuli.AttemptEnded
    ) -> None:
        """Stop the other of two rivals if this one succeeded; otherwise it continues alone."""
        line = attempts.rival_ended(attempt, other, s)
        if line is not None:
            self._note(attempt.frame, attempt.index, line)
        if isinstance(s, stimuli.AttemptSucceeded):
            if other.timer is not None:
                self.timers.drop(other.timer)
            if not other.cancelling:
                self.cancel_attempt(other, None)
        elif not attempt.cancelling:
            self._switch_text(other, attempt)

    def _switch_text(self, winner: StartAttempt, loser: StartAttempt) -> None:
        """Send listeners the winner's text, to replace what they received of the loser's."""
        text = attempts.take_text_from(winner, loser)
        if text is not None and self.observed:
            data = {"text": text, "replaces_text": True}
            self.emit(EventType.NODE_TOKENS, winner.frame, winner.index, winner.number, data)

    def _note(self, frame: Frame, index: int, line: str) -> None:
        """Add a line to the story of a node run."""
        details = frame.details(index)
        details.story_lines.append(f"{self.now - self.started:.3f} s: {line}")

    # -- calls and admission ------------------------------------------------------------------

    def on_call_ended(self, s: stimuli.CallEnded) -> None:
        call, usage = s.call, s.usage
        if call.reserved is None:  # it was never granted
            self.dispatcher.withdraw_call(call)
            self.request_admission()
        else:
            wake = self.dispatcher.settle_call(call, usage, self.now)
            self._book(call.attempt, call, usage)
            self._wake(wake)
        self._carry_out(self.dispatcher.serve_calls(self.now))

    def _carry_out(self, decisions: Decisions) -> None:
        self.outbox.extend(decisions.commands)
        self._retry_admission_at(decisions.retry_at)
        if decisions.stop_error is not None:
            self.stop_run(decisions.stop_error)

    def _follow_up(self, scan: Scan) -> None:
        """Do what a search of the ready queue asks for besides its result."""
        self._wake(scan.wake)
        self._retry_admission_at(scan.retry_at)
        if scan.downgrade is not None:
            self.agenda.append((Core.downgrade, scan.downgrade[4], scan.downgrade[3]))
        if scan.refused is not None:
            item, error = scan.refused
            if self.dispatcher.finishes:
                self.agenda.append((Core.skip_over_budget, item[4], item[3], error))
            else:
                self.stop_run(error)

    def skip_over_budget(self, frame: Frame, index: int, error: BudgetExceededError) -> None:
        """Skip a node run whose call is never paid; its fallback is for failures only."""
        if frame.state[index] not in (_READY, _RUNNING):
            return
        details = frame.details(index)
        details.error = error
        self._note(frame, index, f"skipped: {describe(error)}")
        self.move(frame, index, State.SKIPPED)

    def downgrade(self, frame: Frame, index: int) -> None:
        """Switch a node run that can never be paid to its cheaper model."""
        details = frame.details(index)
        prepared = details.prepared
        if frame.state[index] != _READY or prepared is None or prepared.cheaper is None:
            return
        self.dispatcher.queue.remove(frame, index)
        details.prepared = prepared.cheaper
        if self.observed:
            data = dict(zip(("service", "model"), prepared.cheaper.source, strict=True))
            self.emit(EventType.NODE_DOWNGRADED, frame, index, 0, data)
        self.dispatcher.enqueue(frame, index)

    def request_admission(self) -> None:
        """Have `next` check what this run still waits for."""
        self.admission_pending = True

    def on_resource_freed(self, s: stimuli.ResourceFreed) -> None:
        self._run_admission()

    def _run_admission(self) -> None:
        """
        Start what can start now, and leave the queues of resources that nothing waits for.

        A run that was woken must do so even if it needs nothing any more: the next one in the
        queue waits for that.
        """
        if self.agenda:  # it may change what there is to start
            self.admission_pending = True
            return
        self.admission_pending = False
        dispatcher = self.dispatcher
        self._carry_out(dispatcher.serve_calls(self.now))
        waits_for: Collection[str] = dispatcher.calls_wait_for
        while dispatcher.can_start and not self.agenda:
            item, scan = dispatcher.pop_admissible(self.now)
            if scan is not None:
                self._follow_up(scan)
            if item is None:
                waits_for = waits_for if scan is None else scan.waits_for
                break
            self.outbox.append(self._start(item, None if scan is None else scan.permit))
        self._wake(dispatcher.leave(self.now, waits_for))

    def _retry_admission_at(self, when: float) -> None:
        """Ask again at that time for what was refused; infinity: when woken."""
        timer = self._admission_timer
        if when == NEVER or (timer is not None and not timer.dropped and timer.when <= when):
            return
        if timer is not None:
            self.timers.drop(timer)
        assert self.root is not None
        self._admission_timer = self.timers.add(Timer(when, TimerKind.ADMISSION, self.root))

    def _wake(self, runs: Iterable[str]) -> None:
        """Tell other runs that what they wait for was given back."""
        self.outbox.extend(WakeRun(run) for run in runs if run != self.run_id)

    # -- timers -------------------------------------------------------------------------------

    def on_timer_fired(self, s: stimuli.TimerFired) -> None:
        self.agenda.appendleft((Core.fire_timers,))

    def fire_timers(self) -> None:
        while (timer := self.timers.pop(self.now)) is not None:
            self._fire(timer)
            if self.allowance <= 0:
                self.agenda.appendleft((Core.fire_timers,))
                return
        if self.admission_pending:
            self._run_admission()

    def _fire(self, timer: Timer) -> None:
        frame, index = timer.frame, timer.index
        match timer.kind:
            case TimerKind.RUN:
                self.stop_run(
                    NodeTimeoutError(
                        f"the run took longer than its timeout_seconds={self.timeout_seconds:g}"
                    )
                )
            case TimerKind.ADMISSION:
                self.request_admission()
            case TimerKind.HEDGE:
                assert timer.attempt is not None
                self.dispatcher.hedge_candidates.append(timer.attempt)
            case TimerKind.RETRY:
                failures = frame.node_details[index].failures
                if frame.state[index] == State.DELAYED and failures == timer.failures:
                    self.make_ready(frame, index)
            case TimerKind.ATTEMPT:
                assert timer.attempt is not None
                if frame.state[index] < _COMPLETED:
                    self.cancel_attempt(timer.attempt, attempts.timeout_error(timer))
            case TimerKind.NODE:
                if frame.state[index] < _COMPLETED:
                    self._node_timed_out(frame, index, attempts.timeout_error(timer))

    def _node_timed_out(self, frame: Frame, index: int, error: NodeTimeoutError) -> None:
        """Stop what a node run is doing, or let it fail at once if it only waits."""
        state = frame.state[index]
        if state == _RUNNING:
            self.cancel_attempt(frame.running[index], error, is_final=True)
        elif state == _OPEN and index in frame.containers:
            self._stop_container(frame, index, error)
        else:
            if state == _READY:
                self.request_admission()
            frame.evaluations.pop(index, None)
            self.fail(frame, index, error)

    # -- events -------------------------------------------------------------------------------

    def emit_start(self, frame: Frame, index: int, attempt: int) -> None:
        data = {"kind": frame.plan.nodes[index].kind.value}
        self.emit(EventType.NODE_STARTED, frame, index, attempt, data)

    def emit_end(self, frame: Frame, index: int, end: State) -> None:
        self.progress = max(self.progress, self.measured_progress)
        self.emit(END_EVENTS[end], frame, index, 0, end_data(frame, index, end))

    def emit(
        self,
        type: EventType,
        frame: Frame | None,
        index: int,
        attempt: int,
        data: Mapping[str, Any],
    ) -> None:
        """Number an event and keep it for the listeners."""
        self.event_number += 1
        path = frame.path_of(index) if frame is not None else ""
        self.events.append(
            Event(
                self.event_number,
                self.now - self.started,
                type,
                self.run_id,
                path,
                attempt,
                self.progress,
                data,
            )
        )


# -- tables -----------------------------------------------------------------------------------

_Enter = Callable[[Core, Frame, int, State], None]
_ENTER: Final[Mapping[State, _Enter]] = {
    State.READY: Core.enter_ready,
    State.RUNNING: Core.enter_running,
    State.DELAYED: Core.enter_waiting,
    State.PARKED: Core.enter_waiting,
    State.OPEN: Core.enter_open,
    **dict.fromkeys((state for state in State if state.is_end), Core.enter_end),
}
STEPS: Final[list[_Enter | None]] = [
    _ENTER[to] if (start, to) in TRANSITIONS else None for start in State for to in State
]
"""What each legal step does; None for a step that is not legal. Index: start * len(State) + to."""

_WHEN_READY: Final[Mapping[int, Callable[[Core, Frame, int], None]]] = {
    ASYNC: Core.enqueue,
    SYNC: Core.enqueue,
    LLM_CALL: Core.prepare_request,
    BRANCH: Core.select_labels,
    MERGE: Core.fold,
    LOOP: Core.schedule_opening,
    MAP: Core.schedule_opening,
    SUBGRAPH: Core.schedule_opening,
    ASK: Core.render_question,
}
"""What a node run of each kind does when it becomes ready."""

_HANDLERS: Final[Mapping[type[Stimulus], Callable[[Core, Any], None]]] = {
    stimuli.RunStarted: Core.on_run_started,
    stimuli.RunCancelled: Core.on_run_cancelled,
    stimuli.Continued: Core.on_continued,
    stimuli.TimerFired: Core.on_timer_fired,
    stimuli.ResourceFreed: Core.on_resource_freed,
    stimuli.AttemptSucceeded: Core.on_attempt_succeeded,
    stimuli.Expanded: Core.on_expanded,
    stimuli.AttemptFailed: Core.on_attempt_failed,
    stimuli.AttemptCancelled: Core.on_attempt_cancelled,
    stimuli.TokensArrived: Core.on_tokens_arrived,
    stimuli.ReplyBegan: Core.on_reply_began,
    stimuli.CallEnded: Core.on_call_ended,
    stimuli.Evaluated: Core.on_evaluated,
    stimuli.EvaluationFailed: Core.on_evaluation_failed,
    stimuli.Answered: Core.on_answered,
    stimuli.ThreadEnded: Core.on_thread_ended,
}
