"""
One run from its options to its result: everything is checked before anything starts.

The doors are in `api.py`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextvars import copy_context

import anyio
from anyio.lowlevel import checkpoint

from dagorch.errors import DefinitionError, Problem
from dagorch.graph.graph import NO_DEFAULT, Graph
from dagorch.graph.plan import Plan
from dagorch.ids import new_run_id
from dagorch.models.events import Event
from dagorch.models.result import Result
from dagorch.models.run_options import RunArguments
from dagorch.models.unawaited import unawaited
from dagorch.models.user_objects import passes, short_repr
from dagorch.models.well_formed import HALF_A_CHARACTER, is_well_formed
from dagorch.nodes.types import type_name, value_check
from dagorch.runner.attempts import Attempts
from dagorch.runner.cancellation import single_error
from dagorch.runner.event_delivery import QUEUE_LENGTH, EventQueue, Listener
from dagorch.runner.loop import Runner
from dagorch.runner.loop_state import shared
from dagorch.runner.outcome import engine_error, result_of, run_error
from dagorch.runner.providers import Providers
from dagorch.runner.request_preparation import RequestPreparer
from dagorch.scheduler.budget import Budget
from dagorch.scheduler.core import Core

__all__ = ["Session"]


class Session:
    """One run: checked, with its core, its runner and its listeners."""

    def __init__(self, graph: Graph, arguments: RunArguments) -> None:
        self.graph = graph
        self.plan: Plan = graph.compile()
        self.options = arguments.options
        self.inputs = arguments.inputs
        self.providers = Providers(self.options.provider)
        self.preparer = RequestPreparer(
            self.providers,
            money=self.options.max_cost is not None,
            tokens=self.options.max_tokens is not None,
            downgrade=self.options.downgrade,
        )
        self._check(arguments)
        self.listeners = [Listener(callback) for callback in self.options.listeners]
        self.streams: list[EventQueue] = []
        self._log: deque[Event] | None = None
        """The last events, for readers that come late; None: none are kept."""
        self._delivered = False
        """Whether every event is out. The core finishes earlier: its last events are commands."""
        self.core: Core | None = None
        self.runner: Runner | None = None

    def _check(self, arguments: RunArguments) -> None:
        wrong_options = self.options.problems()
        problems = arguments.problems(self.graph.inputs) + wrong_options
        problems += self._input_problems(arguments)
        if not wrong_options:
            problems += self._bound_problems()
        if problems:
            raise DefinitionError(
                [Problem(text) for text in problems], subject=f"graph {self.graph.name!r}"
            )
        self.providers.check(self.plan, self.preparer.request_check)
        self.preparer.check_downgrade()
        ceilings = Budget(self.options.ceiling, self.options.max_tokens)
        self.set_aside = self.preparer.set_aside(self.plan, ceilings)

    def _input_problems(self, arguments: RunArguments) -> Iterator[str]:
        for spec in self.graph.inputs.values():
            name = spec.name
            if name not in self.inputs:
                if spec.default is NO_DEFAULT:
                    yield arguments.missing(name)
                continue
            value = self.inputs[name]
            what = unawaited(value)
            if what:
                yield f"input {name!r} is {what}"
                continue
            if issubclass(type(value), str) and not is_well_formed(value):
                yield f"input {name!r} {HALF_A_CHARACTER}"
                continue
            check = value_check(spec.annotation)
            if not passes(check, value):
                yield (
                    f"input {name!r} takes {type_name(spec.annotation)}, not "
                    f"{type_name(type(value))}: {short_repr(value, 60)}"
                )

    def _bound_problems(self) -> Iterator[str]:
        options, size = self.options, self.plan.size
        if size > options.max_node_runs:
            yield (
                f"max_node_runs={options.max_node_runs} is less than the graph's own {size} nodes"
            )
        for name, node in self.plan.resources.items():
            if name not in options.limits:
                yield (
                    f"node {node!r} holds resource {name!r}, which has no bound; pass "
                    f"limits={{{name!r}: 1}}"
                )

    @property
    def dropped(self) -> int:
        return sum(
            q.dropped for q in (*self.streams, *(listener.queue for listener in self.listeners))
        )

    def _emit(self, events: Sequence[Event]) -> None:
        for listener in self.listeners:
            listener.queue.extend(events)
        for queue in self.streams:
            queue.extend(events)
        if self._log is not None:
            self._log.extend(events)

    def keep_events(self) -> None:
        """Keep the last events from the run's start on, so that `subscribe` can begin with them."""
        self._log = deque(maxlen=QUEUE_LENGTH)

    def subscribe(self, after: int = 0) -> EventQueue:
        """
        Return a queue of the events after a number, as far as they are kept, and of those to come.

        Those that are no longer kept count as dropped.
        """
        queue = EventQueue()
        kept = [event for event in self._log or () if event.number > after]
        if kept:
            queue.dropped = kept[0].number - after - 1
        queue.extend(kept)
        self.streams.append(queue)
        if self._delivered:
            queue.close()
        return queue

    def unsubscribe(self, queue: EventQueue) -> None:
        """Drop a queue that is no longer read."""
        if queue in self.streams:
            self.streams.remove(queue)

    async def run(self) -> Result:
        """Run to the end, deliver the events, and return the result or raise."""
        self.begin()
        core, runner, common = self.core, self.runner, shared()
        assert core is not None
        assert runner is not None
        router = self.providers.router
        router.enter()
        try:
            if self.listeners:
                await self._run_with_listeners(runner)
            else:
                await self._run_alone(runner)
        except Exception as error:  # not of a node: those are in the core
            raise engine_error(core, self.graph, error) from error.__cause__
        finally:
            self.runner = None
            common.leave(core.run_id)
            await router.leave()
        result = result_of(core, self.graph, self.dropped)
        failure = run_error(core, result)
        if core.cancelled is not None:
            await checkpoint()  # raises if the cancellation came from outside
        if failure is not None:
            raise failure
        return result

    def begin(self) -> None:
        """Give the run its id, core and runner; `run` follows, on the same event loop."""
        if self.core is not None:
            return
        options, common = self.options, shared()
        observed = bool(self.listeners or self.streams) or self._log is not None
        seed = common.chance.getrandbits(64) if options.seed is None else options.seed
        # Other runs call this, from any loop; it must use this run's context, not theirs.
        context = copy_context()
        run_id = common.enter(
            new_run_id(seed, time.time()), lambda: context.copy().run(self._resource_freed)
        )
        core = self.core = Core(
            self.plan,
            run_id=run_id,
            max_parallel=options.max_parallel,
            max_node_runs=options.max_node_runs,
            max_cost=options.ceiling,
            max_tokens=options.max_tokens,
            finishes=options.on_budget == "finish",
            set_aside=self.set_aside,
            timeout_seconds=options.timeout_seconds,
            limits=options.limits,
            admission=common.admission,
            seed=seed,
            observed=observed,
            release_values=options.retain == "outputs",
        )
        attempts = Attempts(self.providers, common, self.preparer, options.deps)
        self.runner = Runner(core, attempts, common, self._emit)

    def _resource_freed(self) -> None:
        if self.runner is not None:
            self.runner.resource_freed()

    async def _run_alone(self, runner: Runner) -> None:
        try:
            await runner.run(self.inputs)
        except BaseExceptionGroup as group:
            single = single_error(group)
            raise single from single.__cause__
        finally:
            self._delivered = True
            for queue in self.streams:
                queue.close()

    async def _run_with_listeners(self, runner: Runner) -> None:
        """
        Run with a task per listener.

        Events that a listener has not taken after `drain_seconds` are dropped.
        """
        failure: BaseException | None = None
        try:
            async with anyio.create_task_group() as group:
                for listener in self.listeners:
                    group.start_soon(listener.serve)
                try:
                    await self._run_alone(runner)
                except Exception as error:
                    failure = error
                finally:
                    deadline = anyio.current_time() + self.options.drain_seconds
                    for listener in self.listeners:
                        listener.finish(deadline)
        except BaseExceptionGroup as several:
            single = single_error(several)
            raise single from single.__cause__
        if failure is not None:
            raise failure
