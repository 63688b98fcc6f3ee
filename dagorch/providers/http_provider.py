"""
A client of any service in any dialect: one exchange over HTTP, truly reported.

It always streams, for `complete` too: a stream that is cancelled frees its place at the service
at once, and its silences can be told apart. Retries, limits and budgets are the engine's; what
the bytes mean is the dialect's.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit

from dagorch.errors import DefinitionError, ProviderError
from dagorch.http.secret import Secret
from dagorch.models.limits import Limits
from dagorch.models.llm import LLMRequest, LLMResponse, Message
from dagorch.models.usage import Usage
from dagorch.ports import ReplyListener
from dagorch.providers.base import BaseProvider
from dagorch.providers.dialect import Dialect, Reply
from dagorch.providers.error_mapping import Failures
from dagorch.providers.http_client import HttpClient, Timeouts, TransportFailure
from dagorch.providers.http_reply import HttpReply
from dagorch.providers.per_loop import PerLoop
from dagorch.providers.prices import Price, PriceTable, known_output_limit
from dagorch.providers.rate_headers import rate_limits
from dagorch.providers.sse import EventLines
from dagorch.providers.wire import WireError, encode

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpProvider"]

_ERROR_BYTES = 64_000
_WHOLE_REPLY_BYTES = 16_000_000
_EXPLAINED_TOKENS = 1_000
"""What a service may add to explain tools or a schema; Anthropic's page lists up to 700."""


class HttpProvider(BaseProvider):
    """
    A service that is reached over HTTP; `OpenAIProvider` and its siblings say in which dialect.

    Args:
        base_url: The service's address, before the path that the dialect adds. A login in it
            (`https://me:secret@host`) is sent as basic authorization, unless the key takes its
            place.
        name: The service's name, for limits and messages; empty is the dialect's maker.
        api_key: None or empty sends none.
        default_model: What a request without a model gets.
        max_concurrency: Exchanges under way at once; further ones wait. None is no bound.
        prices: `{model: (input, output)}` in dollars per million tokens, before all others.
        price_service: The service's name in genai-prices; empty looks at models alone.
        free: Models cost nothing.
        aliases: What users call a model -> what the service does.
        key_env: The environment variable to name where the key is at fault.
        timeouts: How long each silence is borne.
        limits: The service's rates, and those of its models; None is none known.

    Raises:
        DefinitionError: The address or the key cannot be one.
    """

    DIALECT: ClassVar[Dialect]
    """What the service speaks."""

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
        tidy = base_url.strip().rstrip("/").removesuffix(self.DIALECT.address_end)
        self._base_url, login = _without_login(tidy)
        self._login = Secret(_basic(login))
        password = login.partition(":")[2]
        self._key = Secret(
            (api_key or "").strip(), self._login.reveal(), password, unquote(password)
        )
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
        """The service's address, before the path that the dialect adds; without a login."""
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
        called = self._aliases.get(model, model)
        if any(message.thoughts for message in request.messages):
            own = tuple(self._with_own_thoughts(message) for message in request.messages)
            request = replace(request, messages=own)
        return self.DIALECT.request_body(request, called, known_output_limit(called))

    def _with_own_thoughts(self, message: Message) -> Message:
        """Leave out what other services' models thought, in a conversation that several had."""
        own = [thought for thought in message.thoughts if thought.service in ("", self.name)]
        return replace(message, thoughts=tuple(own))

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
        # Raised here and not where it was found: no frame of this traceback has a variable
        # with what the service sent, which may echo the key.
        outcome = await self._outcome(request, model, on_text)
        if isinstance(outcome, ProviderError):
            raise outcome
        return outcome

    async def _outcome(
        self, request: LLMRequest, model: str, on_text: Callable[[str], None]
    ) -> LLMResponse | ProviderError:
        """Do the exchange and give what came of it, an error as a value."""
        failures = Failures(
            self.name,
            model,
            self._base_url,
            self.DIALECT.name,
            self._key,
            self._key_env,
            self._timeouts,
        )
        body = encode(self._body(request, model))
        path = self.DIALECT.path(self._aliases.get(model, model))
        client = await self._clients.get()
        listening = (
            on_text if isinstance(on_text, ReplyListener) else ReplyListener(on_text, _ignore)
        )
        reply = self.DIALECT.reply(on_text)
        headers: Mapping[str, str] = {}
        said: Mapping[str, Any] | str | None = None
        try:
            async with client.post(path, body, listening.may_send_again) as arriving:
                headers = arriving.headers
                if arriving.status != 200:
                    error = await arriving.read(_ERROR_BYTES)
                    return failures.from_status(arriving.status, headers, error)
                listening.reply_began(rate_limits(headers, time.time()))
                streams = "event-stream" in headers.get("content-type", "")
                said = await (_read_stream if streams else _read_whole)(arriving, reply)
        except TransportFailure as failure:
            if not reply.is_whole:  # else all was said, and only the connection ended badly
                found = failures.from_transport(failure, begun=reply.has_answer)
                found.__cause__ = failure.__cause__
                return found
        except WireError as error:
            return failures.malformed(error.found, error.text, headers, begun=reply.has_answer)
        if said is not None:
            return failures.from_event(said, headers, begun=reply.has_answer)
        if not reply.is_whole:
            closed = TransportFailure("closed")
            return failures.from_transport(closed, begun=reply.has_answer)
        return self._answer(model, reply, failures, headers)

    def _answer(
        self, model: str, reply: Reply, failures: Failures, headers: Mapping[str, str]
    ) -> LLMResponse | ProviderError:
        """Give a whole answer, or the error that it is for lack of any content."""
        if not reply.has_answer:
            return failures.malformed("no answer in it", "", headers)
        usage = self._usage(model, reply)
        counted = usage if reply.has_usage else None
        content, calls, finish = reply.content, reply.tool_calls, reply.finish_reason
        if not content and not calls:
            if finish == "refused":
                because = reply.because or reply.finish
                return failures.refused(because, reply.id, headers, counted)
            if finish == "other" and reply.finish:
                found = f"nothing but an end, {reply.finish!r}"
                return failures.malformed(found, reply.because, headers, begun=True, usage=counted)
        return LLMResponse(
            content=content,
            model=self._key.scrub(reply.model) or model,
            usage=usage,
            finish_reason=finish,
            tool_calls=calls,
            request_id=failures.request_id(headers) or self._key.scrub(reply.id),
            rate_limits=rate_limits(headers, time.time()),
            thoughts=tuple(replace(thought, service=self.name) for thought in reply.thoughts),
        )

    def _usage(self, model: str, reply: Reply) -> Usage:
        cost: Decimal | None = None
        for known in (model, reply.model) if reply.has_usage else ():
            if cost is None and known:
                cost = self._prices.cost_usd(
                    known,
                    reply.input_tokens,
                    reply.output_tokens,
                    reply.cached_tokens,
                    cache_written_tokens=reply.cache_written_tokens,
                    cache_written_1h_tokens=reply.cache_written_1h_tokens,
                )
        return Usage(
            reply.input_tokens,
            reply.output_tokens,
            cost or Decimal(0),
            estimated=not reply.has_usage,
            calls=1,
            cached_tokens=reply.cached_tokens,
            reasoning_tokens=reply.reasoning_tokens,
        )

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """
        Give the most that this request can cost, or None where that is unknown.

        Input: the request's bytes, since a token is at least a byte, and a bound per image.
        Output: the bound that is sent, else the model's known limit. Both at the model's dearest
        rates.
        """
        model = request.model or self.default_model
        rates = self._prices.dearest(model)
        if rates is None:
            return None
        sent, most = self.bounds(request)
        if rates.output_usd == 0:
            most = 0
        if most is None:
            return None
        return sent * rates.input_usd + most * rates.output_usd + rates.request_usd

    def bounds(self, request: LLMRequest) -> tuple[int, int | None]:
        model = request.model or self.default_model
        # A data: URL's bytes are no tokens; its image has a bound of its own.
        words = tuple(replace(message, images=()) for message in request.messages)
        body = self._body(replace(request, messages=words), model)
        answers, most = self.DIALECT.bounds(body)
        if most is None:
            most = self.max_output_tokens(model)
        images = sum(len(message.images) for message in request.messages)
        tokens = len(encode(body)) + images * self.DIALECT.image_tokens
        tokens += _EXPLAINED_TOKENS if request.tools or request.json_schema else 0
        return tokens, None if most is None else answers * most

    def max_output_tokens(self, model: str = "") -> int | None:
        return self._prices.output_limit(model or self.default_model)

    async def aclose(self) -> None:
        """Close this event loop's connections; the provider can be used again."""
        await self._clients.aclose()

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind} {self.name!r} model={self.default_model!r} at {self._base_url}>"


