"""
Providers over HTTP: one exchange with a service, in each of the three dialects.

It always streams, even for `complete`: cancelling a stream frees its slot at the service at once,
and its silences can be distinguished. The engine retries, limits and budgets.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import SplitResult, unquote, urlsplit

from dagorch.errors import DefinitionError, ProviderError
from dagorch.http.inflate import InflateError
from dagorch.http.secret import Secret
from dagorch.models.limits import Limits
from dagorch.models.llm import LLMRequest, LLMResponse, Message, Thought, ToolCall
from dagorch.models.usage import Usage
from dagorch.ports import ReplyListener
from dagorch.providers.anthropic_wire import ANTHROPIC
from dagorch.providers.base import BaseProvider
from dagorch.providers.dialect import Dialect, ReplyParser
from dagorch.providers.error_mapping import ErrorMapper
from dagorch.providers.gemini_wire import GEMINI
from dagorch.providers.http_client import HttpClient, Timeouts, TransportError
from dagorch.providers.http_reply import HttpReply
from dagorch.providers.openai_wire import OPENAI
from dagorch.providers.per_loop import PerLoop
from dagorch.providers.prices import Price, PriceTable, known_output_limit
from dagorch.providers.rate_headers import rate_limits
from dagorch.providers.sse import SSEDecoder
from dagorch.providers.wire import WireError, encode_json

if TYPE_CHECKING:
    import httpx

__all__ = [
    "AnthropicProvider", "GeminiProvider", "HttpProvider", "OpenAIProvider", "split_login",
]  # fmt: skip

_MAX_ERROR_BYTES = 64_000
_MAX_UNSTREAMED_BYTES = 16_000_000
_MAX_HIDDEN_PROMPT_TOKENS = 1_000
"""What a service may add to explain tools or a schema; Anthropic documents up to 700."""


class HttpProvider(BaseProvider):
    """
    A service over HTTP; the subclasses below set the dialect.

    Args:
        base_url: The address before the path that the dialect adds. A login in it
            (`https://me:secret@host`) is sent as basic authorization, unless the dialect sends
            the key in the same header.
        name: The service's name, for limits and messages; empty for the dialect's inventor.
        api_key: None or empty sends none.
        default_model: The model of requests that name none.
        max_concurrency: Concurrent exchanges; more wait. None for no limit.
        prices: `{model: (input, output)}` in dollars per million tokens; overrides all others.
        price_service: The service's name in genai-prices; empty searches all services.
        free: Models cost nothing.
        aliases: Users' name for a model -> the service's.
        key_env: The environment variable to name in errors about the key.
        timeouts: How long the service may be silent.
        limits: The rate limits of the service and its models; None if unknown.

    Raises:
        DefinitionError: The address or the key is invalid.
    """

    DIALECT: ClassVar[Dialect]

    def __init__(
        self,
        base_url: str,
        *,
        name: str = "",
        api_key: str | None = None,
        default_model: str = "",
        max_concurrency: int | None = 100,
        prices: Mapping[str, Price] | None = None,
        price_service: str = "",
        free: bool = False,
        aliases: Mapping[str, str] | None = None,
        key_env: str = "",
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
    ) -> None:
        name = name or self.DIALECT.service
        super().__init__(name, default_model, max_concurrency, limits)
        trimmed = base_url.strip().rstrip("/").removesuffix(self.DIALECT.base_url_suffix)
        self._base_url, login = split_login(trimmed)
        self._login = Secret(_basic_credentials(login))
        password = login.partition(":")[2]
        self._key = Secret(
            (api_key or "").strip(), self._login.reveal(), password, unquote(password)
        )
        if not (self._key.reveal().isascii() and self._key.reveal().isprintable()):
            raise DefinitionError(
                f"{name}: the API key contains characters that a key cannot have; "
                f"check {key_env or 'api_key'}"
            )
        self._key_env = key_env
        self._prices = PriceTable(price_service, prices, free=free)
        self._aliases = dict(aliases or {})
        self._timeouts = timeouts or Timeouts()
        self._clients = PerLoop(self._new_client)
        self._last_input: tuple[LLMRequest, int] | None = None
        """The last request whose input was measured, without images and limit, and its bytes."""

    @property
    def base_url(self) -> str:
        """The address before the path that the dialect adds, without a login."""
        return self._base_url

    @property
    def account(self) -> str:
        """Identifies the account by hashes of address, key and login; shows none of them."""
        secrets = (Secret(self._base_url), self._key, self._login)
        return " ".join([self.name, *(secret.digest for secret in secrets)])

    def _new_client(self) -> HttpClient:
        self._key.hide_in_logs()
        return HttpClient(
            self._base_url,
            sign=self._sign,
            scrub=self._key.scrub,
            headers={
                "content-type": "application/json",
                "user-agent": "dagorch",
                **self.DIALECT.headers,
            },
            max_connections=self.max_concurrency,
            timeouts=self._timeouts,
            prepare=lambda: self._prices.cost_usd(self.default_model, 0, 0),
        )

    def _sign(self, request: httpx.Request) -> httpx.Request:
        if self._login:
            request.headers["authorization"] = f"Basic {self._login.reveal()}"
        if self._key:
            name, value = self.DIALECT.key_header(self._key.reveal())
            request.headers[name] = value
        return request

    def _body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        service_model = self._aliases.get(model, model)
        if any(message.thoughts for message in request.messages):
            messages = tuple(map(self._without_foreign_thoughts, request.messages))
            request = replace(request, messages=messages)
        limit = known_output_limit(service_model)
        return self.DIALECT.request_body(request, service_model, limit)

    def _without_foreign_thoughts(self, message: Message) -> Message:
        """Remove reasoning of other services, for a conversation that several took part in."""
        own = [thought for thought in message.thoughts if thought.service in ("", self.name)]
        return replace(message, thoughts=tuple(own))

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Send the request once and return the complete response.

        Usage that is missing or cannot be true is 0 tokens, marked `estimated`; the engine bills
        the worst case instead. A model without a known price costs 0.

        Raises:
            DefinitionError: Neither the request nor the provider names a model.
            ProviderError: The service failed; its subclass names the kind of failure.
        """
        model = request.model or self.default_model
        if not model:
            raise DefinitionError(f"no model: name one, as provider {self.name!r} has no default")
        # Raised here rather than where it occurred, so that no frame of the traceback holds what
        # the service sent, which may contain the key.
        outcome = await self._exchange(request, model, on_text)
        if isinstance(outcome, ProviderError):
            raise outcome
        return outcome

    async def _exchange(
        self, request: LLMRequest, model: str, on_text: Callable[[str], None]
    ) -> LLMResponse | ProviderError:
        """Do the exchange; returns an error instead of raising it."""
        errors = ErrorMapper(
            self.name,
            model,
            self._base_url,
            self.DIALECT.name,
            self._key,
            self._key_env,
            self._timeouts,
        )
        body = encode_json(self._body(request, model))
        path = self.DIALECT.path(self._aliases.get(model, model))
        client = await self._clients.get()
        listener = on_text
        if not isinstance(listener, ReplyListener):
            listener = ReplyListener(on_text, lambda _rates: None)
        # A service may echo the key; in several pieces it is found in the complete text only.
        parser = self.DIALECT.reply_parser(lambda text: on_text(self._key.scrub(text)))
        headers: Mapping[str, str] = {}
        reported: Mapping[str, Any] | str | None = None
        try:
            async with client.post(path, body, listener.may_send_again) as reply:
                headers = reply.headers
                if reply.status != 200:
                    error_body = await reply.read(_MAX_ERROR_BYTES)
                    return errors.from_status(reply.status, headers, error_body)
                listener.reply_began(rate_limits(headers, time.time()))
                streams = "event-stream" in headers.get("content-type", "").lower()
                reported = await (_read_stream if streams else _read_whole)(reply, parser)
        except TransportError as failure:
            if not parser.is_complete:  # else only the connection's end failed
                error = errors.from_transport(failure, begun=parser.has_answer)
                error.__cause__ = failure.__cause__
                return error
        except InflateError as failure:
            return errors.malformed(str(failure), "", headers, begun=parser.has_answer)
        except WireError as failure:
            return errors.malformed(failure.found, failure.text, headers, begun=parser.has_answer)
        if reported is not None:
            return errors.from_event(reported, headers, begun=parser.has_answer)
        if not parser.is_complete:
            return errors.from_transport(TransportError("closed"), begun=parser.has_answer)
        return self._to_response(model, parser, errors, headers)

    def _to_response(
        self, model: str, parser: ReplyParser, errors: ErrorMapper, headers: Mapping[str, str]
    ) -> LLMResponse | ProviderError:
        """Return the response, or an error if it has no content."""
        if not parser.has_answer:
            return errors.malformed("no answer in it", "", headers)
        usage = self._usage(model, parser)
        counted = None if usage.estimated else usage
        content = self._key.scrub(parser.content)
        calls = tuple(map(self._scrub_call, parser.tool_calls))
        finish = parser.finish_reason
        if not content and not calls:
            if finish == "refused":
                reason = parser.finish_details or parser.finish
                return errors.refused(reason, parser.id, headers, counted)
            if finish == "other" and parser.finish:
                found = f"an empty answer that ended with {parser.finish!r}"
                return errors.malformed(
                    found, parser.finish_details, headers, begun=True, usage=counted
                )
        return LLMResponse(
            content=content,
            model=self._key.scrub(parser.model) or model,
            usage=usage,
            finish_reason=finish,
            tool_calls=calls,
            request_id=errors.request_id(headers) or self._key.scrub(parser.id),
            rate_limits=rate_limits(headers, time.time()),
            thoughts=tuple(map(self._scrub_thought, parser.thoughts)),
        )

    def _scrub_call(self, call: ToolCall) -> ToolCall:
        scrub = self._key.scrub
        return replace(
            call, id=scrub(call.id), name=scrub(call.name), arguments=scrub(call.arguments)
        )

    def _scrub_thought(self, thought: Thought) -> Thought:
        """Mark reasoning as this service's; what is signed or encrypted must not be changed."""
        is_sealed = thought.signature or thought.hidden
        text = thought.text if is_sealed else self._key.scrub(thought.text)
        return replace(thought, text=text, service=self.name)

    def _usage(self, model: str, parser: ReplyParser) -> Usage:
        wrote = bool(parser.content or parser.calls)
        if not parser.has_usage or not parser.input_tokens or parser.output_tokens < wrote:
            return Usage(estimated=True, calls=1)
        cost: Decimal | None = None
        for name in (model, parser.model):
            if cost is None and name:
                cost = self._prices.cost_usd(
                    name,
                    parser.input_tokens,
                    parser.output_tokens,
                    parser.cached_tokens,
                    cache_written_tokens=parser.cache_written_tokens,
                    cache_written_1h_tokens=parser.cache_written_1h_tokens,
                )
        return Usage(
            parser.input_tokens,
            parser.output_tokens,
            cost or Decimal(0),
            calls=1,
            cached_tokens=parser.cached_tokens,
            reasoning_tokens=parser.reasoning_tokens,
        )

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """
        Return an upper bound on the cost of the request; None if there is none.

        Both token bounds of `bounds`, at the highest rates of the model.
        """
        rates = self._prices.max_rates(request.model or self.default_model)
        if rates is None:
            return None
        input_tokens, output_tokens = self.bounds(request)
        if rates.output_usd == 0:
            output_tokens = 0
        if output_tokens is None:
            return None
        return input_tokens * rates.input_usd + output_tokens * rates.output_usd + rates.request_usd

    def bounds(self, request: LLMRequest) -> tuple[int, int | None]:
        """
        Return upper bounds on input and output tokens; None if the output has no bound.

        A token is at least one byte of the request body without its output limit. Each image has a
        bound of its own, whatever the size of its `data:` URL.
        """
        model = request.model or self.default_model
        messages = tuple(replace(message, images=()) for message in request.messages)
        text_only = replace(request, messages=messages)
        answers, max_output = self.DIALECT.bounds(self._body(text_only, model))
        if max_output is None:
            max_output = self.max_output_tokens(model)
        images = sum(len(message.images) for message in request.messages)
        tokens = self._input_bytes(text_only, model) + images * self.DIALECT.max_image_tokens
        tokens += _MAX_HIDDEN_PROMPT_TOKENS if request.tools or request.json_schema else 0
        return tokens, None if max_output is None else answers * max_output

    def _input_bytes(self, request: LLMRequest, model: str) -> int:
        """Return the bytes of a request's body; the engine asks for many output limits in a row."""
        request = replace(request, max_tokens=None)
        last = self._last_input  # read once: other threads use the provider too
        if last is None or last[0] != request:
            last = self._last_input = request, len(encode_json(self._body(request, model)))
        return last[1]

    def max_output_tokens(self, model: str = "") -> int | None:
        return self._prices.output_limit(model or self.default_model)

    async def aclose(self) -> None:
        """Close this event loop's connections; the provider can be used again."""
        await self._clients.aclose()

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind} {self.name!r} model={self.default_model!r} at {self._base_url}>"


