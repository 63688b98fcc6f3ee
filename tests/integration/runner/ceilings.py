"""The worst case of a request, for tests that set a ceiling relative to it."""

from __future__ import annotations

from decimal import Decimal

from dagorch.models.llm import LLMRequest, Message
from dagorch.testing import ScriptedProvider

__all__ = ["worst_case"]


def worst_case(
    provider: ScriptedProvider, reply: int = 3, *, prompt: str = "Hi", model: str = ""
) -> Decimal:
    """Return the worst-case cost in dollars of a prompt with `reply` tokens of reply."""
    request = LLMRequest((Message("user", prompt),), model, reply)
    found = provider.worst_case_usd(request)
    assert found, f"{provider.name!r} has no price for {request}"
    return found
