"""
Adapts a user's object with `complete` or `acomplete` to the `Provider` port.

Nothing is retried, priced or limited here.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

from dagorch.errors import DefinitionError, MalformedReplyError
from dagorch.http.foreign import bounded_number
from dagorch.models.limits import Limits
from dagorch.models.llm import LLMRequest, LLMResponse, Message
from dagorch.models.usage import Usage
from dagorch.models.user_objects import is_mock
from dagorch.ports import Provider, ReplyListener
from dagorch.providers.base import BaseProvider
from dagorch.providers.openai_wire import request_body
from dagorch.worker_threads import run_in_thread

__all__ = ["AdaptedProvider", "adapt"]

_METHODS: Final = ("acomplete", "complete")


def adapt(provider: object) -> Provider:
    """
    Return `provider` itself if it is a `dagorch.ports.Provider`, else a provider that wraps it.

    The object needs `acomplete` (async) or `complete` (sync or async). It is called with
    `messages`, a list of dicts in OpenAI's format, and with `model` and other fields of the
    request for which it has parameters. It returns text, or a dict or an object with `content`
    and optionally `model`, `usage` (token counts) and `cost` (dollars). A sync method runs in a
    worker thread.

    Without a method `worst_case_usd` the object must report its costs under `max_cost`, which is
    then checked after each call. Unconfigured attributes of a `unittest.mock` object are ignored,
    and its calls are free unless it reports a cost.

    Raises:
        DefinitionError: It has neither method.

    Example:
        >>> class Parrot:
        ...     def complete(self, messages):
        ...         return messages[-1]["content"]
        >>> adapt(Parrot()).name
        'parrot'
    """
    if not is_mock(provider) and isinstance(provider, Provider):
        return provider
    if isinstance(provider, type):
        raise DefinitionError(f"the provider is the class {provider.__name__}; pass an instance")
    if is_mock(provider) or any(callable(getattr(provider, name, None)) for name in _METHODS):
        return AdaptedProvider(provider)
    raise DefinitionError(
        f"a {type(provider).__name__} cannot be a provider: "
        "it needs a method complete(messages) or acomplete(messages)"
    )


class AdaptedProvider(BaseProvider):
    """A user's object as a provider; created by `adapt`."""

    def __init__(self, inner: object) -> None:
        name, default_model, model, max_concurrency, limits = (
            _configured_value(inner, name)
            for name in ("name", "default_model", "model", "max_concurrency", "limits")
        )
        super().__init__(
            name if isinstance(name, str) and name else type(inner).__name__.lower(),
            next((m for m in (default_model, model) if m and isinstance(m, str)), ""),
            max_concurrency if type(max_concurrency) is int else None,
            limits if isinstance(limits, Limits) else None,
        )
        self._inner = inner

    @property
    def account(self) -> str:
        """The object itself: all adapters of one object share its limits."""
        return f"{self.name} {id(self._inner):x}"

    @property
    def reports_costs(self) -> bool:
        """Whether its costs are known only after a call, because it has no `worst_case_usd`."""
        return not callable(_configured_value(self._inner, "worst_case_usd"))

    def _method(self) -> str:
        """Return the name of the method to call; a mock may be configured after `adapt`."""
        for name in _METHODS:
            if callable(_configured_value(self._inner, name)):
                return name
        kind = type(self._inner).__name__
        raise DefinitionError(
            f"neither complete nor acomplete of this {kind} is configured; set "
            "complete.return_value to a text, or to an object whose content is text"
        )

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Call the object's method once and convert its result.

        A worker thread cannot be stopped. If the exchange is cancelled, its thread runs on.

        Raises:
            DefinitionError: The request has tools, but the method has no parameter for them.
            MalformedReplyError: The method returned no content, or under `max_cost` no cost, or it
                has no more replies.
        """
        method = self._method()
        function: Callable[..., Any] = getattr(self._inner, method)
        call = self._bind(request, method, function)
        if inspect.iscoroutinefunction(function) and not _is_sync_mock(function):
            reply = call()
        else:
            reply = await run_in_thread(partial(self._call_in_thread, call, method))
        if inspect.isawaitable(reply):
            try:
                reply = await reply
            except StopAsyncIteration as ended:
                raise self._no_more_replies(method) from ended
        response = self._to_response(reply, request, method)
        needs_cost = isinstance(on_text, ReplyListener) and on_text.needs_cost
        if needs_cost and _cost_of(reply) is None and not _is_free(self._inner):
            error = MalformedReplyError(
                f"{self.name}: {method}() reported no cost, so max_cost cannot be kept; return an "
                "object with a cost in dollars, give the provider a worst_case_usd(request), or "
                "run without max_cost",
                service=self.name,
                model=response.model,
                usage=response.usage,
                answer_begun=True,
            )
            error.retryable = False
            raise error
        if response.content:
            on_text(response.content)
        return response

    def _call_in_thread(self, call: Callable[[], Any], method: str) -> Any:
        try:
            return call()
        except StopIteration as ended:  # a coroutine cannot raise it
            raise self._no_more_replies(method) from ended

    def _no_more_replies(self, method: str) -> MalformedReplyError:
        """Return the error of an object with a list of replies, such as a mock's `side_effect`."""
        error = MalformedReplyError(
            f"{self.name}: {method}() has no more replies; give it one for each call, "
            "retries included",
            service=self.name,
        )
        error.retryable = False
        return error

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Ask the object if it has this method; else None."""
        method = _configured_value(self._inner, "worst_case_usd")
        return bounded_number(method(request)) if callable(method) else None

    async def aclose(self) -> None:
        """Close the object if it has this method."""
        close = _configured_value(self._inner, "aclose")
        closing = close() if callable(close) else None
        if inspect.isawaitable(closing):
            await closing

    def _bind(
        self, request: LLMRequest, method: str, function: Callable[..., Any]
    ) -> Callable[[], Any]:
        """Bind the method to the arguments that it has parameters for."""
        body = request_body(request, request.model or self.default_model)
        options = {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "stop": request.stop or None,
            "json_schema": request.json_schema,
            "tools": request.tools or None,
            "model": body["model"] or None,
            **request.extra,
        }
        parameters = inspect.signature(function).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        if request.tools and not (takes_any or "tools" in parameters):
            raise DefinitionError(
                f"provider {self.name!r} does not support tools: "
                f"its {method}() has no parameter 'tools'"
            )
        arguments = {
            key: value
            for key, value in options.items()
            if value is not None and (takes_any or key in parameters)
        }
        if takes_any or "messages" in parameters:
            return partial(function, messages=body["messages"], **arguments)
        return partial(function, body["messages"], **arguments)

    def _to_response(self, reply: Any, request: LLMRequest, method: str) -> LLMResponse:
        if isinstance(reply, LLMResponse):
            return reply
        if isinstance(reply, Message | str):
            reply = {"content": reply if isinstance(reply, str) else reply.content}
        content = _field(reply, "content")
        if not isinstance(content, str):
            found = f"keys {sorted(map(str, reply))}" if isinstance(reply, Mapping) else "no text"
            raise MalformedReplyError(
                f"{self.name}: {method}() returned a {type(reply).__name__} with {found}; "
                "return text, or a dict or an object whose content is text",
                service=self.name,
                model=request.model,
            )
        usage, model = _field(reply, "usage"), _field(reply, "model")
        counts = [
            _token_count(usage, *names)
            for names in (
                ("input_tokens", "prompt_tokens"),
                ("output_tokens", "completion_tokens"),
                ("cached_tokens",),
                ("reasoning_tokens",),
            )
        ]
        total = _token_count(usage, "total_tokens")
        if counts[1] is None and total is not None:
            counts[1] = max(total - (counts[0] or 0), 0)
        sent, received, cached, reasoning = (count or 0 for count in counts)
        return LLMResponse(
            content=content,
            model=(model if isinstance(model, str) else "") or request.model or self.default_model,
            usage=Usage(
                sent,
                received,
                _cost_of(reply) or Decimal(0),
                estimated=counts[0] is None and counts[1] is None,
                calls=1,
                cached_tokens=cached,
                reasoning_tokens=reasoning,
            ),
        )


# -- reading a user's object ------------------------------------------------------------------


def _is_sync_mock(value: object) -> bool:
    """Return whether this is a sync mock; `inspect` calls one of `create_autospec` async."""
    return is_mock(value) and not isinstance(value, sys.modules["unittest.mock"].AsyncMock)


def _is_free(value: object) -> bool:
    """Return whether this is a mock that wraps nothing, whose calls cost what it reports, or 0."""
    return is_mock(value) and getattr(value, "_mock_wraps", None) is None


def _is_unconfigured(value: Any) -> bool:
    """Return whether a value is a mock without a configured return value."""
    if not is_mock(value):
        return False
    default = sys.modules["unittest.mock"].DEFAULT
    # Reading the public `return_value` would configure it.
    returns_nothing = getattr(value, "_mock_return_value", default) is default
    wraps_nothing = getattr(value, "_mock_wraps", None) is None
    return returns_nothing and wraps_nothing and value.side_effect is None


def _configured_value(value: object, name: str) -> Any:
    """Return an attribute; None if it is missing or an unconfigured mock."""
    found = getattr(value, name, None)
    return None if _is_unconfigured(found) else found


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _cost_of(reply: Any) -> Decimal | None:
    """Return the dollars that a reply reports, or None."""
    if isinstance(reply, LLMResponse):
        return bounded_number(_field(reply.usage, "cost_usd"))
    cost = bounded_number(_field(reply, "cost"))
    return bounded_number(_field(_field(reply, "usage"), "cost_usd")) if cost is None else cost


def _token_count(usage: Any, *names: str) -> int | None:
    """Return the first token count that is set under one of its usual names."""
    counts = (bounded_number(_field(usage, name)) for name in names)
    return next((int(count) for count in counts if count is not None), None)
