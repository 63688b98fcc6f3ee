"""Calls that functions make through their `Context`: granted, metered, over with their attempt."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import anyio
from anyio import from_thread
from anyio.lowlevel import current_token

from dagorch.errors import BlockingCallWarning
from dagorch.graph.plan import ASYNC
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.nodes.function import Context
from dagorch.ports import Provider
from dagorch.runner.bills import failure_usage, with_usage, worst_case_usage
from dagorch.runner.core_access import CoreAccess, run_has_ended
from dagorch.runner.loop_state import LoopState
from dagorch.runner.providers import Providers
from dagorch.runner.reply_observer import ReplyObserver
from dagorch.runner.request_preparation import RequestPreparer
from dagorch.runner.threads import Job, release_loop
from dagorch.scheduler import stimuli
from dagorch.scheduler.commands import GrantCall, RefuseCall, Waiting
from dagorch.scheduler.core import Core
from dagorch.scheduler.records import Call, StartAttempt

__all__ = ["FunctionCalls"]

_GRACE_SECONDS: Final = 0.1
"""How long a thread whose call was cancelled may take to notice, before it counts as abandoned."""

OnText = Callable[[str], None]


class FunctionCalls:
    """
    The calls of one run's functions.

    Args:
        providers: Who answers.
        shared: Where threads at work are counted.
        preparer: Gives what the core decides on.
    """

    def __init__(self, providers: Providers, shared: LoopState, preparer: RequestPreparer) -> None:
        self._providers = providers
        self._shared = shared
        self._preparer = preparer
        self._of_threads: dict[StartAttempt, dict[anyio.CancelScope, anyio.Event]] = {}
        """Per attempt in a thread: the calls it waits for, and what is set when they have ended."""
        self._warned: set[str] = set()

    def bind(self, access: CoreAccess, clock: Callable[[], float], core: Core) -> None:
        """Connect to the runner, and to the core for reading."""
        self._access = access
        self._clock = clock
        self._core = core

    def context(self, attempt: StartAttempt, deps: Any) -> Context[Any]:
        """What the function of an attempt gets for its parameter annotated `Context`."""
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

        return Context(
            self._core.run_id, attempt.path, attempt.number, deps, exchange, exchange_sync
        )

    def on_text(self, attempt: StartAttempt) -> OnText:
        """What passes text on while somebody listens; a listener may come at any time."""
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
            usage = None  # until the truth is known
            ear = ReplyObserver(
                call, _both(self.on_text(attempt), on_text), self._access, self._clock
            )
            try:
                response: LLMResponse = await provider.exchange(request, ear)
            except Exception as error:
                usage = failure_usage(provider, request, error)
                ear.failed(error)
                raise
            ear.complete(response)
            response = with_usage(provider, request, response)
            usage = response.usage
            return response
        finally:
            if usage is None:  # cancelled under way
                usage = worst_case_usage(call.prepared.provider, call.prepared.request)
            self._access.feed(stimuli.CallEnded(call, usage, self._clock()))

    # -- from a thread ----------------------------------------------------------------------

    def open(self, attempt: StartAttempt) -> None:
        """A thread begins to work for an attempt."""
        self._of_threads[attempt] = {}

    async def close(self, attempt: StartAttempt, job: Job | None) -> None:
        """
        The attempt is over; the thread may call no more.

        Calls that it waits for are cancelled; most threads then end by themselves.
        """
        calls = self._of_threads.pop(attempt)
        if not calls:
            return
        with anyio.CancelScope(shield=True):
            for scope, ended in list(calls.items()):
                scope.cancel()
                await ended.wait()
        if job is not None:
            with anyio.move_on_after(_GRACE_SECONDS, shield=True):
                await job.finished.wait()

    async def _call_of_thread(self, attempt: StartAttempt, request: LLMRequest) -> LLMResponse:
        """Make a thread's call, in a scope of its own: the task it runs in is nobody's child."""
        calls = self._of_threads.get(attempt)
        if calls is None:
            if not _at_work(attempt):
                raise run_has_ended(attempt)
            calls = {}  # a thread that an async function started, and waits for itself
        scope = anyio.CancelScope()
        calls[scope] = ended = anyio.Event()
        self._shared.threads_at_work -= 1  # the thread waits for the loop, not the loop for it
        try:
            with scope:
                return await self._call(attempt, request, None)
            raise run_has_ended(attempt)
        finally:
            self._shared.threads_at_work += 1
            del calls[scope]
            ended.set()

    # -- from the event loop itself ---------------------------------------------------------

    def _call_on_the_loop(self, attempt: StartAttempt, request: LLMRequest) -> LLMResponse:
        """Serve a sync call made on the event loop: granted or refused at once, and warned of."""
        if attempt.path not in self._warned:
            self._warned.add(attempt.path)
            warnings.warn(
                f"node {attempt.path!r} calls its provider synchronously on the event loop, so "
                "every other node waits for the answer; use acomplete, or make the node a plain "
                "def",
                BlockingCallWarning,
                stacklevel=4,
            )
        call = self._request(attempt, request, wait=False)
        answer = self._access.request_call(call)
        if isinstance(answer, RefuseCall):
            raise answer.error
        provider, request = call.prepared.provider, call.prepared.request
        usage = worst_case_usage(provider, request)
        ear = ReplyObserver(call, _ignore, self._access, self._clock)
        try:
            response = _elsewhere(provider, request)
            ear.complete(response)
            response = with_usage(provider, request, response)
            usage = response.usage
        except Exception as error:
            usage = failure_usage(provider, request, error)
            ear.failed(error)
            raise
        finally:
            self._access.feed(stimuli.CallEnded(call, usage, self._clock()))
        return response


# -- odds -------------------------------------------------------------------------------------


def _at_work(attempt: StartAttempt) -> bool:
    """Whether an async function's attempt goes on."""
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
    """Hand each piece of text to two listeners."""
    if second is None:
        return first

    def hand_on(text: str) -> None:
        first(text)
        second(text)

    return hand_on


def _ignore(_text: str) -> None:
    """Take text that came in another thread's loop."""


def _elsewhere(provider: Provider, request: LLMRequest) -> LLMResponse:
    """Exchange in a thread with a loop of its own, and wait for it right here."""
    outcome: list[LLMResponse] = []
    failure: list[BaseException] = []

    # Not closed afterwards: it is in use on the other loop, and what it opened on this one
    # ends with it.
    async def exchange() -> LLMResponse:
        return await provider.exchange(request, lambda text: None)

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
