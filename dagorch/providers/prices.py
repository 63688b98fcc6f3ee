"""
Model prices in dollars: the user's own prices first, then those of genai-prices.

Counts no tokens and downloads nothing, because the price list ships with genai-prices. That is
imported when first needed, as it takes 0.3 s.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

from dagorch.errors import DefinitionError

__all__ = [
    "MODEL_ALIASES",
    "MaxRates",
    "Price",
    "PriceTable",
    "known_output_limit",
    "priced_models",
]

Price = tuple[float | Decimal | str, float | Decimal | str]
"""Dollars per million tokens: of input, of output."""

MODEL_ALIASES: Mapping[str, str] = {
    "claude-3": "claude-3-opus-latest",
    "claude-3.5": "claude-3-5-sonnet-latest",
    "claude-3.7": "claude-3-7-sonnet-latest",
    "claude-4": "claude-sonnet-4-0",
    "claude-4.5": "claude-sonnet-4-5",
    "groq-llama": "llama-3.3-70b-versatile",
}
"""Common name of a model -> the service's name."""

_OUTPUT_LIMITS: Mapping[str, int] = {
    "claude-3-5": 8_192,
    "claude-3-7": 64_000,
    "claude-3": 4_096,
    "claude-haiku-4-5": 64_000,
    "claude-opus-4-0": 32_000,
    "claude-opus-4-1": 32_000,
    "claude-opus-4-2": 32_000,
    "claude-opus-4-5": 64_000,
    "claude-sonnet-4": 64_000,
    "gemini-2.0": 8_192,
    "gemini-2.5": 65_536,
    "gemini-3": 65_536,
    "gpt-3.5": 4_096,
    "gpt-4-turbo": 4_096,
    "gpt-4.1": 32_768,
    "gpt-4o": 16_384,
    "gpt-5": 128_000,
    "llama-3.1-8b-instant": 131_072,
    "llama-3.3-70b-versatile": 32_768,
}
"""
The most tokens that a model generates, by the longest matching prefix of its name.

From the services' own pages. genai-prices knows context windows only; reserving those would
set aside dollars for an answer that costs cents.
"""

_INPUT_RATES = ("input_mtok", "cache_write_mtok", "cache_write_1h_mtok", "input_image_mtok")
_OUTPUT_RATES = ("output_mtok", "output_reasoning_mtok", "output_citation_mtok")
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class MaxRates:
    """The highest rates of a model, over tiers, kinds of token and hours of the day."""

    input_usd: Decimal
    """Per token."""
    output_usd: Decimal
    """Per token."""
    request_usd: Decimal = Decimal(0)
    """Per request; some search services charge it."""


@dataclass(frozen=True, slots=True)
class _FlatRates:
    """Dollars per request, and per token of each kind."""

    request_usd: Decimal
    input_usd: Decimal
    output_usd: Decimal
    cached_usd: Decimal
    cache_written_usd: Decimal
    cache_written_1h_usd: Decimal


class PriceTable:
    """
    Prices of one service's models.

    Args:
        service: The service's name in genai-prices (`x-ai`); empty searches all services.
        prices: The user's own, `{model: (input, output)}` in dollars per million tokens.
        free: Models cost nothing, as on the user's own machine.
    """

    def __init__(
        self, service: str = "", prices: Mapping[str, Price] | None = None, *, free: bool = False
    ) -> None:
        self._service = service
        self._free = free
        self._own = {model: _parse_price(model, pair) for model, pair in (prices or {}).items()}

    def cost_usd(
        self,
        model: str,
        input_tokens: int,
        output_tokens: int,
        cached_tokens: int = 0,
        *,
        cache_written_tokens: int = 0,
        cache_written_1h_tokens: int = 0,
    ) -> Decimal | None:
        """
        Return the cost of an exchange, or None if the model's price is unknown.

        Args:
            model: As requested, or as the service calls it.
            input_tokens: All input, cached tokens included.
            output_tokens: All output, hidden reasoning included.
            cached_tokens: Input read from the service's cache; often cheaper.
            cache_written_tokens: Input written to the cache; sometimes dearer.
            cache_written_1h_tokens: Those of the written tokens that are kept for an hour.
        """
        if model in self._own:
            per_input, per_output = self._own[model]
            return (input_tokens * per_input + output_tokens * per_output) / _MILLION
        if self._free:
            return Decimal(0)
        cached = min(cached_tokens, input_tokens)
        written = min(cache_written_tokens, input_tokens - cached)
        written_1h = min(cache_written_1h_tokens, written)
        if rates := _flat_rates(self._service, model, _today()):
            return (
                rates.request_usd
                + rates.input_usd * (input_tokens - cached - written)
                + rates.output_usd * output_tokens
                + rates.cached_usd * cached
                + rates.cache_written_usd * (written - written_1h)
                + rates.cache_written_1h_usd * written_1h
            )
        priced = _calculate(
            self._service,
            model,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cached,
            cache_write_tokens=written,
            cache_write_1h_tokens=written_1h,
        )
        return None if priced is None else priced.total_price

    def max_rates(self, model: str) -> MaxRates | None:
        """Return rates that no token of `model` exceeds, or None if they are unknown."""
        if model in self._own:
            per_input, per_output = self._own[model]
            return MaxRates(per_input / _MILLION, per_output / _MILLION)
        if self._free:
            return MaxRates(Decimal(0), Decimal(0))
        return _max_rates(self._service, model, _today())

    def output_limit(self, model: str) -> int | None:
        """Return an upper bound on the tokens of one answer, or None if it is unknown."""
        if known := known_output_limit(model):
            return known
        priced = None if self._free else _calculate(self._service, model)
        return None if priced is None else priced.model.context_window


