"""What a user says of a service's limits, and what one exchange asks of them; plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dagorch.errors import DefinitionError
from dagorch.models.llm import LLMRequest

__all__ = ["NO_DEMAND", "NO_LIMITS", "TOKEN_KINDS", "Demand", "Limits"]

TOKEN_KINDS: Final = ("tokens", "input_tokens", "output_tokens")
"""What services limit beside requests, as `Limits` and `RateLimits` call it."""
_IMAGE_BYTES: Final = 50_000
"""What an image may count as where nothing better is known; see `OpenAIProvider`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a service permits: so many requests and so many tokens in any window, so many at once.

    The engine keeps to them over all runs of an event loop. A service that counts in fixed
    windows, in sliding ones or with a token bucket of the same rate has then nothing to refuse.

    Example:
        >>> small = Limits(requests=500, tokens=200_000)
        >>> account = Limits(requests=1_000, models={"gpt-4o-mini": small})
        >>> account.of("gpt-4o-mini") is small, account.of("gpt-4o") is None
        (True, True)

    Raises:
        DefinitionError: A number is out of range, or a model's limits have models of their own.
    """

    requests: int | None = None
    """Requests in any window; None is no limit."""
    tokens: int | None = None
    """Tokens in any window, of input and output together; None is no limit."""
    input_tokens: int | None = None
    """Of input alone, beside `tokens` or in its place; None is no limit."""
    output_tokens: int | None = None
    """The same of output."""
    window_seconds: float = 60.0
    """How long a window is."""
    concurrency: int | None = None
    """Exchanges under way at once; None is no limit."""
    models: Mapping[str, Limits] = field(default_factory=dict, hash=False)
    """Limits of single models, kept beside these."""

    def __post_init__(self) -> None:
        for name in ("requests", *TOKEN_KINDS, "concurrency"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise DefinitionError(
                    f"{name}={value!r} must be a whole number of at least 1, or None for no limit"
                )
        if not (self.window_seconds > 0 and math.isfinite(self.window_seconds)):
            raise DefinitionError(
                f"window_seconds={self.window_seconds!r} is not a number of seconds above 0"
            )
        for model, limits in self.models.items():
            if limits.models:
                raise DefinitionError(
                    f"the limits of model {model!r} have limits of models in them; give them beside"
                )

    def of(self, model: str) -> Limits | None:
        """The limits of one model, or None if it has none of its own."""
        return self.models.get(model)


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Demand:
    """
    What one exchange asks of a service's tokens, as far as is known before it is sent.

    A service charges the prompt and as much output as the request allows when it admits. How
    many tokens it makes of the prompt nobody knows but the service; a token is at least a byte.

    Example:
        >>> Demand.of(LLMRequest((), max_tokens=100))
        Demand(prompt_bytes=0, output_tokens=100, patience_seconds=inf)
    """

    prompt_bytes: int = 0
    """Of all text that is sent: messages, tools, schema; images at a bound."""
    output_tokens: int = 0
    """The request's `max_tokens`; 0 where it sets none, since services then charge what comes."""
    patience_seconds: float = math.inf
    """How long a pause that the service asks for is waited for; past a longer one the call goes
    out, and fails with what the service says."""

    @classmethod
    def of(cls, request: LLMRequest) -> Demand:
        """Count what any service would be sent of a request."""
        size = images = 0
        for message in request.messages:
            size += len(message.content.encode())
            images += len(message.images)
            size += sum(len(thought.text.encode()) for thought in message.thoughts)
            for call in message.tool_calls:
                size += len(call.name.encode()) + len(call.arguments.encode())
        for tool in request.tools:
            text = f"{tool.name}{tool.description}{json.dumps(tool.parameters)}"
            size += len(text.encode())
        if request.json_schema is not None:
            size += len(json.dumps(request.json_schema).encode())
        return cls(size + images * _IMAGE_BYTES, request.max_tokens or 0)


NO_DEMAND: Final = Demand()
