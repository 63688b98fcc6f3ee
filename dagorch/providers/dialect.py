"""
What a dialect is: the protocol of one family of services, as data and pure functions.

`HttpProvider` does the I/O, for all dialects alike.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, ClassVar

from dagorch.http.foreign import parse_json
from dagorch.models.llm import FinishReason, LLMRequest, Thought, ToolCall
from dagorch.providers.wire import WireError, as_text

__all__ = ["Dialect", "PartialToolCall", "ReplyParser"]

OnText = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The protocol of one family of services."""

    name: str
    """For messages: `OpenAI's chat completions`."""
    service: str
    """The service that invented it; the default name of a provider."""
    path: Callable[[str], str]
    """Model name -> path after the base URL."""
    key_header: Callable[[str], tuple[str, str]]
    """Key -> name and value of the header that carries it."""
    request_body: Callable[[LLMRequest, str, int | None], dict[str, Any]]
    """Request, model name, the model's known output limit -> JSON body."""
    bounds: Callable[[Mapping[str, Any]], tuple[int, int | None]]
    """JSON body -> number of answers it asks for, and the token limit of each, if it has one."""
    reply_parser: Callable[[OnText], ReplyParser]
    """Creates the parser of one reply."""
    max_image_tokens: int
    """The most tokens that one image counts as."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request."""
    base_url_suffix: str = ""
    """Removed from the end of a base URL, because `path` begins with it."""


@dataclass(slots=True)
class PartialToolCall:
    """A tool call that is still arriving."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    """JSON text received so far."""
    arguments_object: Any = None
    """The arguments, if the service sends them as an object."""
    signature: str = ""

    def to_tool_call(self) -> ToolCall:
        """Return the finished call. A missing id is generated once: the tool's result needs it."""
        self.id = self.id or f"call_{token_hex(8)}"
        arguments = self.arguments or json.dumps(self.arguments_object or {}, ensure_ascii=False)
        return ToolCall(self.id, self.name, arguments, self.signature)


class ReplyParser(ABC):
    """
    Builds one answer from a service's events.

    The reply of a server that does not stream counts as one event.

    Attributes:
        done: The service sent its last event.
        has_answer: The service began an answer, even an empty one.
        model: The service's name for the model.
        id: The service's id of the answer, or empty.
        has_usage: The token counts cover the complete answer, and are numbers of tokens.
        input_tokens: The complete prompt, cached tokens included.
        output_tokens: All generated tokens, hidden reasoning included.
        finish: The service's finish reason; empty until there is one.
        finish_details: The service's explanation of it.
    """

    FINISH_REASONS: ClassVar[Mapping[str, FinishReason]]
    """The service's finish reason -> dagorch's."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._texts: list[str] = []
        self.done = self.has_answer = self.has_usage = False
        self.model = self.id = self.finish = self.finish_details = ""
        self.input_tokens = self.output_tokens = 0
        self.cached_tokens = self.cache_written_tokens = self.cache_written_1h_tokens = 0
        self.reasoning_tokens = 0
        self.calls: dict[int, PartialToolCall] = {}

    def feed(self, data: str) -> Mapping[str, Any] | str | None:
        """
        Parse the data of one event.

        Returns:
            The error that the event reports, as the service wrote it; else None.

        Raises:
            WireError: The data is not a JSON object of the protocol.
        """
        if data.strip() == "[DONE]":
            self.done = True
            return None
        try:
            event = parse_json(data)
        except (ValueError, RecursionError):
            raise WireError("an event that is not JSON", data) from None
        if not isinstance(event, dict):
            raise WireError("an event that is not a JSON object", data)
        if error := self._find_error(event):
            return error if isinstance(error, dict) else str(error)
        reported = len(self._texts)
        try:
            self._parse_event(event)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise WireError("an event of unexpected shape", data) from None
        for text in self._texts[reported:]:
            self._on_text(text)
        return None

    def _find_error(self, event: Mapping[str, Any]) -> Any:
        return event.get("error")

    @abstractmethod
    def _parse_event(self, event: dict[str, Any]) -> None:
        """Parse one event; an exception of Python's own means that its shape is unexpected."""

    def _read_usage(self, usage: Any) -> None:
        """Store the counts so far. An answer is not lost because its counts make no sense."""
        try:
            self._parse_usage(usage)
            self.has_usage = True
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            self.has_usage = False

    @abstractmethod
    def _parse_usage(self, usage: Any) -> None:
        """Store counts; an exception of Python's own means that one of them cannot be true."""

    def _add_text(self, text: Any) -> None:
        if piece := as_text(text):
            self._texts.append(piece)

    @property
    def is_complete(self) -> bool:
        """Whether the service ended the answer; False if only the connection ended."""
        return self.done or bool(self.finish)

    @property
    def content(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls so far, in the service's order."""
        return tuple(call.to_tool_call() for _, call in sorted(self.calls.items()))

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        """The reasoning that the service wants back in later requests."""
        return ()

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended."""
        reason = self.FINISH_REASONS.get(self.finish, "other")
        if self.calls and (not self.finish or reason == "stop"):
            return "tool_calls"  # Gemini and some other servers report `stop` for tool calls
        return reason
