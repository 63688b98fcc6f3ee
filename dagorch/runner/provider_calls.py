"""Calls that functions make through their `Context`: granted, billed, ended with their attempt."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
from anyio import from_thread
from anyio.lowlevel import current_token

from dagorch.errors import BlockingCallWarning
from dagorch.graph.plan import ASYNC
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.nodes.function import Context
from dagorch.ports import Provider, ReplyListener
from dagorch.runner.bills import failure_usage, with_usage, worst_case_usage
from dagorch.runner.core_access import CoreAccess, run_has_ended
from dagorch.runner.loop_state import LoopState
from dagorch.runner.providers import Providers
from dagorch.runner.refusals import Refusals
from dagorch.runner.reply_observer import ReplyObserver
from dagorch.runner.request_preparation import RequestPreparer
from dagorch.scheduler import stimuli
from dagorch.scheduler.commands import GrantCall, RefuseCall, Waiting
from dagorch.scheduler.core import Core
from dagorch.scheduler.records import Call, StartAttempt
from dagorch.worker_threads import Job, release_loop

__all__ = ["FunctionCalls"]

OnText = Callable[[str], None]


class FunctionCalls:
    """
    The calls of one run's functions.

    Args:
        providers: Answer the calls.
        shared: Counts the threads at work.
        preparer: Prepares exchanges for the core's decision.
        refusals: The service-wide errors of the run.
    """

    def __init__(
        self,
        providers: Providers,
        shared: LoopState,
        preparer: RequestPreparer,
        refusals: Refusals,
    ) -> None:
        self._providers = providers
        self._shared = shared
        self._preparer = preparer
        self._refusals = refusals
        self._jobs: dict[StartAttempt, Job] = {}
        """Of the attempts in threads."""
        self._warned: set[str] = set()

    def bind(self, access: CoreAccess, clock: Callable[[], float], core: Core) -> None:
        """Connect to the runner, and to the core for reading."""
        self._access = access
        self._clock = clock
        self._core = core

    def context(self, attempt: StartAttempt, deps: Any) -> Context[Any]:
        """Return the `Context` of an attempt's function."""
        token = current_token()

        async def exchange(request: LLMRequest, on_text: OnText | None = None) -> LLMResponse:
            return await self._call(attempt, request, on_text)

        def exchange_sync(request: LLMRequest) -> LLMResponse:
            try:
                current_token()
            except RuntimeError:
                release_loop()
                return from_thread.run(self._call_of_thread, attempt, request, token=token)
            return self._call_on_the_loop(attempt, request)

        def usage(node: str) -> Usage:
            frame = attempt.frame
            index = attempt.index
            if node:
                index = next(i for i, other in enumerate(frame.plan.nodes) if other.id == node)
            details = frame.node_details.get(index)
            return details.usage if details is not None else NOTHING_USED

        return Context(
            self._core.run_id, attempt.path, attempt.number, deps, exchange, exchange_sync, usage
        )

    def on_text(self, attempt: StartAttempt) -> OnText:
        """Return a callback that reports text while there is a listener."""
        core = self._core

        def on_text(text: str) -> None:
            if core.observed:
                self._access.feed(stimuli.TokensArrived(attempt, text, self._clock()))

        return on_text

    def _request(self, attempt: StartAttempt, request: LLMRequest, *, wait: bool) -> Call:
        node = attempt.frame.plan.nodes[attempt.index]
        wanted = request.model
        if attempt.model:
            wanted = node.policy.fallback_models[attempt.model - 1]
        provider, model = self._providers.for_model(wanted, f"node {attempt.path!r}")
        prepared = self._preparer.prepare(provider, replace(request, model=model), node)
        return Call(attempt, prepared, wait=wait)

    async def _call(
        self, attempt: StartAttempt, request: LLMRequest, on_text: OnText | None
    ) -> LLMResponse:
        if self._core.finished:
            raise run_has_ended(attempt)
        call = self._request(attempt, request, wait=True)
        usage: Usage | None = NOTHING_USED
        answer = self._access.request_call(call)
        try:
            if isinstance(answer, Waiting):
                answer = await _answer_of(call)
            if isinstance(answer, RefuseCall):
                raise answer.error
            provider, request = call.prepared.provider, call.prepared.request
            usage = None  # until the exchange has ended
            observer = ReplyObserver(
                call, _both(self.on_text(attempt), on_text), self._access, self._clock
            )
            try:
                response = await self._refusals.exchange(provider, request, observer)
                response = with_usage(call.prepared, response)
            except Exception as error:
                usage = failure_usage(call.prepared, error)
                observer.failed(error)
                raise
            observer.complete(response)
            usage = response.usage
            observer.warn_if_cut(response)
            return response
        finally:
            if usage is None:  # cancelled while in flight
                usage = worst_case_usage(call.prepared)
            self._access.feed(stimuli.CallEnded(call, usage, self._clock()))

    # -- from a thread ----------------------------------------------------------------------

    def open(self, attempt: StartAttempt, job: Job) -> None:
        """Allow calls from the thread of an attempt."""
        self._jobs[attempt] = job

    def close(self, attempt: StartAttempt) -> None:
        """Allow no more calls from the thread of an attempt; its job cancels the open ones."""
        self._jobs.pop(attempt, None)

    async def _call_of_thread(self, attempt: StartAttempt, request: LLMRequest) -> LLMResponse:
        """Make a thread's call; the task belongs to no task group."""
        job = self._jobs.get(attempt)
        if job is None:
            if not _at_work(attempt):
                raise run_has_ended(attempt)
            # Of a thread that an async function started and awaits.
            return await self._call(attempt, request, None)
        try:
            return await job.serve(self._call, (attempt, request, None))
        except anyio.get_cancelled_exc_class():
            if not job.closed:
                raise  # by the event loop, which ends
            raise run_has_ended(attempt) from None

    # -- from the event loop itself ---------------------------------------------------------

    def _call_on_the_loop(self, attempt: StartAttempt, request: LLMRequest) -> LLMResponse:
        """Serve a sync call made on the event loop: granted or refused at once, with a warning."""
        if attempt.path not in self._warned:
            self._warned.add(attempt.path)
            warnings.warn(
                f"node {attempt.path!r} calls its provider synchronously on the event loop, so "
                "every other node waits for the reply; use acomplete, or make the node a plain "
                "def",
                BlockingCallWarning,
                stacklevel=4,
            )
        call = self._request(attempt, request, wait=False)
        answer = self._access.request_call(call)
        if isinstance(answer, RefuseCall):
            raise answer.error
        provider, request = call.prepared.provider, call.prepared.request
        usage = worst_case_usage(call.prepared)
        observer = ReplyObserver(call, _ignore, self._access, self._clock)
        try:
            self._refusals.check(provider, request)
            response = _elsewhere(provider, request, needs_cost=observer.needs_cost)
            response = with_usage(call.prepared, response)
            observer.complete(response)
            usage = response.usage
            observer.warn_if_cut(response)
        except Exception as error:
            usage = failure_usage(call.prepared, error)
            self._refusals.record(provider, request, error)
            observer.failed(error)
            raise
        finally:
            self._access.feed(stimuli.CallEnded(call, usage, self._clock()))
        return response


