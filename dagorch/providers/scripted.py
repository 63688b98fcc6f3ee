"""
A provider that answers from a script, for tests and examples; `dagorch.testing` exports it.

Like a service it streams, takes time, fails, costs and has limits. It records its requests.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias, cast

import anyio

from dagorch.errors import DefinitionError
from dagorch.models.limits import Limits
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import Usage
from dagorch.providers.base import BaseProvider

__all__ = ["SCRIPTED_MODEL", "Reply", "Script", "ScriptedProvider"]

SCRIPTED_MODEL = "scripted"

Reply: TypeAlias = "str | Mapping[str, Any] | LLMResponse | BaseException"
"""Text; a mapping, sent as JSON; a response, returned unchanged; an exception, raised."""

Script: TypeAlias = (
    "str | Sequence[Reply] | Mapping[str, Reply] | Callable[[LLMRequest], Reply | Awaitable[Reply]]"
)
"""
The source of replies: one text for all; a list, used in order; `{text: reply}`, the first whose
text occurs in the messages; or a function of the request, sync or async.
"""

_WORD = re.compile(r"\s*\S+(?:\s+$)?")


class ScriptedProvider(BaseProvider):
    """
    Answers from a script and records every request.

    A word counts as one token. Text is streamed word by word.

    Args:
        script: See `Script`; None repeats the last message.
        name: The service's name.
        default_model: The model of requests that name none.
        latency_seconds: The time until a reply, or a function of the request that returns it.
        sleep: Waits for the latency; a test can pass one that advances its clock.
        price_per_token: Dollars per word of input and output.
        output_limit: A reply is cut after this many words if the request sets no `max_tokens`.
        max_concurrency: Reported to the engine; `peak` shows whether the engine kept to it.
        limits: Rate limits reported to the engine.

    Attributes:
        requests: Every request, in order of arrival, including failed ones.
        active: Exchanges in progress.
        peak: The highest value of `active`.

    Example:
        >>> provider = ScriptedProvider(["Paris.", "Rome."])
        >>> provider.complete([{"role": "user", "content": "France's capital?"}]).content
        'Paris.'
        >>> provider.requests[0].messages[0].content
        "France's capital?"
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        name: str = "scripted",
        default_model: str = SCRIPTED_MODEL,
        latency_seconds: float | Callable[[LLMRequest], float] = 0.0,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        price_per_token: Decimal | float = 0,
        output_limit: int = 4_096,
        max_concurrency: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(name, default_model, max_concurrency, limits)
        self._script = script
        self._replies_used = 0
        self._latency = latency_seconds
        self._sleep = sleep
        self._price = Decimal(str(price_per_token))
        self._output_limit = output_limit
        self.requests: list[LLMRequest] = []
        self.active = 0
        self.peak = 0

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Return the script's reply, after the latency.

        Raises:
            DefinitionError: The script has no reply for the request.
            BaseException: The script's reply, if that is an exception.
        """
        self.requests.append(request)
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            reply = self._next_reply(request)
            if inspect.isawaitable(reply):
                reply = await reply
            latency = self._latency(request) if callable(self._latency) else self._latency
            await self._sleep(latency)
            return self._to_response(request, reply, on_text)
        finally:
            self.active -= 1

    def _next_reply(self, request: LLMRequest) -> Reply | Awaitable[Reply]:
        script = self._script
        if script is None:
            return request.messages[-1].content
        if isinstance(script, str):
            return script
        if callable(script):
            return script(request)
        if isinstance(script, Mapping):
            prompt = "\n".join(message.content for message in request.messages)
            for text, reply in script.items():
                if text in prompt:
                    return reply
            raise DefinitionError(
                f"the script has no reply for {prompt[:200]!r}; "
                f"it has replies for: {', '.join(map(repr, script))}"
            )
        if self._replies_used == len(script):
            raise DefinitionError(
                f"the script has {len(script)} replies, and all are used; add one for: "
                f"{request.messages[-1].content[:200]!r}"
            )
        self._replies_used += 1
        return script[self._replies_used - 1]

    def _to_response(
        self, request: LLMRequest, reply: object, on_text: Callable[[str], None]
    ) -> LLMResponse:
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, LLMResponse):
            on_text(reply.content)
            return reply
        if isinstance(reply, Mapping):
            reply = json.dumps(reply, ensure_ascii=False)
        if not isinstance(reply, str):
            raise DefinitionError(
                f"the script's reply is a {type(reply).__name__}; "
                "use text, a mapping, an LLMResponse or an exception"
            )
        words = cast("list[str]", _WORD.findall(reply)) or ([reply] if reply else [])
        limit = request.max_tokens or self._output_limit
        for word in words[:limit]:
            on_text(word)
        input_tokens = sum(len(_WORD.findall(message.content)) for message in request.messages)
        output_tokens = min(len(words), limit)
        cost = (input_tokens + output_tokens) * self._price
        return LLMResponse(
            content="".join(words[:limit]),
            model=request.model or self.default_model,
            usage=Usage(input_tokens, output_tokens, cost, calls=1),
            finish_reason="length" if len(words) > limit else "stop",
        )

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Return the price of the request's bytes and the longest possible reply."""
        input_tokens, output_tokens = self.bounds(request)
        return (input_tokens + (output_tokens or 0)) * self._price

    def max_output_tokens(self, model: str = "") -> int | None:
        """Return the `output_limit`."""
        return self._output_limit
