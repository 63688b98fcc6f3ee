"""The words between a node and a model service: one request, one response; no wire format here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from dagorch.models.rates import RateLimits
from dagorch.models.usage import NOTHING_USED, Usage

__all__ = [
    "FinishReason",
    "LLMRequest",
    "LLMResponse",
    "Message",
    "Role",
    "Thought",
    "ToolCall",
    "ToolSpec",
]

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "refused", "other"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to have a tool called."""

    id: str
    name: str
    arguments: str
    """JSON text, as the model wrote it; not checked."""
    signature: str = ""
    """What the service wants back with the call, unread; Gemini's reasoning models do."""


@dataclass(frozen=True, slots=True)
class Thought:
    """
    A model's reasoning before an answer, to be sent back with it unchanged.

    Anthropic's and DeepSeek's models refuse the results of tools that they called after thinking,
    unless the thinking comes along.
    """

    text: str
    """What it thought; where `hidden`, the service's own cipher for it."""
    signature: str = ""
    """Shows the service that the text is its own."""
    hidden: bool = False
    field: str = ""
    """Of services like OpenAI's, the field of a message that it came in: `reasoning_content`."""
    service: str = ""
    """Whose it is, for no other takes it; empty is whoever is asked."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    images: tuple[str, ...] = ()
    """`https:` or `data:` URLs, shown to the model after the text."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Of an assistant: the tools it wants called."""
    tool_call_id: str = ""
    """Of a tool: the call that this answers."""
    is_error: bool = False
    """Of a tool: it failed, and the content says how."""
    thoughts: tuple[Thought, ...] = ()
    """Of an assistant: the reasoning that came with it."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema of an object."""


@dataclass(frozen=True, slots=True)
class LLMRequest:
    """Everything that one exchange with a model service sends, whatever the service."""

    messages: tuple[Message, ...]
    model: str = ""
    """Empty: the provider's own default."""
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    """The reply must be JSON that fits this schema."""
    schema_name: str = "output"
    tools: tuple[ToolSpec, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the service's own, sent as they are."""


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """What a model service answered, and what it cost."""

    content: str
    model: str
    usage: Usage = NOTHING_USED
    finish_reason: FinishReason = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    request_id: str = ""
    rate_limits: RateLimits | None = None
    """What the service said of its limits with this answer; None if nothing."""
    thoughts: tuple[Thought, ...] = ()
    """Reasoning that wants to be sent back where the conversation goes on."""

    @property
    def cached_tokens(self) -> int:
        """Of the input tokens, those that the service read from its cache."""
        return self.usage.cached_tokens

    @property
    def reasoning_tokens(self) -> int:
        """Of the output tokens, those that went into reasoning, where the service says."""
        return self.usage.reasoning_tokens

    @property
    def cost(self) -> float:
        """Dollars, as a float for people; the engine adds `usage.cost_usd`, a `Decimal`."""
        return float(self.usage.cost_usd)

    @property
    def cost_usd(self) -> Decimal:
        return self.usage.cost_usd
