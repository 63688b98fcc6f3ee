"""
What an attempt does: call a function, run it in a thread, exchange with a provider.

And what it cost.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import anyio
from anyio import from_thread
from anyio.lowlevel import current_token

from dagorch.errors import (
    BlockingCallWarning,
    DagorchWarning,
    DefinitionError,
    ExpansionError,
    OutputTypeError,
    ProviderError,
    RunError,
)
from dagorch.graph.graph import Graph
from dagorch.graph.plan import ASYNC, LLM_CALL
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.nodes.ask import Ask
from dagorch.nodes.function import Context, Function
from dagorch.nodes.types import type_name
from dagorch.ports import Provider
from dagorch.runner.limits import Shared
from dagorch.runner.providers import Providers
from dagorch.runner.threads import Job, run_in_thread
from dagorch.scheduler import stimuli
from dagorch.scheduler.commands import Call, Evaluate, GrantCall, Prepared, RefuseCall, StartAttempt
from dagorch.scheduler.core import Core
from dagorch.scheduler.stimuli import Stimulus

__all__ = ["Attempts"]

_ONE_CALL = Usage(calls=1)
_GRACE_SECONDS: Final = 0.1
"""How long a thread whose call was cancelled may take to notice, before it counts as abandoned."""


class Attempts:
    """
    Does the work of node runs, and turns what comes of it into stimuli.

    Args:
        providers: Who answers LLM nodes.
        shared: For the resources of providers.
        deps: Handed to functions in their `Context`.
        observed: Whether streamed text is passed on.
        budgeted: Whether worst cases are needed.
    """

    def __init__(
        self, providers: Providers, shared: Shared, deps: Any, *, observed: bool, budgeted: bool
    ) -> None:
        self._providers = providers
        self._shared = shared
        self._deps = deps
        self._observed = observed
        self._budgeted = budgeted
        self._abandoned: dict[tuple[int, int], Job] = {}
        """Threads that outlived their attempt, by frame and node."""
        self._thread_calls: dict[StartAttempt, dict[anyio.CancelScope, anyio.Event]] = {}
        """Per attempt in a thread: the calls it waits for, and what is set when they have ended."""
        self._warned: set[str] = set()

    def bind(
        self, feed: Callable[[Stimulus], None], clock: Callable[[], float], core: Core
    ) -> None:
        """Get to know the runner."""
        self._feed = feed
        self._clock = clock
        self._core = core

    # -- attempts ---------------------------------------------------------------------------

    async def perform(self, attempt: StartAttempt) -> Stimulus:
        """Do an attempt and give the stimulus of its end; only cancellation is raised."""
        plan, index = attempt.frame.plan, attempt.index
        node: Any = plan.nodes[index]
        kind = plan.kinds[index]
        usage = NOTHING_USED
        try:
            if kind == LLM_CALL:
                prepared = attempt.prepared
                assert prepared is not None
                try:
                    response = await prepared.provider.exchange(
                        prepared.request, self._on_text(attempt)
                    )
                except Exception as error:
                    usage = self._bill_of_failure(prepared.provider, prepared.request, error)
                    raise
                usage = replace(response.usage, calls=1)
                value = node.parse(response)
            else:
                inputs = attempt.inputs
                if plan.contexts and index in plan.contexts:
                    inputs = {**inputs, plan.contexts[index]: self._context(attempt)}
                if kind == ASYNC:
                    value = await node.fn(**inputs)
                else:
                    value = await self._in_thread(attempt, functools.partial(node.fn, **inputs))
                    if inspect.isawaitable(value):  # a lambda around a coroutine function, say
                        value = await value
                if node.expand:
                    return stimuli.Expanded(attempt, _expansion(node, value), self._clock())
                check = plan.checks[index]
                if check is not None and not check(value):
                    return self.wrong_type(attempt, value)
        except Exception as error:
            return stimuli.AttemptFailed(attempt, error, self._clock(), usage)
        return stimuli.AttemptSucceeded(attempt, value, self._clock(), usage)

    def wrong_type(self, attempt: StartAttempt, value: Any) -> Stimulus:
        """The stimulus of an attempt whose function did not keep its annotation."""
        node: Any = attempt.frame.plan.nodes[attempt.index]
        wanted = type_name(node.signature.returns)
        error = OutputTypeError(
            f"node {attempt.path!r} is annotated to return {wanted}, but returned "
            f"{type_name(type(value))}: {value!r:.80}",
            path=attempt.path,
        )
        return stimuli.AttemptFailed(attempt, error, self._clock())

    def cancelled(self, attempt: StartAttempt) -> Stimulus:
        """
        The stimulus of an attempt that was cancelled under way.

        What it may have cost is on the bill.
        """
        usage = NOTHING_USED
        prepared = attempt.prepared
        if prepared is not None:
            usage = self._worst_case(prepared.provider, prepared.request)
        return stimuli.AttemptCancelled(attempt, self._clock(), usage)

    def _on_text(self, attempt: StartAttempt) -> Callable[[str], None]:
        if not self._observed:
            return _ignore
        return lambda text: self._feed(stimuli.TokensArrived(attempt, text, self._clock()))

    async def _in_thread(self, attempt: StartAttempt, call: Callable[[], Any]) -> Any:
        key = (attempt.frame.serial, attempt.index)
        earlier = self._abandoned.get(key)
        if earlier is not None:
            await earlier.finished.wait()  # two at once of one node run would be two too many
            del self._abandoned[key]
        jobs: list[Job] = []
        calls = self._thread_calls[attempt] = {}
        self._shared.threads_at_work += 1
        try:
            return await run_in_thread(call, jobs.append)
        except BaseException:
            del self._thread_calls[attempt]
            if calls:
                await _end_calls(calls, jobs[0])
            if jobs and not jobs[0].done:
                self._abandon(attempt, key, jobs[0])
            raise
        finally:
            self._thread_calls.pop(attempt, None)
            self._shared.threads_at_work -= 1

    async def _call_of_thread(self, attempt: StartAttempt, request: LLMRequest) -> LLMResponse:
        """
        Make a thread's call.

        It ends with its attempt, though the thread itself cannot be stopped.
        """
        calls = self._thread_calls.get(attempt)
        if calls is None:
            raise _gone(attempt)
        scope = anyio.CancelScope()
        calls[scope] = ended = anyio.Event()
        self._shared.threads_at_work -= 1  # the thread waits for the loop, not the loop for it
        try:
            with scope:
                return await self._call(attempt, request, wait=True)
            raise _gone(attempt)
        finally:
            self._shared.threads_at_work += 1
            del calls[scope]
            ended.set()

    def _abandon(self, attempt: StartAttempt, key: tuple[int, int], job: Job) -> None:
        self._abandoned[key] = job
        message = (
            f"node {attempt.path!r} was cancelled, but a thread cannot be killed: it goes on by "
            "itself, and its result is thrown away; make the node async, or have it look at a "
            "deadline"
        )
        try:
            warnings.warn(message, DagorchWarning, stacklevel=2)
        except DagorchWarning:
            # Warnings are errors here, but an error now would take the cancellation's place.
            sys.stderr.write(f"DagorchWarning: {message}\n")

    # -- evaluations ------------------------------------------------------------------------

    def evaluate(self, ticket: Evaluate) -> Stimulus:
        """Call what the core may not call itself."""
        try:
            if ticket.purpose == "prepare":
                value: Any = self._prepare(ticket)
            elif ticket.purpose == "question":
                node: Any = ticket.frame.plan.nodes[ticket.index]
                assert isinstance(node, Ask)
                value = node.template.render(ticket.inputs)
            elif ticket.purpose == "select":
                assert ticket.function is not None
                value = ticket.function(**ticket.inputs)
            else:
                assert ticket.function is not None
                value = ticket.function(ticket.argument)
                if ticket.purpose == "until":
                    value = bool(value)
        except Exception as error:
            node = ticket.frame.plan.nodes[ticket.index]
            name = getattr(ticket.function, "__qualname__", ticket.purpose)
            error.add_note(
                f"raised by {ticket.purpose} function {name!r} of {node.kind.value} node "
                f"{node.id!r}"
            )
            return stimuli.EvaluationFailed(ticket, error, self._clock())
        return stimuli.Evaluated(ticket, value, self._clock())

    def _prepare(self, ticket: Evaluate) -> Prepared:
        node: Any = ticket.frame.plan.nodes[ticket.index]
        request = node.request(ticket.inputs, ticket.argument)
        provider = self._providers.of(node)
        return Prepared(
            request,
            provider,
            self._shared.resource_of(provider),
            self._reservation(provider, request),
        )

    # -- calls of functions -----------------------------------------------------------------

    def _context(self, attempt: StartAttempt) -> Context[Any]:
        token = current_token()

        async def exchange(
            request: LLMRequest, on_text: Callable[[str], None] | None = None
        ) -> LLMResponse:
            return await self._call(attempt, request, on_text, wait=True)

        def exchange_sync(request: LLMRequest) -> LLMResponse:
            try:
                current_token()
            except RuntimeError:
                return from_thread.run(self._call_of_thread, attempt, request, token=token)
            return self._call_on_the_loop(attempt, request)

        return Context(
            self._core.run_id, attempt.path, attempt.number, self._deps, exchange, exchange_sync
        )

    def _request_call(
        self, attempt: StartAttempt, request: LLMRequest, *, wait: bool
    ) -> tuple[Call, Provider]:
        provider = self._providers.for_model(request.model, f"node {attempt.path!r}")
        call = Call(
            attempt, self._shared.resource_of(provider), self._reservation(provider, request), wait
        )
        return call, provider

    async def _call(
        self,
        attempt: StartAttempt,
        request: LLMRequest,
        on_text: Callable[[str], None] | None,
        *,
        wait: bool,
    ) -> LLMResponse:
        call, provider = self._request_call(attempt, request, wait=wait)
        granted = anyio.Event()
        answers: list[BaseException | None] = []

        def reply(error: BaseException | None) -> None:
            answers.append(error)
            granted.set()

        call.reply = reply
        usage = NOTHING_USED
        self._feed(stimuli.CallRequested(call, self._clock()))
        try:
            await granted.wait()
            if answers[0] is not None:
                raise answers[0]
            usage = self._worst_case(provider, request)  # until the truth is known
            try:
                response = await provider.exchange(request, _both(self._on_text(attempt), on_text))
            except Exception as error:
                usage = self._bill_of_failure(provider, request, error)
                raise
            usage = replace(response.usage, calls=1)
            return response
        finally:
            self._feed(stimuli.CallEnded(call, usage, self._clock()))

    def _call_on_the_loop(self, attempt: StartAttempt, request: LLMRequest) -> LLMResponse:
        """
        Serve a sync call made on the event loop itself.

        Granted or refused at once, and warned of.
        """
        if attempt.path not in self._warned:
            self._warned.add(attempt.path)
            warnings.warn(
                f"node {attempt.path!r} calls its provider synchronously on the event loop, so "
                "every other "
                "node waits for the answer; use acomplete, or make the node a plain def",
                BlockingCallWarning,
                stacklevel=4,
            )
        call, provider = self._request_call(attempt, request, wait=False)
        answers: list[BaseException | None] = []
        call.reply = answers.append
        self._core.handle(stimuli.CallRequested(call, self._clock()))
        for command in [c for c in self._core.outbox if getattr(c, "call", None) is call]:
            self._core.outbox.remove(command)
            self.answer(command)
        if answers[0] is not None:
            raise answers[0]
        usage = self._worst_case(provider, request)
        try:
            response = _elsewhere(provider, request)
            usage = replace(response.usage, calls=1)
        except Exception as error:
            usage = self._bill_of_failure(provider, request, error)
            raise
        finally:
            self._feed(stimuli.CallEnded(call, usage, self._clock()))
        return response

    def answer(self, command: Any) -> None:
        """Pass a grant or a refusal on to whoever asked."""
        if isinstance(command, GrantCall):
            command.call.reply(None)
        elif isinstance(command, RefuseCall):
            command.call.reply(command.error)

    # -- bills ------------------------------------------------------------------------------

    def _reservation(self, provider: Provider, request: LLMRequest) -> Decimal:
        if not self._budgeted:
            return Decimal(0)
        worst = provider.worst_case_usd(request)
        if worst is None:
            raise DefinitionError(
                f"the price of model {request.model or provider.default_model!r} of "
                f"{provider.name} is not "
                "known, so max_cost cannot be kept; give its price, or run without max_cost"
            )
        return worst

    def _worst_case(self, provider: Provider, request: LLMRequest) -> Usage:
        worst = provider.worst_case_usd(request)
        return Usage(cost_usd=worst or Decimal(0), estimated=True, calls=1)

    def _bill_of_failure(self, provider: Provider, request: LLMRequest, error: Exception) -> Usage:
        """A refusal with a status is not billed by services; an answer that broke off may be."""
        if isinstance(error, ProviderError) and (error.status or 0) >= 400:
            return _ONE_CALL
        if not isinstance(error, ProviderError):
            return _ONE_CALL
        return self._worst_case(provider, request)


def _gone(attempt: StartAttempt) -> RunError:
    return RunError(
        f"node {attempt.path!r} was cancelled, so it may call no more", path=attempt.path
    )


async def _end_calls(calls: dict[anyio.CancelScope, anyio.Event], job: Job) -> None:
    """Cancel the calls that a thread waits for; most threads then end by themselves."""
    with anyio.CancelScope(shield=True):
        for scope, ended in list(calls.items()):
            scope.cancel()
            await ended.wait()
    with anyio.move_on_after(_GRACE_SECONDS, shield=True):
        await job.finished.wait()


def _ignore(text: str) -> None:
    """Take text that nobody listens to."""


def _both(
    first: Callable[[str], None], second: Callable[[str], None] | None
) -> Callable[[str], None]:
    """Hand each piece of text to two listeners."""
    if second is None:
        return first

    def hand_on(text: str) -> None:
        first(text)
        second(text)

    return hand_on


def _elsewhere(provider: Provider, request: LLMRequest) -> LLMResponse:
    """Exchange in a thread with a loop of its own, and wait for it right here."""
    import threading

    outcome: list[LLMResponse] = []
    failure: list[BaseException] = []

    async def exchange() -> LLMResponse:
        try:
            return await provider.exchange(request, _ignore)
        finally:
            await provider.aclose()

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


def _expansion(node: Function, value: Any) -> Any:
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
    return plan
