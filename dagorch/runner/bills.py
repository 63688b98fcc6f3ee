"""
What a provider call may use up, and what it used.

Pure functions: an upper bound before the call, the usage to bill after it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from dagorch.errors import (
    AuthenticationError,
    BadRequestError,
    DefinitionError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    RateLimitedError,
)
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import Amount, Usage
from dagorch.ports import Provider, ReportsCosts, TokenBounded
from dagorch.scheduler.budget import LEAST_COST
from dagorch.scheduler.records import Prepared

__all__ = [
    "MIN_REPLY_TOKENS", "failure_usage", "reports_costs", "shorter_limits", "with_output_limit",
    "with_usage", "worst_case", "worst_case_usage",
]  # fmt: skip

MIN_REPLY_TOKENS: Final = 256
"""The shortest limit of a reply that sets none; a call without money for that is refused."""
_FREE: Final = Usage(calls=1)
_REFUSALS: Final = (
    AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError, RateLimitedError
)  # fmt: skip
"""Errors that are a refusal by their kind, with or without a status."""


def with_output_limit(provider: Provider, request: LLMRequest) -> LLMRequest:
    """Set `max_tokens` to the model's own limit, unless the request sets it."""
    if request.max_tokens is not None or not isinstance(provider, TokenBounded):
        return request
    return replace(request, max_tokens=provider.max_output_tokens(request.model))


def shorter_limits(limit: int | None) -> list[int]:
    """
    Return the limits that a reply may get as its share of a budget, from long to short.

    They double from `MIN_REPLY_TOKENS` on, below the model's own limit.

    Example:
        >>> shorter_limits(3000)
        [2048, 1024, 512, 256]
    """
    limits: list[int] = []
    shorter = MIN_REPLY_TOKENS
    while limit is not None and shorter < limit:
        limits.insert(0, shorter)
        shorter *= 2
    return limits


def worst_case(provider: Provider, request: LLMRequest, *, money: bool, tokens: bool) -> Amount:
    """
    Compute the amount to reserve for a request.

    Args:
        provider: The provider that will answer.
        request: The request, after `with_output_limit`.
        money: Whether the run has a ceiling on cost.
        tokens: Whether the run has a ceiling on tokens.

    Raises:
        DefinitionError: The price or the size of the response is unknown.
    """
    model = request.model or provider.default_model
    cost, total_tokens = Decimal(0), 0
    if money:
        known_cost = provider.worst_case_usd(request)
        if known_cost is None and reports_costs(provider):
            known_cost = LEAST_COST
        if known_cost is None:
            raise DefinitionError(
                f"the price of {model!r} of {provider.name} is not known, so max_cost cannot "
                "be enforced; set its price, set max_tokens, or run without max_cost"
            )
        cost = known_cost
    if tokens:
        input_tokens, output_tokens = _token_bounds(provider, request)
        if output_tokens is None:
            raise DefinitionError(
                f"the responses of {model!r} of {provider.name} have no size limit, so the run's "
                "max_tokens cannot be enforced; set max_tokens on the node or the call, or run "
                "without the run's max_tokens"
            )
        total_tokens = input_tokens + output_tokens
    return Amount(cost, total_tokens)


def reports_costs(provider: Provider) -> bool:
    """Return whether the cost of each call is known, but only when it has ended."""
    return isinstance(provider, ReportsCosts) and provider.reports_costs


def _token_bounds(provider: Provider, request: LLMRequest) -> tuple[int, int | None]:
    return provider.bounds(request) if isinstance(provider, TokenBounded) else (0, None)


def worst_case_usage(prepared: Prepared, received_text: str = "") -> Usage:
    """
    Estimate the usage of a call whose usage never arrived: its worst case.

    Args:
        prepared: The exchange, as sent.
        received_text: The part of the response that arrived. It counts if the output is unbounded.
    """
    provider, request = prepared.provider, prepared.request
    input_tokens, output_tokens = _token_bounds(provider, request)
    return Usage(
        input_tokens,
        len(received_text.encode()) if output_tokens is None else output_tokens,
        provider.worst_case_usd(request) or Decimal(0),
        estimated=True,
        calls=1,
    )


def with_usage(prepared: Prepared, response: LLMResponse) -> LLMResponse:
    """Return the response with its usage: the service's count, or else the worst case."""
    usage = response.usage
    is_missing = usage.estimated and not usage.total_tokens and not usage.cost_usd
    if is_missing or _exceeds_reservation(prepared, usage):
        usage = worst_case_usage(prepared, response.content)
    elif usage.calls != 1:
        usage = replace(usage, calls=1)
    return response if usage is response.usage else replace(response, usage=usage)


def _exceeds_reservation(prepared: Prepared, usage: Usage) -> bool:
    """Return whether a service counts more than it can have used, by what is reserved for it."""
    worst = prepared.worst
    costs_more = 0 < worst.cost_usd < usage.cost_usd and not reports_costs(prepared.provider)
    return costs_more or 0 < worst.tokens < usage.total_tokens


def failure_usage(prepared: Prepared, error: Exception) -> Usage:
    """
    Compute the usage of a failed call.

    A refusal is free, and so is a request that was never sent. A response that broke off costs
    what the service counted, or else the worst case.
    """
    if not isinstance(error, ProviderError):
        return _FREE
    if isinstance(error.usage, Usage) and not _exceeds_reservation(prepared, error.usage):
        return replace(error.usage, calls=1)
    if error.status is None:
        refused = isinstance(error, _REFUSALS)
    else:
        refused = error.status >= 400
    if not error.answer_begun and (refused or not error.sent):
        return _FREE
    return worst_case_usage(prepared)
