"""The rate limits of a service as the user states them, and the demand of one exchange."""

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
"""The token limits of services: field names of `Limits` and `RateLimits`."""
_IMAGE_BYTES: Final = 50_000
"""The assumed size of an image if nothing better is known; see `OpenAIProvider`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The rate limits of a service: requests and tokens in any window, and concurrent exchanges.

    The engine enforces them across all runs of the process. Traffic within these limits also
    satisfies a service that counts in fixed windows, sliding windows or a token bucket.

    Example:
        >>> small = Limits(requests=500, tokens=200_000)
        >>> account = Limits(requests=1_000, models={"gpt-4o-mini": small})
        >>> account.of("gpt-4o-mini") is small, account.of("gpt-4o") is None
        (True, True)

    Raises:
        DefinitionError: A number is out of range, or the limits of a model contain `models`.
    """

    requests: int | None = None
    """Requests in any window; None is no limit."""
    tokens: int | None = None
    """Input and output tokens together in any window; None is no limit."""
    input_tokens: int | None = None
    """Input tokens in any window, with or without `tokens`; None is no limit."""
    output_tokens: int | None = None
    """Output tokens in any window; None is no limit."""
    window_seconds: float = 60.0
    """The length of a window."""
    concurrency: int | None = None
    """Concurrent exchanges; None is no limit."""
    models: Mapping[str, Limits] = field(default_factory=dict, hash=False)
    """Additional limits of single models."""

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
                    f"the limits of model {model!r} contain models={{...}}; "
                    "list every model in the models= of the service"
                )

    def of(self, model: str) -> Limits | None:
        """Return the limits of one model, or None if it has none of its own."""
        return self.models.get(model)


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Demand:
    """
    What one exchange counts against token limits, as far as it is known before sending.

    A service charges the prompt and the output that the request allows when it admits a request.
    Only the service knows how many tokens a prompt has; a token is at least one byte.

    Example:
        >>> Demand.of(LLMRequest((), max_tokens=100))
        Demand(prompt_bytes=0, output_tokens=100, patience_seconds=inf)
    """

    prompt_bytes: int = 0
    """The bytes of all text in the request: messages, tools, schema; an upper bound for images."""
    output_tokens: int = 0
    """`max_tokens` of the request; 0 if unset, because services then charge the actual output."""
    patience_seconds: float = math.inf
    """
    The longest pause that the call waits for if the service asks for one.

    With a longer pause the call is sent at once, and fails with the error of the service.
    """

    @classmethod
    def of(cls, request: LLMRequest) -> Demand:
        """Measure a request."""
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