def known_output_limit(model: str) -> int | None:
    """
    Return the output limit that the model's service documents, or None.

    Unlike `PriceTable.output_limit` it is exact: the service accepts it as `max_tokens`.

    Example:
        >>> known_output_limit("claude-3.5"), known_output_limit("house-blend")
        (8192, None)
    """
    name = MODEL_ALIASES.get(model, model).rpartition("/")[2]
    prefixes = [prefix for prefix in _OUTPUT_LIMITS if name.startswith(prefix)]
    return _OUTPUT_LIMITS[max(prefixes, key=len)] if prefixes else None


def priced_models(services: Collection[str]) -> list[str]:
    """Return the names of all models with known prices of these services of genai-prices."""
    from genai_prices.data import providers

    return [model.id for found in providers if found.id in services for model in found.models]


def _parse_price(model: str, pair: Any) -> tuple[Decimal, Decimal]:
    try:
        per_input, per_output = (Decimal(str(rate)) for rate in pair)
        valid = all(rate.is_finite() and rate >= 0 for rate in (per_input, per_output))
    except (ArithmeticError, TypeError, ValueError):
        valid = False
    if not valid:
        raise DefinitionError(
            f"the price of {model!r} is {pair!r}; "
            "pass (input, output) in dollars per million tokens"
        )
    return per_input, per_output


def _calculate(service: str, model: str, **tokens: int) -> PriceCalculation | None:
    """Ask genai-prices for a price; without token counts, for one input and one output token."""
    from genai_prices import Usage, calc_price

    counts = {name: count for name, count in tokens.items() if count or "write" not in name}
    try:
        return calc_price(
            Usage(**(counts or {"input_tokens": 1, "output_tokens": 1})),
            MODEL_ALIASES.get(model, model),
            provider_id=service or None,
        )
    except LookupError:
        return None


@lru_cache(maxsize=256)
def _flat_rates(service: str, model: str, _day: int) -> _FlatRates | None:
    """
    Return rates that do not depend on hour, date or length; None if the model has no such rates.

    Cached because genai-prices takes as long for one price as a tenth of a call.
    """
    from genai_prices.types import ModelPrice

    priced = _calculate(service, model)
    if priced is None or not isinstance(priced.model.prices, ModelPrice):
        return None
    rates = [rate for rate in vars(priced.model_price).values() if rate is not None]
    if not all(isinstance(rate, Decimal) for rate in rates):
        return None

    def total(**tokens: int) -> Decimal:
        priced = _calculate(service, model, **tokens)
        assert priced is not None
        return priced.total_price

    request = 2 * total(input_tokens=1) - total(input_tokens=2)
    written = {"input_tokens": 1, "cache_write_tokens": 1}
    return _FlatRates(
        request,
        total(input_tokens=1) - request,
        total(output_tokens=1) - request,
        total(input_tokens=1, cache_read_tokens=1) - request,
        total(**written) - request,
        total(**written, cache_write_1h_tokens=1) - request,
    )


def _today() -> int:
    return datetime.now(UTC).date().toordinal()


@lru_cache(maxsize=256)
def _max_rates(service: str, model: str, day: int) -> MaxRates | None:
    """Look at each hour of `day` and the next, because some services are cheaper at night."""
    priced = _calculate(service, model)
    if priced is None:
        return None
    start = datetime.fromordinal(day).replace(tzinfo=UTC)
    hours = [priced.model.get_prices(start + timedelta(hours=hour)) for hour in range(48)]

    def highest(names: tuple[str, ...]) -> Decimal:
        return max(_highest_tier(getattr(price, name, None)) for price in hours for name in names)

    return MaxRates(
        highest(_INPUT_RATES) / _MILLION,
        highest(_OUTPUT_RATES) / _MILLION,
        highest(("requests_kcount",)) / 1_000,
    )


def _highest_tier(rate: Any) -> Decimal:
    if rate is None:
        return Decimal(0)
    if isinstance(rate, Decimal):
        return rate
    return Decimal(max(rate.base, *(tier.price for tier in rate.tiers)))
