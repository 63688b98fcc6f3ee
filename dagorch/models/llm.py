"""Requests and responses between a node and a model service, independent of any wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from dagorch.models.rates import RateLimits
from dagorch.models.several import several
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.models.well_formed import well_formed

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
    """A model's request to call a tool."""

    id: str
    name: str
    arguments: str
    """JSON text as the model wrote it, not validated."""
    signature: str = ""
    """An opaque value to send back with the call; Gemini's reasoning models require it."""

    def __post_init__(self) -> None:
        if isinstance(self.arguments, str):
            object.__setattr__(self, "arguments", well_formed(self.arguments))


@dataclass(frozen=True, slots=True)
class Thought:
    """
    A model's reasoning before an answer, to be sent back unchanged.

    Anthropic's and DeepSeek's models reject tool results without the reasoning that preceded the
    tool call.
    """

    text: str
    """The reasoning; encrypted by the service if `hidden`."""
    signature: str = ""
    """Proves to the service that the text is its own."""
    hidden: bool = False
    field: str = ""
    """The message field that it came in, for OpenAI-compatible services: `reasoning_content`."""
    service: str = ""
    """The service that wrote it, the only one that accepts it; empty matches any service."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    images: tuple[str, ...] = ()
    """`https:` or `data:` URLs; the model sees them after the text."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Of an assistant: the tools to call."""
    tool_call_id: str = ""
    """Of a tool: the id of the call that this is the result of."""
    is_error: bool = False
    """Of a tool: the call failed, and the content is the error."""
    thoughts: tuple[Thought, ...] = ()
    """Of an assistant: the reasoning behind the message."""

    def __post_init__(self) -> None:
        if isinstance(self.content, str):
            object.__setattr__(self, "content", well_formed(self.content))
        if type(self.images) is not tuple:
            object.__setattr__(self, "images", several(self.images, "images of a message"))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """The description of a tool for a model."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """A JSON Schema of type object."""


@dataclass(frozen=True, slots=True)
class LLMRequest:
    """The content of one request to a model service, the same for every service."""

    messages: tuple[Message, ...]
    model: str = ""
    """Empty: the provider's own default."""
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    """The reply must be JSON that matches this schema."""
    schema_name: str = "output"
    tools: tuple[ToolSpec, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Additional fields of the service, sent unchanged."""


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """The response of a model service, with its usage."""

    content: str
    model: str
    usage: Usage = NOTHING_USED
    finish_reason: FinishReason = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    request_id: str = ""
    rate_limits: RateLimits | None = None
    """The rate limits in this response; None if it has none."""
    thoughts: tuple[Thought, ...] = ()
    """Reasoning to send back if the conversation continues."""

    def __post_init__(self) -> None:
        if isinstance(self.content, str):  # not that of a mock
            object.__setattr__(self, "content", well_formed(self.content))

    @property
    def cached_tokens(self) -> int:
        """The input tokens that the service read from its cache."""
        return self.usage.cached_tokens

    @property
    def reasoning_tokens(self) -> int:
        """The output tokens spent on reasoning, if the service reports them."""
        return self.usage.reasoning_tokens

    @property
    def cost(self) -> float:
        """Dollars as a float, for people; the engine sums `usage.cost_usd`, a `Decimal`."""
        return float(self.usage.cost_usd)

    @property
    def cost_usd(self) -> Decimal:
        return self.usage.cost_usd
