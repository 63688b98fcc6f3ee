"""Time, slots, attempts and ends in the reference. Edges and frames are in `reference.py`."""

from __future__ import annotations

import bisect
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from dagorch.errors import ExpansionError, NodeTimeoutError, ProviderError
from tests.property.reference_model import Attempt, Box, Frame, Run, length
from tests.property.spec import GraphSpec
from tests.property.world import World, shown

SLOTTED = ("function", "llm", "expand")


class NotAllowedError(AssertionError):
    """The engine started an attempt that the rules forbid, or omitted one that they demand."""


class Attempts:
    """
    What happens to attempts, and how node runs end.

    Args:
        order: The attempts that the engine started, in that order; None: by urgency.
    """

    def __init__(
        self,
        world: World,
        parallel: int,
        *,
        order: list[tuple[str, int]] | None = None,
        limits: Mapping[str, int] | None = None,
        seed: int = 0,
        start: float = 0.0,
    ) -> None:
        self.world = world
        self.parallel = parallel
        self.limits = limits or {}
        self.held: Counter[str] = Counter()
        self.slots = 0
        self.order = order
        self.jitter = random.Random(seed)
        self.now = start
        self.count = 0
        self.at_once: list[Callable[[], None]] = []
        """Evaluations that take no time: they come before anything else starts."""
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.frames: list[Frame] = []
        self.all: dict[str, Run] = {}
        self.evaluations: Counter[tuple[str, str]] = Counter()
        self.started: list[tuple[str, int, float, Any]] = []
        self.tied = False
        self.run_deadline: float | None = None

    def at(self, when: float, happen: Callable[[], None]) -> None:
        self.count += 1
        bisect.insort(self.events, (when, self.count, happen))

    def later(self, run: Run, seconds: float, happen: Callable[[], None]) -> None:
        """Do something later, unless the node run has moved on by then."""
        ticket = run.ticket
        self.at(self.now + seconds, lambda: happen() if run.ticket == ticket else None)

    def evaluate(
        self, run: Run, purpose: str, call: Callable[[], Any], then: Callable[[Any], None]
    ) -> None:
        """Call a user function, which takes a little time and no slot."""
        self.evaluations[run.path, purpose] += 1

        def happen() -> None:
            try:
                value = call()
            except Exception as error:
                self.fail(run, error)
            else:
                then(value)

        seconds = self.world.evaluation_seconds(
            run.path, purpose, self.evaluations[run.path, purpose]
        )
        if seconds:
            self.later(run, seconds, happen)
        else:
            ticket = run.ticket
            self.at_once.append(lambda: happen() if run.ticket == ticket else None)

    # -- attempts --------------------------------------------------------------------------------

    def fill_slots(self) -> None:
        """Start the most urgent ready node runs while there are free slots."""
        while self.slots < self.parallel:
            waiting = [
                run
                for frame in self.frames
                for run in frame.runs.values()
                if run.state == "ready"
                and run.spec.kind in SLOTTED
                and self.free(run.spec.resources)
            ]
            if not waiting:
                return
            best = max(map(urgency, waiting))
            chosen = next(run for run in waiting if urgency(run) == best)
            if self.order is not None:
                chosen = self.engine_choice(waiting, best)
            self.start(chosen)

    def engine_choice(self, waiting: list[Run], best: tuple[float, float]) -> Run:
        """Return the attempt that the engine started next; it must be one of the most urgent."""
        assert self.order is not None
        if not self.order:
            raise NotAllowedError(
                f"{[run.path for run in waiting]} could start at {self.now}, but nothing did"
            )
        path, number = self.order.pop(0)
        chosen = next(
            (run for run in waiting if run.path == path and run.failures + 1 == number), None
        )
        if chosen is None:
            raise NotAllowedError(
                f"{path} started at {self.now}, but only {[run.path for run in waiting]} could"
            )
        rivals = [run for run in waiting if urgency(run) == best]
        earlier = [
            run.path for run in rivals if run.frame is chosen.frame and run.index < chosen.index
        ]
        if chosen not in rivals or earlier:
            first = earlier or [run.path for run in rivals]
            raise NotAllowedError(f"{path} started at {self.now} before {first}, which came first")
        return chosen

    def free(self, names: tuple[str, ...]) -> bool:
        return all(self.held[name] < self.limits[name] for name in names)

    def start(self, run: Run) -> None:
        self.slots += 1
        self.held.update(run.spec.resources)
        run.state = "running"
        run.ticket += 1
        attempt = run.attempt = Attempt(run.failures + 1, self.now)
        self.started.append((run.path, attempt.number, self.now, shown(run.inputs)))
        self.arm(run)
        act = self.world.act(run.spec, run.path, attempt.number)
        self.schedule_end(run, attempt, self.now + act.seconds, act.end)
        if run.spec.attempt_timeout is not None:
            late = NodeTimeoutError("attempt")
            self.later(
                run, run.spec.attempt_timeout, lambda: self.stop_attempt(run, late, last=False)
            )

    def schedule_end(self, run: Run, attempt: Attempt, when: float, end: str) -> None:
        attempt.ticket += 1
        ticket = attempt.ticket
        self.at(
            when,
            lambda: self.attempt_ended(run, attempt, end) if attempt.ticket == ticket else None,
        )

    def stop_attempt(self, run: Run, cause: BaseException | None, *, last: bool) -> None:
        """Ask an attempt to stop; a stop without a cause overrides one with a cause."""
        attempt = run.attempt
        assert attempt is not None
        attempt.last |= last
        if not attempt.cancelling:
            attempt.cancelling, attempt.cause = True, cause
            act = self.world.act(run.spec, run.path, attempt.number)
            self.schedule_end(run, attempt, *act.cancelled(attempt.started, self.now))
        elif cause is None:
            attempt.cause = None

    def attempt_ended(self, run: Run, attempt: Attempt, end: str) -> None:
        self.slots -= 1
        self.held.subtract(run.spec.resources)
        run.attempt = None
        run.ticket += 1
        unwanted = attempt.cancelling and attempt.cause is None
        act = self.world.act(run.spec, run.path, attempt.number)
        if end == "value":
            self.complete(run, self.world.value(run.spec, run.inputs))
        elif unwanted:
            self.finish(run, "cancelled")
        elif end == "graph" and not attempt.last:
            assert run.spec.body is not None
            self.open_box(run, Box(run.spec.body, {}, "graph", None))
        else:
            error = attempt.cause or (ExpansionError("bad") if end == "bad graph" else act.error)
            assert error is not None
            self.attempt_failed(run, attempt, error)

    def attempt_failed(self, run: Run, attempt: Attempt, error: BaseException) -> None:
        run.failures += 1
        delay = self.delay(run, error) if not attempt.last else None
        if delay is None or self.too_late(run, self.now + delay):
            self.fail(run, error)
            return
        run.state = "delayed"
        if delay:
            self.later(run, delay, lambda: self.again(run))
        else:
            self.again(run)

    def too_late(self, run: Run, when: float) -> bool:
        """Whether a deadline around the node run comes first."""
        if run.deadline is not None and when >= run.deadline:
            return True
        if run.frame.owner is not None:
            return self.too_late(run.frame.owner, when)
        return self.run_deadline is not None and when >= self.run_deadline

    def again(self, run: Run) -> None:
        if run.spec.kind == "llm":
            run.state = "preparing"
            self.evaluate(run, "prepare", lambda: None, lambda _: self.queue(run))
        else:
            self.queue(run)

    def delay(self, run: Run, error: BaseException) -> float | None:
        """Seconds until the next attempt; None if there is none."""
        spec = run.spec
        attempts, base, kinds = spec.attempts, spec.base_delay, spec.retry_on
        if attempts is None:
            if spec.kind != "llm":
                return None
            attempts, base, kinds = 3, 1.0, (Exception,)
        if (
            run.failures >= attempts
            or not isinstance(error, kinds)
            or not getattr(error, "retryable", True)
        ):
            return None
        if isinstance(error, ProviderError) and error.retry_after_seconds is not None:
            return error.retry_after_seconds if error.retry_after_seconds <= 60.0 else None
        if getattr(error, "retry_at_once", False):
            return 0.0
        return self.jitter.uniform(0.0, min(60.0, base * 2.0 ** (run.failures - 1)))

    def arm(self, run: Run) -> None:
        """Set the deadline of the node, once."""
        if run.spec.timeout is not None and run.deadline is None:
            run.deadline = self.now + run.spec.timeout
            self.at(run.deadline, lambda: self.late(run))

    def late(self, run: Run) -> None:
        if run.end is not None:
            return
        error = NodeTimeoutError("node")
        if run.state == "running":
            self.stop_attempt(run, error, last=True)
        elif run.box is not None:
            if not run.box.stopping:
                self.stop_box(run, error)
        else:
            self.fail(run, error)

    # -- ends ------------------------------------------------------------------------------------

    def finish(self, run: Run, end: str) -> None:
        assert run.end is None
        self.count += 1
        run.state = run.end = end
        run.ended, run.order = self.now, self.count
        run.ticket += 1

    def complete(self, run: Run, value: Any) -> None:
        run.value = value
        self.finish(run, "completed")

    def fail(self, run: Run, error: BaseException) -> None:
        """Run the fallback, or end as the policy says."""
        spec, frame = run.spec, run.frame
        recovering = run.box is not None and run.box.recovering is not None
        run.ticket += 1
        if spec.fallback is not None and not recovering and not frame.stops(run):
            if isinstance(spec.fallback, GraphSpec):
                self.open_box(run, Box(spec.fallback, run.inputs, "graph", error))
            else:
                self.complete(run, spec.fallback)
            return
        run.error = error
        self.finish(run, "failed")
        if spec.on_error == "fail" and not frame.stopping:
            self.stop(frame, error, cleaning=True)

    def cancel(self, run: Run) -> None:
        run.unwanted_since = self.now
        if run.state == "running":
            self.stop_attempt(run, None, last=False)
        elif run.box is not None:
            self.stop_box(run, None)
        else:
            self.finish(run, "cancelled")

    def stop(self, frame: Frame, error: BaseException | None, *, cleaning: bool = False) -> None:
        if frame.stopping and not (frame.cleaning and not cleaning):
            return
        if not frame.stopping:
            frame.stopping, frame.error = True, error
        frame.cleaning = cleaning
        frame.instants.add(self.now)
        for run in frame.runs.values():
            if run.end is None and frame.stops(run):
                self.cancel(run)

    def stop_box(self, run: Run, error: BaseException | None) -> None:
        """Stop all frames under a node run; it ends when they have closed."""
        box = run.box
        assert box is not None
        if box.stopping:
            return
        box.stopping, box.error = True, error
        run.ticket += 1
        for frame in box.frames:
            self.stop(frame, None)
        if not box.frames:
            self.box_stopped(run)

    def box_stopped(self, run: Run) -> None:
        assert run.box is not None
        if run.box.error is not None:
            self.fail(run, run.box.error)
        else:
            self.finish(run, "cancelled")

    def open_box(self, run: Run, box: Box) -> None:
        """Open the frame that a node run waits for."""
        raise NotImplementedError


def urgency(run: Run) -> tuple[float, float]:
    """Return the user's priority, then the longest remaining path in and after this frame."""
    priority = run.frame.priority if run.spec.priority is None else run.spec.priority
    return priority, length(run) + run.frame.tail
