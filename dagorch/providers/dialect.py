"""
What a dialect is: how one family of services is asked, and how its answers are put together.

Data and pure functions, no sockets. `HttpProvider` does the rest, for all dialects alike.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, ClassVar

from dagorch.models.llm import FinishReason, LLMRequest, Thought, ToolCall
from dagorch.providers.wire import WireError, parse, text_of

__all__ = ["Call", "Dialect", "Reply"]

OnText = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of services is spoken to."""

    name: str
    """As messages call it: `OpenAI's chat completions`."""
    service: str
    """Who made it; the name of a provider that is given none."""
    path: Callable[[str], str]
    """From the model's name to the path after the service's address."""
    key_header: Callable[[str], tuple[str, str]]
    """From the key to the header that carries it."""
    request_body: Callable[[LLMRequest, str, int | None], dict[str, Any]]
    """From a request, the model's name and its known limit of output, to the JSON to send."""
    bounds: Callable[[Mapping[str, Any]], tuple[int, int | None]]
    """From a body: how many answers it asks for, and the most tokens of each, if it says."""
    reply: Callable[[OnText], Reply]
    """Makes what puts one answer together."""
    image_tokens: int
    """The most that an image counts as."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request."""
    address_end: str = ""
    """What users may write at the end of an address although the path begins with it."""


@dataclass(slots=True)
class Call:
    """A tool call that is still arriving."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    """JSON text, in as many pieces as came."""
    whole: Any = None
    """The arguments as an object, where they came so."""
    signature: str = ""

    def finished(self) -> ToolCall:
        """Give the call; one without an id gets one, as its answer must name it."""
        self.id = self.id or f"call_{token_hex(8)}"
        arguments = self.arguments or json.dumps(self.whole or {}, ensure_ascii=False)
        return ToolCall(self.id, self.name, arguments, self.signature)


class Reply(ABC):
    """
    Puts one answer together from a service's events.

    A whole answer, which a server sends that knows no streaming, counts as one event.

    Attributes:
        done: The service said that nothing more comes.
        has_answer: It began to answer, be it with nothing but an end.
        model: As the service calls it.
        id: The service's own name for the answer, if it gave one.
        has_usage: It counted the whole answer's tokens.
        input_tokens: All of the prompt, what came from a cache too.
        output_tokens: All that was written, silent reasoning too.
        finish: Why the answer ended, in the service's word; empty while it goes on.
        because: Why a filter stopped it, in words.
    """

    FINISH: ClassVar[Mapping[str, FinishReason]]
    """The service's word for an end -> dagorch's."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._texts: list[str] = []
        self.done = self.has_answer = self.has_usage = False
        self.model = self.id = self.finish = self.because = ""
        self.input_tokens = self.output_tokens = 0
        self.cached_tokens = self.cache_written_tokens = self.cache_written_1h_tokens = 0
        self.reasoning_tokens = 0
        self.calls: dict[int, Call] = {}

    def feed(self, data: str) -> Mapping[str, Any] | str | None:
        """
        Take one event's data.

        Returns:
            The error that the service reports in it, as the service wrote it; else None.

        Raises:
            WireError: The data is not a JSON object in the protocol's shape.
        """
        if data.strip() == "[DONE]":
            self.done = True
            return None
        try:
            event = parse(data)
        except (ValueError, RecursionError):
            raise WireError("an event that is not JSON", data) from None
        if not isinstance(event, dict):
            raise WireError("an event that is no JSON object", data)
        if error := self._error_in(event):
            return error if isinstance(error, dict) else str(error)
        told = len(self._texts)
        try:
            self._take(event)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise WireError("an event in another shape", data) from None
        for text in self._texts[told:]:
            self._on_text(text)
        return None

    def _error_in(self, event: Mapping[str, Any]) -> Any:
        return event.get("error")

    @abstractmethod
    def _take(self, event: dict[str, Any]) -> None:
        """Take one event; any of Python's own errors means that it has another shape."""

    def _say(self, text: Any) -> None:
        """Take a piece of the answer's text."""
        if piece := text_of(text):
            self._texts.append(piece)

    @property
    def is_whole(self) -> bool:
        """Whether the service ended the answer, rather than the connection ending under it."""
        return self.done or bool(self.finish)

    @property
    def content(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls so far, in the service's order."""
        return tuple(call.finished() for _, call in sorted(self.calls.items()))

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        """The reasoning that the service wants to see again; most want none."""
        return ()

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended, in dagorch's words."""
        meant = self.FINISH.get(self.finish, "other")
        if self.calls and (not self.finish or meant == "stop"):
            return "tool_calls"  # some servers say `stop` where they mean this, and Gemini does
        return meant
