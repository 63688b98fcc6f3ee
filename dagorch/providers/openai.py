"""
A client of any service that speaks OpenAI's chat completions: one exchange, truly reported.

It always streams, for `complete` too: a stream that is cancelled frees its place at the service
at once, and its silences can be told apart. Retries, limits and budgets are the engine's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dagorch.errors import DefinitionError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import Usage
from dagorch.providers.base import BaseProvider
from dagorch.providers.failures import Failures, Secret
from dagorch.providers.http import HttpClient, HttpReply, PerLoop, Timeouts, TransportFailure
from dagorch.providers.openai_wire import (
    EventLines,
    ReplyBuilder,
    WireError,
    encode,
    request_body,
)
from dagorch.providers.prices import Price, PriceTable
from dagorch.providers.rate_headers import rate_limits

if TYPE_CHECKING:
    import httpx

__all__ = ["OpenAIProvider"]

_ERROR_BYTES = 64_000
_WHOLE_REPLY_BYTES = 16_000_000
_IMAGE_TOKENS = 50_000
"""The most that an image counts as: gpt-4o-mini makes 48,169 of one of full size."""
_TOOLS_TOKENS = 1_000
"""What a service may add to explain tools to a model; Anthropic's page lists up to 700."""


class OpenAIProvider(BaseProvider):
    """
    A service with OpenAI's chat completions.

    Args:
        base_url: The address before `/chat/completions`: `https://api.openai.com/v1`.
        name: The service's name, for limits, messages and prices.
        api_key: None or empty sends none.
        default_model: What a request without a model gets.
        max_concurrency: Exchanges under way at once; further ones wait. None is no bound.
        prices: `{model: (input, output)}` in dollars per million tokens, before all others.
        price_service: The service's name in genai-prices; empty looks at models alone.
        free: Models cost nothing.
        aliases: What users call a model -> what the service does.
        key_env: The environment variable to name where the key is at fault.
        timeouts: How long each silence is borne.

    Raises:
        DefinitionError: The address or the key cannot be one.

    Example:
        >>> OpenAIProvider("https://api.example.com/v1", name="example", default_model="small")
        <OpenAIProvider 'example' model='small' at https://api.example.com/v1>
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str = "openai",
        api_key: str | None = None,
        default_model: str = "",
        max_concurrency: int | None = 100,
        prices: Mapping[str, Price] | None = None,
        price_service: str = "",
        free: bool = False,
        aliases: Mapping[str, str] | None = None,
        key_env: str = "",
        timeouts: Timeouts | None = None,
    ) -> None:
        super().__init__(name, default_model, max_concurrency)
        self._base_url = base_url.strip().rstrip("/")
        self._address = _address(self._base_url)
        self._key = Secret((api_key or "").strip())
        if not (self._key.reveal().isascii() and self._key.reveal().isprintable()):
            raise DefinitionError(
                f"the key of {name!r} has characters that no key has"
                + (f"; look at {key_env}" if key_env else "")
            )
        self._key_env = key_env
        self._prices = PriceTable(price_service, prices, free=free)
        self._aliases = dict(aliases or {})
        self._timeouts = timeouts or Timeouts()
        self._clients = PerLoop(self._new_client)

    @property
    def base_url(self) -> str:
        """The address before `/chat/completions`."""
        return self._base_url

    def _new_client(self) -> HttpClient:
        return HttpClient(
            self._base_url,
            sign=self._sign,
            headers={"content-type": "application/json", "user-agent": "dagorch"},
            max_connections=self.max_concurrency,
            timeouts=self._timeouts,
            prepare=lambda: self._prices.cost_usd(self.default_model, 0, 0),
        )

    def _sign(self, request: httpx.Request) -> httpx.Request:
        if self._key:
            request.headers["authorization"] = f"Bearer {self._key.reveal()}"
        return request

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Send the request once and give the whole answer.

        Usage that the service did not send is 0 tokens, marked `estimated`; the cost of a model
        without a known price is 0.

        Raises:
            DefinitionError: Neither the request nor the provider names a model.
            ProviderError: Told apart by kind.
        """
        model = request.model or self.default_model
        if not model:
            raise DefinitionError(f"no model: name one, as provider {self.name!r} has no default")
        failures = Failures(
            self.name, model, self._address, self._key, self._key_env, self._timeouts
        )
        body = encode(request_body(request, self._aliases.get(model, model)))
        client = await self._clients.get()
        builder = ReplyBuilder(on_text)
        headers: Mapping[str, str] = {}
        try:
            async with client.post("/chat/completions", body) as reply:
                headers = reply.headers
                if reply.status != 200:
                    raise failures.from_status(
                        reply.status, headers, await reply.read(_ERROR_BYTES)
                    )
                if "event-stream" in headers.get("content-type", ""):
                    await _read_stream(reply, builder, failures)
                else:
                    await _read_whole(reply, builder, failures)
        except TransportFailure as failure:
            if not builder.is_whole:  # else all was said, and only the connection ended badly
                raise failures.from_transport(failure) from failure.__cause__
        except WireError as error:
            raise failures.malformed(error.found, error.text, headers) from None
        if not builder.is_whole:
            raise failures.from_transport(TransportFailure("closed"))
        if not builder.has_choice:
            raise failures.malformed("no choices", "", headers)
        response = self._response(model, builder, failures.request_id(headers))
        return replace(response, rate_limits=rate_limits(headers, time.time()))

    def _response(self, model: str, builder: ReplyBuilder, request_id: str) -> LLMResponse:
        tokens = (builder.input_tokens, builder.output_tokens, builder.cached_tokens)
        cost = self._prices.cost_usd(model, *tokens) if builder.has_usage else None
        if cost is None and builder.has_usage and builder.model:
            cost = self._prices.cost_usd(builder.model, *tokens)
        return LLMResponse(
            content=builder.content,
            model=builder.model or model,
            usage=Usage(
                builder.input_tokens,
                builder.output_tokens,
                cost or Decimal(0),
                estimated=not builder.has_usage,
                calls=1,
            ),
            finish_reason=builder.finish_reason,
            tool_calls=builder.tool_calls,
            request_id=request_id,
        )

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """
        Give the most that this request can cost, or None where that is unknown.

        Input: the request's bytes, since a token is at least a byte, and a bound per image.
        Output: `max_tokens`, else the model's known limit. Both at the model's dearest rates.
        """
        model = request.model or self.default_model
        rates = self._prices.dearest(model)
        if rates is None:
            return None
        # A data: URL's bytes are no tokens; its image has a bound of its own.
        words = tuple(replace(message, images=()) for message in request.messages)
        body = request_body(replace(request, messages=words), self._aliases.get(model, model))
        most = body.get("max_completion_tokens", body.get("max_tokens"))
        if most is None:
            most = self.max_output_tokens(model)
        if rates.output_usd == 0:
            most = 0
        if most is None:
            return None
        images = sum(len(message.images) for message in request.messages)
        tokens = len(encode(body)) + images * _IMAGE_TOKENS
        tokens += _TOOLS_TOKENS if request.tools else 0
        answers = int(body.get("n") or 1)
        return tokens * rates.input_usd + answers * most * rates.output_usd + rates.request_usd

    def max_output_tokens(self, model: str = "") -> int | None:
        """Give the most tokens that a model writes in one answer, or None where unknown."""
        return self._prices.output_limit(model or self.default_model)

    async def aclose(self) -> None:
        """Close this event loop's connections; the provider can be used again."""
        await self._clients.aclose()

    def __repr__(self) -> str:
        return f"<OpenAIProvider {self.name!r} model={self.default_model!r} at {self._address}>"


