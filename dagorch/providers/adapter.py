"""
Adapts a user's object with `complete` or `acomplete` to the `Provider` port.

Nothing is retried, priced or limited here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import anyio

from dagorch.errors import DefinitionError, MalformedReplyError
from dagorch.models.limits import Limits
from dagorch.models.llm import LLMRequest, LLMResponse, Message
from dagorch.models.usage import Usage
from dagorch.ports import Provider
from dagorch.providers.base import BaseProvider
from dagorch.providers.openai_wire import request_body

__all__ = ["AdaptedProvider", "adapt"]


def adapt(provider: object) -> Provider:
    """
    Return `provider` itself if it is a `dagorch.ports.Provider`, else a provider that wraps it.

    The object needs `acomplete` (async) or `complete` (sync or async). It is called with
    `messages`, a list of dicts in OpenAI's format, and with `model` and other fields of the
    request for which it has parameters. It returns text, or a dict or an object with `content`
    and optionally `model`, `usage` (token counts) and `cost` (dollars). A sync method runs in a
    worker thread.

    Raises:
        DefinitionError: It has neither method.

    Example:
        >>> class Parrot:
        ...     def complete(self, messages):
        ...         return messages[-1]["content"]
        >>> adapt(Parrot()).name
        'parrot'
    """
    # A mock has every attribute; only a real provider's `exchange` is a coroutine function.
    if isinstance(provider, Provider) and inspect.iscoroutinefunction(provider.exchange):
        return provider
    if isinstance(provider, type):
        raise DefinitionError(f"the provider is the class {provider.__name__}; pass an instance")
    for method in ("acomplete", "complete"):
        if callable(getattr(provider, method, None)):
            return AdaptedProvider(provider, method)
    raise DefinitionError(
        f"a {type(provider).__name__} cannot be a provider: "
        "it needs a method complete(messages) or acomplete(messages)"
    )


class AdaptedProvider(BaseProvider):
    """A user's object as a provider; created by `adapt`."""

    def __init__(self, inner: object, method: str) -> None:
        name = getattr(inner, "name", None)
        model = getattr(inner, "default_model", None) or getattr(inner, "model", None)
        max_concurrency = getattr(inner, "max_concurrency", None)
        limits = getattr(inner, "limits", None)
        super().__init__(
            name if isinstance(name, str) and name else type(inner).__name__.lower(),
            model if isinstance(model, str) else "",
            max_concurrency if isinstance(max_concurrency, int) else None,
            limits if isinstance(limits, Limits) else None,
        )
        self._inner = inner
        self._call: Callable[..., Any] = getattr(inner, method)
        self._method = method

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Call the object's method once and convert its result.

        A worker thread cannot be stopped. If the exchange is cancelled, its thread runs on.

        Raises:
            DefinitionError: The request has tools, but the method has no parameter for them.
            MalformedReplyError: The method returned no content.
        """
        call = self._bind(request)
        if inspect.iscoroutinefunction(self._call):
            reply = await call()
        else:
            # In a list, because trio refuses a thread function that returns a coroutine.
            (reply,) = await anyio.to_thread.run_sync(lambda: [call()], abandon_on_cancel=True)
            if inspect.isawaitable(reply):
                reply = await reply
        response = self._to_response(reply, request)
        if response.content:
            on_text(response.content)
        return response

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Ask the object if it has this method; else None."""
        method = getattr(self._inner, "worst_case_usd", None)
        worst = method(request) if callable(method) else None
        return None if worst is None else Decimal(str(worst))

    async def aclose(self) -> None:
        """Close the object if it has this method."""
        close = getattr(self._inner, "aclose", None)
        if callable(close):
            await close()

    def _bind(self, request: LLMRequest) -> Callable[[], Any]:
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
        parameters = inspect.signature(self._call).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        if request.tools and not (takes_any or "tools" in parameters):
            raise DefinitionError(
                f"provider {self.name!r} does not support tools: "
                f"its {self._method}() has no parameter 'tools'"
            )
        arguments = {
            key: value
            for key, value in options.items()
            if value is not None and (takes_any or key in parameters)
        }
        if takes_any or "messages" in parameters:
            return partial(self._call, messages=body["messages"], **arguments)
        return partial(self._call, body["messages"], **arguments)

    def _to_response(self, reply: Any, request: LLMRequest) -> LLMResponse:
        if isinstance(reply, LLMResponse):
            return reply
        if isinstance(reply, Message | str):
            reply = {"content": reply if isinstance(reply, str) else reply.content}
        content = _field(reply, "content")
        if not isinstance(content, str):
            found = f"keys {sorted(map(str, reply))}" if isinstance(reply, Mapping) else "no text"
            raise MalformedReplyError(
                f"{self.name}: {self._method}() returned a {type(reply).__name__} with {found}; "
                "return text, or a dict or an object whose content is text",
                service=self.name,
                model=request.model,
            )
        usage = _field(reply, "usage")
        return LLMResponse(
            content=content,
            model=str(_field(reply, "model") or request.model or self.default_model),
            usage=Usage(
                _token_count(usage, "input_tokens", "prompt_tokens"),
                _token_count(usage, "output_tokens", "completion_tokens"),
                Decimal(str(_field(reply, "cost") or _field(usage, "cost_usd") or 0)),
                estimated=usage is None,
                calls=1,
                cached_tokens=_token_count(usage, "cached_tokens"),
                reasoning_tokens=_token_count(usage, "reasoning_tokens"),
            ),
        )


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _token_count(usage: Any, *names: str) -> int:
    """Return the first token count that is set under one of its usual names."""
    return next((int(count) for name in names if (count := _field(usage, name))), 0)
