"""
The methods that call a provider, built on its one `exchange`; no wire format here.

`CompletionMethods` needs only `exchange`, so whatever wraps a provider (the runner's meter, a
test's recorder) has the same methods. `BaseProvider` adds what the engine asks a provider for.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.lowlevel import current_token
from anyio.streams.memory import MemoryObjectReceiveStream

from dagorch.errors import DefinitionError
from dagorch.models.limits import Demand, Limits
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.messages import MessagesLike, build_request
from dagorch.providers.openai_wire import request_body
from dagorch.providers.wire import encode_json

__all__ = ["BaseProvider", "CompletionMethods", "Limits", "TextStream"]


_MAX_IMAGE_TOKENS = 50_000
"""The most that any service counts for one image; gpt-4o-mini counts 48,169 for a large one."""


def _ignore(_text: str) -> None:
    """Discard streamed text."""


class TextStream:
    """
    The pieces of one answer's text, in order; then the complete response.

    Iterating raises the error of the exchange, after the text that arrived before it.
    """

    def __init__(self, pieces: MemoryObjectReceiveStream[str]) -> None:
        self._pieces = pieces
        self._response: LLMResponse | None = None
        self._error: Exception | None = None

    def finish(self, outcome: LLMResponse | Exception) -> None:
        """Store the outcome of the exchange; for `CompletionMethods.stream` only."""
        if isinstance(outcome, Exception):
            self._error = outcome
        else:
            self._response = outcome

    @property
    def response(self) -> LLMResponse:
        """
        The complete response with its usage, once the stream has been read to its end.

        Raises:
            DefinitionError: The response is not complete yet.
        """
        if self._response is None:
            raise DefinitionError("the response is not complete; read the stream to its end first")
        return self._response

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        try:
            return await self._pieces.receive()
        except anyio.EndOfStream:
            if self._error is not None:
                raise self._error from self._error.__cause__
            raise StopAsyncIteration from None


class CompletionMethods(ABC):
    """`complete`, `acomplete` and `stream`, for any class with an `exchange` method."""

    @abstractmethod
    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """Send the request once and return the response; see `dagorch.ports.Provider`."""

    async def acomplete(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> LLMResponse:
        """
        Send one request and return the complete response.

        Args:
            messages: Dicts such as `{"role": "user", "content": "..."}`, or `Message`s.
            model: None for the provider's default model.
            options: Fields of `LLMRequest`: `max_tokens`, `temperature`, `stop`, `json_schema`,
                `schema_name`, `tools`, and `extra` for options of one service.

        Raises:
            DefinitionError: A message or an option is malformed; nothing was sent.
            ProviderError: The service failed; its subclass names the kind of failure.
        """
        return await self.exchange(build_request(messages, model, options), _ignore)

    def complete(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> LLMResponse:
        """
        Send one request and block until the response is complete; otherwise as `acomplete`.

        Called on the thread of a running event loop, it blocks that loop. Use `acomplete` there.
        """
        request = build_request(messages, model, options)

        def exchange() -> LLMResponse:
            return anyio.run(self.exchange, request, _ignore)

        try:
            current_token()
        except RuntimeError:  # no event loop runs on this thread
            return exchange()
        return _run_in_thread(exchange)

    @asynccontextmanager
    async def stream(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> AsyncIterator[TextStream]:
        """
        Send one request and read the text while it is generated; arguments as `acomplete`.

        Leaving the block early cancels the exchange and closes its connection. It is a context
        manager, not a bare generator, because no task may outlive the block that it serves.

        Example:
            ```python
            async with provider.stream([{"role": "user", "content": "Count to ten."}]) as pieces:
                async for text in pieces:
                    print(text, end="")
            print(pieces.response.usage)
            ```
        """
        request = build_request(messages, model, options)
        # The number of pieces has no bound, but the model's output limit bounds their size.
        send, receive = anyio.create_memory_object_stream[str](math.inf)
        stream = TextStream(receive)
        failure: Exception | None = None

        async def exchange() -> None:
            with send:
                try:
                    stream.finish(await self.exchange(request, send.send_nowait))
                except Exception as error:
                    stream.finish(error)

        with receive:
            async with anyio.create_task_group() as group:
                group.start_soon(exchange)
                try:
                    yield stream
                except Exception as error:  # raised below, outside the group's ExceptionGroup
                    failure = error
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure


class BaseProvider(CompletionMethods):
    """
    The base of dagorch's providers.

    Your own subclass implements `exchange`, and `worst_case_usd` if it knows its prices.

    Args:
        name: The service's name; rate limits are kept per name.
        default_model: The model of requests that name none; empty if each must name one.
        max_concurrency: Concurrent exchanges, at least 1; None for no limit.
        limits: The rate limits of the service and its models; None if unknown.
    """

    def __init__(
        self,
        name: str,
        default_model: str = "",
        max_concurrency: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        if max_concurrency is not None and (
            not isinstance(max_concurrency, int) or max_concurrency < 1
        ):
            raise DefinitionError(
                f"max_concurrency is {max_concurrency!r}; pass a whole number of at least 1, or "
                "None"
            )
        if limits is not None and not isinstance(limits, Limits):
            raise DefinitionError(f"limits is a {type(limits).__name__}; pass Limits(...), or None")
        self.name = name
        self.default_model = default_model
        self.max_concurrency = max_concurrency
        self.limits = limits

    def demand(self, request: LLMRequest) -> Demand:
        """Return how many of the service's tokens a request needs."""
        return Demand.of(request)

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Return an upper bound on the cost of the request; None if the price is unknown."""
        return None

    def bounds(self, request: LLMRequest) -> tuple[int, int | None]:
        """
        Return upper bounds on input and output tokens; None if the output has no bound.

        A token is at least one byte of the request body, here OpenAI's. Each image has a bound of
        its own, whatever the size of its `data:` URL.
        """
        text_only = tuple(replace(message, images=()) for message in request.messages)
        model = request.model or self.default_model
        body = encode_json(request_body(replace(request, messages=text_only), model))
        images = sum(len(message.images) for message in request.messages)
        max_output = request.max_tokens or self.max_output_tokens(request.model)
        return len(body) + images * _MAX_IMAGE_TOKENS, max_output

    def max_output_tokens(self, model: str = "") -> int | None:
        """Return the most tokens that a model generates in one answer; None if unknown."""
        return None

    async def aclose(self) -> None:
        """Close everything that is open on this event loop; the provider can be used again."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} model={self.default_model!r}>"


def _run_in_thread(call: Callable[[], LLMResponse]) -> LLMResponse:
    """Run `call` on a daemon thread, which has no event loop, and wait for it."""
    outcome: Future[LLMResponse] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, name="dagorch-complete", daemon=True).start()
    return outcome.result()