class OpenAIProvider(HttpProvider):
    """
    A service that speaks OpenAI's chat completions: OpenAI and many others.

    `base_url` is the address before `/chat/completions`: `https://api.openai.com/v1`.

    Example:
        >>> OpenAIProvider("https://api.example.com/v1", name="example", default_model="small")
        <OpenAIProvider 'example' model='small' at https://api.example.com/v1>
    """

    DIALECT = OPENAI


class AnthropicProvider(HttpProvider):
    """
    A service that speaks Anthropic's Messages: Anthropic and compatible servers.

    `base_url` is the address before `/v1/messages`, such as `https://api.anthropic.com`; a final
    `/v1` is removed.

    The service requires `max_tokens`. A request without it is sent with the model's known limit,
    else with 32,000 for a Claude and 8,192 for any other model.

    Example:
        >>> AnthropicProvider("https://example.com/v1", default_model="claude-haiku-4-5")
        <AnthropicProvider 'anthropic' model='claude-haiku-4-5' at https://example.com>
    """

    DIALECT = ANTHROPIC


class GeminiProvider(HttpProvider):
    """
    A service that speaks Google Gemini's generateContent.

    `base_url` is the address before `/models/...`, with the protocol's version:
    `https://generativelanguage.googleapis.com/v1beta`.

    Example:
        >>> GeminiProvider("https://example.com/v1beta", default_model="gemini-2.5-flash")
        <GeminiProvider 'gemini' model='gemini-2.5-flash' at https://example.com/v1beta>
    """

    DIALECT = GEMINI


