"""
What a provider call may use up, and what it used.

Pure functions: an upper bound before the call, the usage to bill after it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from dagorch.errors import (
    AuthenticationError,
    BadRequestError,
    DefinitionError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    RateLimitedError,
)
from dagorch.http.foreign import bounded_number, token_count
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import Amount, Usage
from dagorch.models.user_objects import short_repr
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
        amount = bounded_number(known_cost)
        if amount is None:
            raise DefinitionError(
                f"{provider.name}: worst_case_usd() returned {short_repr(known_cost, 80)}; return "
                "dollars, a Decimal of at least 0, or None"
            )
        cost = amount
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
    if not isinstance(provider, TokenBounded):
        return 0, None
    bounds = provider.bounds(request)
    try:
        input_tokens, output_tokens = bounds
        return token_count(input_tokens), None if output_tokens is None else token_count(
            output_tokens
        )
    except (TypeError, ValueError):
        raise DefinitionError(
            f"{provider.name}: bounds() returned {short_repr(bounds, 80)}; return two numbers of "
            "tokens, the second None if it has no bound"
        ) from None


def worst_case_usage(prepared: Prepared, received_text: str = "") -> Usage:
    """
    Estimate the usage of a call whose usage never arrived: its worst case.

    Args:
        prepared: The exchange, as sent.
        received_text: The part of the response that arrived. It counts if the output is unbounded.
    """
    provider, request, worst = prepared.provider, prepared.request, prepared.worst
    try:
        input_tokens, output_tokens = _token_bounds(provider, request)
        cost = bounded_number(provider.worst_case_usd(request)) or Decimal(0)
    except Exception:  # of a user's provider; its call must be billed even so
        return Usage(worst.tokens, 0, worst.cost_usd, estimated=True, calls=1)
    return Usage(
        input_tokens,
        len(received_text.encode()) if output_tokens is None else output_tokens,
        cost,
        estimated=True,
        calls=1,
    )


def with_usage(prepared: Prepared, response: LLMResponse) -> LLMResponse:
    """
    Return the response with its usage: the service's count, or else the worst case.

    Raises:
        MalformedReplyError: It is not a response, or its cost cannot be true and no worst case is
            known.
    """
    if not isinstance(response, LLMResponse) or not isinstance(response.content, str):
        wrong = getattr(response, "content", response)
        raise _unusable(
            prepared, f"exchange() returned {short_repr(wrong, 80)}; return an LLMResponse of text"
        )
    usage = _credible(prepared, response.usage)
    if usage is None and prepared.worst.cost_usd == LEAST_COST:
        raise _unusable(
            prepared,
            "exchange() reported no cost that can be true, so max_cost cannot be kept; report "
            "it in dollars, give the provider a worst_case_usd(request), or run without max_cost",
        )
    if usage is None or (usage.estimated and not usage.total_tokens and not usage.cost_usd):
        usage = worst_case_usage(prepared, response.content)
    return replace(response, usage=usage)


def _unusable(prepared: Prepared, problem: str) -> MalformedReplyError:
    """Return the error of a provider that breaks its port; another try would not help."""
    service, model = prepared.source
    error = MalformedReplyError(
        f"{prepared.provider.name}: {problem}", service=service, model=model, answer_begun=True
    )
    error.retryable = False
    return error


def _credible(prepared: Prepared, usage: Any) -> Usage | None:
    """Return what a provider counted for one call; None if it cannot be true."""
    if not isinstance(usage, Usage):
        return None
    cost = bounded_number(usage.cost_usd)
    try:
        sent, received, cached, reasoning = (
            token_count(count)
            for count in (
                usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens
            )
        )  # fmt: skip
    except (TypeError, ValueError):
        return None
    if cost is None or _exceeds_reservation(prepared, cost, sent + received):
        return None
    return Usage(sent, received, cost, bool(usage.estimated), 1, cached, reasoning)


def _exceeds_reservation(prepared: Prepared, cost: Decimal, tokens: int) -> bool:
    """Return whether a service counts more than it can have used, by what is reserved for it."""
    worst = prepared.worst
    costs_more = 0 < worst.cost_usd < cost and not reports_costs(prepared.provider)
    return costs_more or 0 < worst.tokens < tokens


def failure_usage(prepared: Prepared, error: Exception) -> Usage:
    """
    Compute the usage of a failed call.

    A refusal is free, and so is a request that was never sent. A response that broke off costs
    what the service counted, or else the worst case.
    """
    if not isinstance(error, ProviderError):
        return _FREE
    usage = _credible(prepared, error.usage)
    if usage is not None:
        return usage
    status = error.status
    if isinstance(status, int):
        refused = status >= 400
    else:
        refused = isinstance(error, _REFUSALS)
    if not error.answer_begun and (refused or not error.sent):
        return _FREE
    return worst_case_usage(prepared)