# -- helpers -------------------------------------------------------------------------------------


def _at_work(attempt: StartAttempt) -> bool:
    """Return whether an async function's attempt still runs."""
    frame, index = attempt.frame, attempt.index
    return (
        frame.plan.kinds[index] == ASYNC
        and frame.running.get(index) is attempt
        and not attempt.cancelling
    )


async def _answer_of(call: Call) -> GrantCall | RefuseCall:
    """Wait until the core grants or refuses a call."""
    answered = anyio.Event()
    answers: list[GrantCall | RefuseCall] = []

    def on_answer(command: GrantCall | RefuseCall) -> None:
        answers.append(command)
        answered.set()

    call.on_answer = on_answer
    await answered.wait()
    return answers[0]


def _both(first: OnText, second: OnText | None) -> OnText:
    """Return a callback that passes each piece of text to two others."""
    if second is None:
        return first

    def call_both(text: str) -> None:
        first(text)
        second(text)

    return call_both


def _ignore(_text: str) -> None:
    """Ignore text that arrives on another thread's event loop."""


def _elsewhere(provider: Provider, request: LLMRequest, *, needs_cost: bool) -> LLMResponse:
    """Make the exchange on another event loop in a thread, and block until it ends."""
    outcome: list[LLMResponse] = []
    failure: list[BaseException] = []

    # The provider is not closed afterwards: it is in use on the caller's loop, and what it opened
    # on this one ends with this one.
    async def exchange() -> LLMResponse:
        listener = ReplyListener(_ignore, lambda _rates: None)
        listener.needs_cost = needs_cost
        return await provider.exchange(request, listener)

    def run() -> None:
        try:
            outcome.append(asyncio.run(exchange()))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="dagorch-call", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
