"""What an attempt does: call a function, run it in a thread, or ask a model; and what it costs."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dagorch.errors import (
    DagorchWarning,
    DefinitionError,
    ExpansionError,
    OutputTypeError,
    RunError,
)
from dagorch.graph.graph import Graph
from dagorch.graph.plan import ASYNC, LLM_CALL, Plan
from dagorch.models.unawaited import unawaited
from dagorch.models.usage import NOTHING_USED
from dagorch.models.user_objects import short_repr, with_class
from dagorch.nodes.ask import Ask
from dagorch.nodes.branch import labels_of
from dagorch.nodes.function import Function
from dagorch.nodes.types import type_name
from dagorch.runner.bills import failure_usage, with_usage, worst_case_usage
from dagorch.runner.core_access import CoreAccess, EndedRun
from dagorch.runner.loop_state import LoopState
from dagorch.runner.provider_calls import FunctionCalls
from dagorch.runner.providers import Providers
from dagorch.runner.refusals import Refusals
from dagorch.runner.reply_observer import ReplyObserver
from dagorch.runner.request_preparation import RequestPreparer
from dagorch.scheduler import stimuli
from dagorch.scheduler.core import Core
from dagorch.scheduler.records import Evaluate, ModelChoice, Prepared, Purpose, StartAttempt
from dagorch.scheduler.stimuli import Stimulus
from dagorch.worker_threads import Job, run_in_thread

__all__ = ["Attempts"]


class Attempts:
    """
    Does the work of attempts and evaluations, and returns their ends as stimuli.

    Args:
        providers: Answer LLM nodes.
        shared: Counts the threads at work.
        preparer: Prepares exchanges for the core's decision.
        deps: Passed to functions in their `Context`.
    """

    def __init__(
        self, providers: Providers, shared: LoopState, preparer: RequestPreparer, deps: Any
    ) -> None:
        self._providers = providers
        self._shared = shared
        self._preparer = preparer
        self._deps = deps
        self._abandoned: dict[tuple[int, int], Job] = {}
        """Threads that outlived their attempt, by frame and node."""
        self._refusals = Refusals(shared)
        self.calls = FunctionCalls(providers, shared, preparer, self._refusals)

    def bind(self, access: CoreAccess, clock: Callable[[], float], core: Core) -> None:
        """Connect to the runner, and to the core for reading."""
        self._access: CoreAccess = access
        self._clock = clock
        self._core = core
        self.calls.bind(access, clock, core)

    def unbind(self) -> None:
        """Disconnect from the runner, which has ended, so that both can be freed."""
        self._access = EndedRun()
        self.calls.bind(self._access, self._clock, self._core)

    # -- attempts ---------------------------------------------------------------------------

    async def perform(self, attempt: StartAttempt) -> Stimulus:
        """Do an attempt and return the stimulus of its end; only cancellation is raised."""
        plan, index = attempt.frame.plan, attempt.index
        node: Any = plan.nodes[index]
        kind = plan.kinds[index]
        usage = NOTHING_USED
        try:
            if kind == LLM_CALL:
                prepared = attempt.prepared
                assert prepared is not None
                observer = ReplyObserver(
                    attempt, self.calls.on_text(attempt), self._access, self._clock
                )
                try:
                    response = await self._refusals.exchange(
                        prepared.provider, prepared.request, observer, is_hedge=attempt.is_hedge
                    )
                    response = with_usage(prepared, response)
                except Exception as error:
                    usage = failure_usage(prepared, error)
                    observer.failed(error)
                    raise
                observer.complete(response)
                usage = response.usage
                observer.warn_if_cut(response)
                value = node.parse(response)
            else:
                inputs = attempt.inputs
                if plan.contexts and index in plan.contexts:
                    inputs = {
                        **inputs,
                        plan.contexts[index]: self.calls.context(attempt, self._deps),
                    }
                if kind == ASYNC:
                    value = await node.fn(**inputs)
                else:
                    value = await self._in_thread(attempt, functools.partial(node.fn, **inputs))
                    if inspect.isawaitable(value):  # a lambda around a coroutine function, say
                        value = await value
                if unawaited(value):
                    return self.wrong_type(attempt, value)
                if node.expand:
                    expansion = _expansion(node, value, self._core.limits)
                    self._check_providers(node, expansion)
                    return stimuli.Expanded(attempt, expansion, self._clock())
                check = plan.checks[index]
                if check is not None and not check(value):
                    return self.wrong_type(attempt, value)
        except Exception as error:
            return stimuli.AttemptFailed(attempt, with_class(error), self._clock(), usage)
        return stimuli.AttemptSucceeded(attempt, value, self._clock(), usage)

    def _check_providers(self, node: Function, expansion: Plan) -> None:
        try:
            self._providers.check(expansion, self._preparer.request_check)
        except DefinitionError as error:
            raise ExpansionError(
                f"the graph that node {node.id!r} returned cannot be run: {error}"
            ) from error

    def wrong_type(self, attempt: StartAttempt, value: Any) -> Stimulus:
        """Return the stimulus of an attempt whose function returned a wrong value."""
        node: Any = attempt.frame.plan.nodes[attempt.index]
        what = unawaited(value)
        if what:
            text = f"returned {what}"
        else:
            text = (
                f"is annotated to return {type_name(node.signature.returns)}, but returned "
                f"{type_name(type(value))}: {short_repr(value, 80)}"
            )
        error = OutputTypeError(f"node {attempt.path!r} {text}", path=attempt.path)
        return stimuli.AttemptFailed(attempt, error, self._clock())

    def cancelled(self, attempt: StartAttempt) -> stimuli.AttemptCancelled:
        """Return the stimulus of a cancelled attempt, billed at the most that it may have cost."""
        usage = NOTHING_USED
        prepared = attempt.prepared
        if prepared is not None:
            usage = worst_case_usage(prepared)
        return stimuli.AttemptCancelled(attempt, self._clock(), usage)

    def foreign_cancellation(self, attempt: StartAttempt, error: BaseException) -> Stimulus:
        """Return the stimulus of an attempt that met a cancellation not meant for it."""
        failure = RunError(
            f"node {attempt.path!r} waited for something that was cancelled elsewhere, a task or "
            "future of its own",
            path=attempt.path,
        )
        failure.__cause__ = error
        cancelled = self.cancelled(attempt)
        return stimuli.AttemptFailed(attempt, failure, self._clock(), cancelled.usage)

    async def _in_thread(self, attempt: StartAttempt, call: Callable[[], Any]) -> Any:
        key = (attempt.frame.serial, attempt.index)
        earlier = self._abandoned.get(key)
        if earlier is not None:
            await earlier.finished.wait()  # a node run must not run twice at once
            del self._abandoned[key]
        jobs: list[Job] = []

        def on_start(job: Job) -> None:
            jobs.append(job)
            self.calls.open(attempt, job)

        try:
            return await run_in_thread(call, on_start)
        finally:
            self.calls.close(attempt)
            if jobs and not jobs[0].done:
                self._abandon(attempt, key, jobs[0])

    def _abandon(self, attempt: StartAttempt, key: tuple[int, int], job: Job) -> None:
        self._abandoned[key] = job
        attempt.keeps_slot = True
        job.on_end = lambda: self._access.feed(stimuli.ThreadEnded(self._clock()))
        message = (
            f"node {attempt.path!r} was cancelled, but a thread cannot be killed: it continues on "
            "its own, keeps its slot until it ends, and its result is discarded; make the node "
            "async, or let it check a deadline"
        )
        try:
            warnings.warn(message, DagorchWarning, stacklevel=2)
        except DagorchWarning:
            # Warnings are errors here, but an error now would take the cancellation's place.
            sys.stderr.write(f"DagorchWarning: {message}\n")

    # -- evaluations ------------------------------------------------------------------------

    def evaluate(self, ticket: Evaluate) -> Stimulus:
        """Call a function that the core asked for, and return the stimulus of its end."""
        try:
            if ticket.purpose is Purpose.PREPARE:
                value: Any = self._prepare(ticket)
            elif ticket.purpose is Purpose.QUESTION:
                node: Any = ticket.frame.plan.nodes[ticket.index]
                assert isinstance(node, Ask)
                value = node.template.render(ticket.inputs)
            elif ticket.purpose is Purpose.SELECT:
                assert ticket.function is not None
                branch: Any = ticket.frame.plan.nodes[ticket.index]
                value = labels_of(branch, _sync_value(ticket.function(**ticket.inputs)))
            else:
                assert ticket.function is not None
                value = _sync_value(ticket.function(ticket.argument))
                if ticket.purpose is Purpose.UNTIL:
                    value = bool(value)
        except Exception as error:
            node = ticket.frame.plan.nodes[ticket.index]
            name = getattr(ticket.function, "__qualname__", ticket.purpose)
            with contextlib.suppress(Exception):  # the error may have methods of its own
                error.add_note(
                    f"raised by {ticket.purpose} function {name!r} of {node.kind.value} node "
                    f"{node.id!r}"
                )
            return stimuli.EvaluationFailed(ticket, with_class(error), self._clock())
        return stimuli.Evaluated(ticket, value, self._clock())

    def _prepare(self, ticket: Evaluate) -> Prepared:
        node: Any = ticket.frame.plan.nodes[ticket.index]
        choice: ModelChoice = ticket.argument
        request = node.request(ticket.inputs, choice.last_error)
        provider, model = self._providers.for_node(node, choice.model)
        if choice.model and request.extra and self._providers.for_node(node)[0] is not provider:
            request = replace(request, extra={})  # another service does not know these fields
        if model != request.model:
            request = replace(request, model=model)
        return self._preparer.prepare(provider, request, node)


def _sync_value(value: Any) -> Any:
    """Return the value of a function that must be sync; raise if it must be awaited."""
    what = unawaited(value)
    if what:
        raise OutputTypeError(f"it returned {what}; this function must be sync")
    return value


def _expansion(node: Function, value: Any, limits: Mapping[str, Any]) -> Any:
    if not isinstance(value, Graph):
        raise ExpansionError(
            f"node {node.id!r} has expand=True, so it must return a Graph, not "
            f"{type_name(type(value))}"
        )
    try:
        plan = value.compile()
    except DefinitionError as error:
        raise ExpansionError(
            f"the graph that node {node.id!r} returned does not compile: {error}"
        ) from error
    missing = [spec.name for spec in value.parameters() if spec.required]
    if missing:
        raise ExpansionError(
            f"the graph that node {node.id!r} returned has inputs without a value: "
            f"{', '.join(missing)}; "
            "bind constants, or give the inputs defaults"
        )
    unbounded = sorted(plan.resources.keys() - limits.keys())
    if unbounded:
        raise ExpansionError(
            f"the graph that node {node.id!r} returned holds resources that the run has no bound "
            f"for: {', '.join(unbounded)}; pass limits={{{unbounded[0]!r}: 1}}"
        )
    return plan
