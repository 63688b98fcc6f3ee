"""What an exchange may use up, and what it did: bounds before, a bill after. Nothing is decided."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from dagorch.errors import DefinitionError, ProviderError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import Amount, Usage
from dagorch.ports import Provider, TokenBounded

__all__ = ["assumed", "billed", "capped", "of_failure", "worst_case"]

_FREE: Final = Usage(calls=1)


def capped(provider: Provider, request: LLMRequest) -> LLMRequest:
    """Give the request with a bound on its answer, the model's own if it has none."""
    if request.max_tokens is not None or not isinstance(provider, TokenBounded):
        return request
    return replace(request, max_tokens=provider.max_output_tokens(request.model))


def worst_case(provider: Provider, request: LLMRequest, *, money: bool, tokens: bool) -> Amount:
    """
    Give what to set aside for a request.

    Args:
        provider: Answers it.
        request: With a bound on its answer, if there is one; see `capped`.
        money: Whether there is a ceiling on cost.
        tokens: Whether there is one on tokens.

    Raises:
        DefinitionError: The price, or the size of the answer, is not known.
    """
    model = request.model or provider.default_model
    cost, most = Decimal(0), 0
    if money:
        known = provider.worst_case_usd(request)
        if known is None:
            raise DefinitionError(
                f"the price of {model!r} of {provider.name} is not known, so max_cost cannot "
                "be kept; set its price, set max_tokens, or run without max_cost"
            )
        cost = known
    if tokens:
        sent, written = _bounds(provider, request)
        if written is None:
            raise DefinitionError(
                f"nothing bounds the answers of {model!r} of {provider.name}, so the run's "
                "max_tokens cannot be kept; set max_tokens of what asks it, or run without"
            )
        most = sent + written
    return Amount(cost, most)


def _bounds(provider: Provider, request: LLMRequest) -> tuple[int, int | None]:
    return provider.bounds(request) if isinstance(provider, TokenBounded) else (0, None)


def assumed(provider: Provider, request: LLMRequest, written: str = "") -> Usage:
    """
    Give the bill of an exchange whose usage never arrived: its worst case.

    Args:
        provider: Answered it, or was about to.
        request: As it was sent.
        written: What came of the answer, where nothing else bounds it.
    """
    sent, most = _bounds(provider, request)
    return Usage(
        sent,
        len(written.encode()) if most is None else most,
        provider.worst_case_usd(request) or Decimal(0),
        estimated=True,
        calls=1,
    )


def billed(provider: Provider, request: LLMRequest, response: LLMResponse) -> LLMResponse:
    """Give an answer with its bill: what the service counted, else the worst case."""
    usage = response.usage
    if usage.estimated and not usage.total_tokens and not usage.cost_usd:
        usage = assumed(provider, request, response.content)
    elif usage.calls != 1:
        usage = replace(usage, calls=1)
    return response if usage is response.usage else replace(response, usage=usage)


def of_failure(provider: Provider, request: LLMRequest, error: Exception) -> Usage:
    """
    Give the bill of a failure.

    A refusal with a status costs nothing, and neither does what never reached the service; an
    answer that broke off costs what the service counted, else its worst case.
    """
    if not isinstance(error, ProviderError):
        return _FREE
    if isinstance(error.usage, Usage):
        return replace(error.usage, calls=1)
    if not error.answer_begun and ((error.status or 0) >= 400 or not error.sent):
        return _FREE
    return assumed(provider, request)