async def _read_stream(reply: HttpReply, builder: ReplyBuilder, failures: Failures) -> None:
    """Feed each event to the builder until the service says that it is done."""
    lines = EventLines()

    def take(data: str) -> None:
        if (error := builder.feed(data)) is not None:
            raise failures.from_event(error, reply.headers)

    async with aclosing(reply.chunks()) as chunks:
        async for chunk in chunks:
            for data in lines.feed(chunk):
                take(data)
            if builder.done:
                break
    if builder.done:
        await reply.drain()
    else:
        for data in lines.end():
            take(data)


async def _read_whole(reply: HttpReply, builder: ReplyBuilder, failures: Failures) -> None:
    """Read a reply that is not a stream: a server that knows none, or something quite else."""
    body = await reply.read(_WHOLE_REPLY_BYTES)
    text = body.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        is_html = text.lower().startswith(("<!doctype", "<html"))
        raise WireError("an HTML page" if is_html else "no JSON", text)
    if (error := builder.feed(text)) is not None:
        raise failures.from_event(error, reply.headers)
    builder.done = True


def _address(base_url: str) -> str:
    """Give the address to show: without a user's name and password, which are secrets."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = base_url.rpartition("@")[2]
        raise DefinitionError(
            f"base_url {shown!r} is no address; give one such as https://api.example.com/v1"
        )
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
