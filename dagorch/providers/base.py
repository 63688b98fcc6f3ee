"""
The doors through which people call a provider, built on its one exchange; no wire format here.

`CompletionMethods` needs nothing but an `exchange` method, so that whatever wraps a provider (the
runner's meter, a test's recorder) offers the very same doors. `BaseProvider` adds the identity
that the engine asks for.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
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
from dagorch.providers.wire import encode

__all__ = ["BaseProvider", "CompletionMethods", "Limits", "TextStream"]


_IMAGE_TOKENS = 50_000
"""The most that an image counts as with any service; gpt-4o-mini makes 48,169 of a large one."""


def _ignore(_text: str) -> None:
    """Take streamed text that nobody asked for."""


class TextStream:
    """
    The pieces of one answer's text, in order, and then the whole answer.

    Iterating raises whatever the exchange raised, after the text that had come before.
    """

    def __init__(self, pieces: MemoryObjectReceiveStream[str]) -> None:
        self._pieces = pieces
        self._response: LLMResponse | None = None
        self._error: Exception | None = None

    def end(self, outcome: LLMResponse | Exception) -> None:
        """Take how the exchange ended; what `CompletionMethods.stream` calls, and nobody else."""
        if isinstance(outcome, Exception):
            self._error = outcome
        else:
            self._response = outcome

    @property
    def response(self) -> LLMResponse:
        """
        The whole answer with its usage, once the text has been read to its end.

        Raises:
            DefinitionError: The answer is not complete yet.
        """
        if self._response is None:
            raise DefinitionError("the answer is not complete; read the stream to its end first")
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
    """`complete`, `acomplete` and `stream`, for anything that can do one exchange."""

    @abstractmethod
    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """Send the request once and give the whole answer; see `dagorch.ports.Provider`."""

    async def acomplete(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> LLMResponse:
        """
        Ask once and give the whole answer.

        Args:
            messages: Dicts such as `{"role": "user", "content": "..."}`, or `Message`s.
            model: None asks the provider's default model.
            options: Fields of `LLMRequest`: `max_tokens`, `temperature`, `stop`, `json_schema`,
                `schema_name`, `tools`, and `extra` for a service's own.

        Raises:
            DefinitionError: A message or an option is malformed; nothing was sent.
            ProviderError: The service failed, told apart by kind.
        """
        return await self.exchange(build_request(messages, model, options), _ignore)

    def complete(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> LLMResponse:
        """
        Ask once and wait for the whole answer; takes and raises what `acomplete` does.

        Blocks its thread. On a thread whose event loop is running, that loop stands still
        until the answer is there: use `acomplete` where you can.
        """
        request = build_request(messages, model, options)

        def ask() -> LLMResponse:
            return anyio.run(self.exchange, request, _ignore)

        try:
            current_token()
        except RuntimeError:  # no event loop runs on this thread
            return ask()
        return _in_helper_thread(ask)

    @asynccontextmanager
    async def stream(
        self, messages: MessagesLike, model: str | None = None, **options: Any
    ) -> AsyncIterator[TextStream]:
        """
        Ask once and read the answer's text while it is written; takes what `acomplete` does.

        Leaving the block early cancels the exchange and closes its connection. A context
        manager and not a bare generator, because a task must not outlive the block it serves.

        Example:
            ```python
            async with provider.stream([{"role": "user", "content": "Count to ten."}]) as pieces:
                async for text in pieces:
                    print(text, end="")
            print(pieces.response.usage)
            ```
        """
        request = build_request(messages, model, options)
        # Unbounded in pieces, bounded in size: one answer is at most the model's output limit.
        send, receive = anyio.create_memory_object_stream[str](math.inf)
        stream = TextStream(receive)
        failure: Exception | None = None

        async def ask() -> None:
            with send:
                try:
                    stream.end(await self.exchange(request, send.send_nowait))
                except Exception as error:
                    stream.end(error)

        with receive:
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                try:
                    yield stream
                except Exception as error:  # raised below, outside of the group's ExceptionGroup
                    failure = error
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure


class BaseProvider(CompletionMethods):
    """
    What every provider of dagorch shares: its identity and the doors.

    A provider of your own implements `exchange`, and `worst_case_usd` where it knows its price.

    Args:
        name: The service's name; limits are kept under it.
        default_model: What a request without a model gets.
        max_concurrency: Exchanges under way at once, at least 1; None is no bound.
        limits: The service's rates, and those of its models; None is none known.
    """

    def __init__(
        self,
        name: str,
        default_model: str = "",
        max_concurrency: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        if max_concurrency is not None and max_concurrency < 1:
            raise DefinitionError(f"max_concurrency is {max_concurrency}; give at least 1, or None")
        self._name = name
        self._default_model = default_model
        self._max_concurrency = max_concurrency
        self._limits = limits

    @property
    def name(self) -> str:
        """The service's name; limits are kept under it."""
        return self._name

    @property
    def default_model(self) -> str:
        """What a request without a model gets; empty if it must name one."""
        return self._default_model

    @property
    def max_concurrency(self) -> int | None:
        """How many exchanges may be under way at once; None is no bound."""
        return self._max_concurrency

    @property
    def limits(self) -> Limits | None:
        """The service's rates, and those of its models; None is none known."""
        return self._limits

    def demand(self, request: LLMRequest) -> Demand:
        """What a request asks of the service's tokens."""
        return Demand.of(request)

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """The most that this request can cost, or None where the price is unknown."""
        return None

    def bounds(self, request: LLMRequest) -> tuple[int, int | None]:
        """
        The most tokens that a request can have, and its answer; None where nothing bounds that.

        A token is at least a byte of what is sent, here of OpenAI's chat completions.
        """
        # A data: URL's bytes are no tokens; its image has a bound of its own.
        words = tuple(replace(message, images=()) for message in request.messages)
        model = request.model or self.default_model
        sent = len(encode(request_body(replace(request, messages=words), model)))
        images = sum(len(message.images) for message in request.messages)
        most = request.max_tokens or self.max_output_tokens(request.model)
        return sent + images * _IMAGE_TOKENS, most

    def max_output_tokens(self, model: str = "") -> int | None:
        """The most tokens that a model writes in one answer, or None where unknown."""
        return None

    async def aclose(self) -> None:
        """Close what is open on this event loop; the provider can be used again."""

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


def _in_helper_thread(work: Callable[[], LLMResponse]) -> LLMResponse:
    """Do `work` on a thread without an event loop, and wait for it."""
    outcome: list[LLMResponse] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="dagorch-complete", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