async def _read_stream(reply: HttpReply, parser: ReplyParser) -> Mapping[str, Any] | str | None:
    """Feed events to the parser until the service is done; return an error that it reports."""
    decoder = SSEDecoder()
    error: Mapping[str, Any] | str | None = None

    def is_finished(events: list[str]) -> bool:
        nonlocal error
        for data in events:
            if parser.done:
                break  # what follows the end is not part of the answer
            if (error := parser.feed(data)) is not None:
                return True
        return parser.done

    await reply.feed(lambda chunk: is_finished(decoder.feed(chunk)))
    if error is None and parser.done:
        await reply.drain()
    elif error is None:
        is_finished(decoder.flush())
    return error


async def _read_whole(reply: HttpReply, parser: ReplyParser) -> Mapping[str, Any] | str | None:
    """Read a reply that is not a stream, from a server that cannot stream or is not an API."""
    body = await reply.read(_MAX_UNSTREAMED_BYTES)
    text = body.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        is_html = text.lower().startswith(("<!doctype", "<html"))
        raise WireError("an HTML page" if is_html else "text that is not JSON", text)
    error = parser.feed(text)
    parser.done = True
    return error


def split_login(base_url: str) -> tuple[str, str]:
    """
    Split a URL into the address without a login, and the login `user:password`.

    Raises:
        DefinitionError: It is not a web address. The message does not show the login.
    """
    parts = urlsplit(base_url)
    login, _, host = parts.netloc.rpartition("@")
    if parts.scheme not in ("http", "https") or not parts.hostname or not _has_valid_port(parts):
        shown = base_url.rpartition("@")[2]
        raise DefinitionError(
            f"base_url {shown!r} is not a web address; pass one such as https://api.example.com/v1"
        )
    return f"{parts.scheme}://{host}{parts.path}", login


def _has_valid_port(parts: SplitResult) -> bool:
    """Return whether the port is a number; a password with a slash is taken for one."""
    try:
        _ = parts.port
    except ValueError:
        return False
    return True


def _basic_credentials(login: str) -> str:
    """Encode a login for the `authorization` header; empty for none."""
    return base64.b64encode(unquote(login).encode()).decode("ascii") if login else ""
