"""
A provider that answers from a script, for tests and examples; pure Python, no network.

It behaves as a service does (streams, takes time, fails, costs, has limits) and remembers what
it was asked. `dagorch.testing` shows it to users.
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
"""Text; a mapping, sent as JSON; a whole response, given as it is; an exception, raised."""

Script: TypeAlias = (
    "str | Sequence[Reply] | Mapping[str, Reply] | Callable[[LLMRequest], Reply | Awaitable[Reply]]"
)
"""
Where replies come from: one text for all; a list, used up in order; `{text: reply}`, the first
whose text occurs in the request's messages; or a function of the request, sync or async.
"""

_WORD = re.compile(r"\s*\S+(?:\s+$)?")


class ScriptedProvider(BaseProvider):
    """
    Answers from a script and remembers every request.

    A word counts as a token. The text is streamed word by word.

    Args:
        script: See `Script`; None repeats the last message.
        name: The service's name.
        default_model: What a request without a model gets.
        latency_seconds: How long a reply takes, or a function of the request that says so.
        sleep: What waits for it; give one that moves a test's clock.
        price_per_token: Dollars for a word, of input as of output.
        output_limit: Words after which a reply is cut where the request sets no `max_tokens`.
        max_concurrency: What the engine is told; `peak` shows whether it was kept.
        limits: The rates that the engine is told.

    Attributes:
        requests: Every request, in the order of arrival, failed ones too.
        active: Exchanges under way now.
        peak: The most that were ever under way at once.

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
        self._used = 0
        self._latency = latency_seconds
        self._sleep = sleep
        self._price = Decimal(str(price_per_token))
        self._output_limit = output_limit
        self.requests: list[LLMRequest] = []
        self.active = 0
        self.peak = 0

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Give the script's reply, after its latency.

        Raises:
            DefinitionError: The script has no reply for the request.
            BaseException: What the script says.
        """
        self.requests.append(request)
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            reply = self._reply(request)
            if inspect.isawaitable(reply):
                reply = await reply
            latency = self._latency(request) if callable(self._latency) else self._latency
            await self._sleep(latency)
            return self._answer(request, reply, on_text)
        finally:
            self.active -= 1

    def _reply(self, request: LLMRequest) -> Reply | Awaitable[Reply]:
        script = self._script
        if script is None:
            return request.messages[-1].content
        if isinstance(script, str):
            return script
        if callable(script):
            return script(request)
        if isinstance(script, Mapping):
            said = "\n".join(message.content for message in request.messages)
            for text, reply in script.items():
                if text in said:
                    return reply
            raise DefinitionError(
                f"the script has no reply for {said[:200]!r}; "
                f"it waits for: {', '.join(map(repr, script))}"
            )
        if self._used == len(script):
            raise DefinitionError(
                f"the script has {len(script)} replies, and one more was asked for: "
                f"{request.messages[-1].content[:200]!r}"
            )
        self._used += 1
        return script[self._used - 1]

    def _answer(
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
                f"the script replies with a {type(reply).__name__}; "
                "give text, a mapping, an LLMResponse or an exception"
            )
        words = cast("list[str]", _WORD.findall(reply)) or ([reply] if reply else [])
        most = request.max_tokens or self._output_limit
        for word in words[:most]:
            on_text(word)
        sent = sum(len(_WORD.findall(message.content)) for message in request.messages)
        written = min(len(words), most)
        return LLMResponse(
            content="".join(words[:most]),
            model=request.model or self.default_model,
            usage=Usage(sent, written, (sent + written) * self._price, calls=1),
            finish_reason="length" if len(words) > most else "stop",
        )

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Give the price of the request's bytes and of as many words as a reply may have."""
        sent, most = self.bounds(request)
        return (sent + (most or 0)) * self._price

    def max_output_tokens(self, model: str = "") -> int | None:
        """Give the script's `output_limit`."""
        return self._output_limit