def _ignore(_rates: object) -> None:
    """Take what a service says of its limits where nobody keeps them."""


async def _read_stream(arriving: HttpReply, reply: Reply) -> Mapping[str, Any] | str | None:
    """Feed each event to the reply until the service is done; give the error that it reports."""
    lines = EventLines()
    error: Mapping[str, Any] | str | None = None

    def take(chunk: bytes) -> bool:
        nonlocal error
        for data in lines.feed(chunk):
            if (error := reply.feed(data)) is not None:
                return True
        return reply.done

    await arriving.feed(take)
    if error is not None:
        return error
    if reply.done:
        await arriving.drain()
        return None
    for data in lines.end():
        if (error := reply.feed(data)) is not None:
            return error
    return None


async def _read_whole(arriving: HttpReply, reply: Reply) -> Mapping[str, Any] | str | None:
    """Read a reply that is not a stream: a server that knows none, or something quite else."""
    body = await arriving.read(_WHOLE_REPLY_BYTES)
    text = body.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        is_html = text.lower().startswith(("<!doctype", "<html"))
        raise WireError("an HTML page" if is_html else "no JSON", text)
    error = reply.feed(text)
    reply.done = True
    return error


def _without_login(base_url: str) -> tuple[str, str]:
    """Give the address to use and to show, and the `user:password` that stood in it."""
    parts = urlsplit(base_url)
    login, _, host = parts.netloc.rpartition("@")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = base_url.rpartition("@")[2]
        raise DefinitionError(
            f"base_url {shown!r} is no address; give one such as https://api.example.com/v1"
        )
    return f"{parts.scheme}://{host}{parts.path}", login


def _basic(login: str) -> str:
    """Give the word that carries a login in a header; empty for none."""
    return base64.b64encode(unquote(login).encode()).decode("ascii") if login else ""
