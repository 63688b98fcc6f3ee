"""
What models cost, in dollars: the user's own prices first, then the list inside genai-prices.

No tokens are counted here and nothing is fetched: the list ships with its package. It is
imported at the first question, since that takes 0.3 s.
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

__all__ = ["LOOSE_NAMES", "Price", "PriceTable", "Rates", "known_output_limit", "priced_models"]

Price = tuple[float | Decimal | str, float | Decimal | str]
"""Dollars per million tokens: of input, of output."""

LOOSE_NAMES: Mapping[str, str] = {
    "claude-3": "claude-3-opus-latest",
    "claude-3.5": "claude-3-5-sonnet-latest",
    "claude-3.7": "claude-3-7-sonnet-latest",
    "claude-4": "claude-sonnet-4-0",
    "claude-4.5": "claude-sonnet-4-5",
    "groq-llama": "llama-3.3-70b-versatile",
}
"""What people call a model -> what its service calls it."""

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
Tokens that a model writes at most, by the longest prefix of its name.

From the services' own pages; genai-prices knows context windows only, which bound it too, but
would reserve dollars for an answer that costs cents.
"""

_INPUT_RATES = ("input_mtok", "cache_write_mtok", "cache_write_1h_mtok", "input_image_mtok")
_OUTPUT_RATES = ("output_mtok", "output_reasoning_mtok", "output_citation_mtok")
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Rates:
    """The dearest that a model gets: over its tiers, kinds of token and hours of the day."""

    input_usd: Decimal
    """A token."""
    output_usd: Decimal
    """A token."""
    request_usd: Decimal = Decimal(0)
    """A request, whatever its length; some search services ask for it."""


@dataclass(frozen=True, slots=True)
class _Flat:
    """What a request costs, and a token of each kind."""

    request_usd: Decimal
    input_usd: Decimal
    output_usd: Decimal
    read_usd: Decimal
    written_usd: Decimal
    written_1h_usd: Decimal


class PriceTable:
    """
    Prices of one service's models.

    Args:
        service: The service's name in genai-prices (`x-ai`); empty finds models of any service.
        prices: The user's own, `{model: (input, output)}` in dollars per million tokens.
        free: Models cost nothing, as on a machine of one's own.
    """

    def __init__(
        self, service: str = "", prices: Mapping[str, Price] | None = None, *, free: bool = False
    ) -> None:
        self._service = service
        self._free = free
        self._own = {model: _own_price(model, pair) for model, pair in (prices or {}).items()}

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
        Give what an exchange cost, or None where the model's price is unknown.

        Args:
            model: As asked for, or as the service called it.
            input_tokens: All of them, the cached ones too.
            output_tokens: All of them, silent reasoning too.
            cached_tokens: Input read from the service's cache, often cheaper.
            cache_written_tokens: Input that the service put into its cache, at times dearer.
            cache_written_1h_tokens: Of those, what it keeps for an hour.
        """
        if model in self._own:
            per_input, per_output = self._own[model]
            return (input_tokens * per_input + output_tokens * per_output) / _MILLION
        if self._free:
            return Decimal(0)
        read = min(cached_tokens, input_tokens)
        written = min(cache_written_tokens, input_tokens - read)
        if flat := _flat(self._service, model, _today()):
            written_1h = min(cache_written_1h_tokens, written)
            return (
                flat.request_usd
                + flat.input_usd * (input_tokens - read - written)
                + flat.output_usd * output_tokens
                + flat.read_usd * read
                + flat.written_usd * (written - written_1h)
                + flat.written_1h_usd * written_1h
            )
        found = _look_up(
            self._service,
            model,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=min(cache_written_1h_tokens, written),
        )
        return None if found is None else found.total_price

    def dearest(self, model: str) -> Rates | None:
        """Give the rates that no token of `model` exceeds, or None where they are unknown."""
        if model in self._own:
            per_input, per_output = self._own[model]
            return Rates(per_input / _MILLION, per_output / _MILLION)
        if self._free:
            return Rates(Decimal(0), Decimal(0))
        return _dearest(self._service, model, _today())

    def output_limit(self, model: str) -> int | None:
        """Give the most tokens that `model` writes in one answer, or None where unknown."""
        if known := known_output_limit(model):
            return known
        found = None if self._free else _look_up(self._service, model)
        return None if found is None else found.model.context_window


def known_output_limit(model: str) -> int | None:
    """
    Give the most that `model` may be asked to write, or None where its service's page is unknown.

    Unlike `PriceTable.output_limit` this is no mere bound: the service takes it as `max_tokens`.

    Example:
        >>> known_output_limit("claude-3.5"), known_output_limit("house-blend")
        (8192, None)
    """
    name = LOOSE_NAMES.get(model, model).rpartition("/")[2]
    known = [prefix for prefix in _OUTPUT_LIMITS if name.startswith(prefix)]
    return _OUTPUT_LIMITS[max(known, key=len)] if known else None


def priced_models(services: Collection[str]) -> list[str]:
    """Give the names of all models whose prices are known, of these services of genai-prices."""
    from genai_prices.data import providers

    return [model.id for found in providers if found.id in services for model in found.models]


def _own_price(model: str, pair: Any) -> tuple[Decimal, Decimal]:
    try:
        per_input, per_output = (Decimal(str(rate)) for rate in pair)
        good = all(rate.is_finite() and rate >= 0 for rate in (per_input, per_output))
    except (ArithmeticError, TypeError, ValueError):
        good = False
    if not good:
        raise DefinitionError(
            f"the price of {model!r} is {pair!r}; "
            "give (input, output) in dollars per million tokens"
        )
    return per_input, per_output


def _look_up(service: str, model: str, **tokens: int) -> PriceCalculation | None:
    """Price tokens of each kind, where none are given one of input and of output."""
    from genai_prices import Usage, calc_price

    counted = {name: count for name, count in tokens.items() if count or "write" not in name}
    try:
        return calc_price(
            Usage(**(counted or {"input_tokens": 1, "output_tokens": 1})),
            LOOSE_NAMES.get(model, model),
            provider_id=service or None,
        )
    except LookupError:
        return None


@lru_cache(maxsize=256)
def _flat(service: str, model: str, _day: int) -> _Flat | None:
    """
    Ask once what a model costs, or give None where that depends on hour, date or length.

    genai-prices works a price out anew each time, which takes as long as a tenth of a call.
    """
    from genai_prices.types import ModelPrice

    found = _look_up(service, model)
    if found is None or not isinstance(found.model.prices, ModelPrice):
        return None
    rates = [rate for rate in vars(found.model_price).values() if rate is not None]
    if not all(isinstance(rate, Decimal) for rate in rates):
        return None

    def asked(**tokens: int) -> Decimal:
        priced = _look_up(service, model, **tokens)
        assert priced is not None
        return priced.total_price

    request = 2 * asked(input_tokens=1) - asked(input_tokens=2)
    written = {"input_tokens": 1, "cache_write_tokens": 1}
    return _Flat(
        request,
        asked(input_tokens=1) - request,
        asked(output_tokens=1) - request,
        asked(input_tokens=1, cache_read_tokens=1) - request,
        asked(**written) - request,
        asked(**written, cache_write_1h_tokens=1) - request,
    )


def _today() -> int:
    return datetime.now(UTC).date().toordinal()


@lru_cache(maxsize=256)
def _dearest(service: str, model: str, day: int) -> Rates | None:
    """Look through the hours of `day` and the next: some services are cheaper at night."""
    found = _look_up(service, model)
    if found is None:
        return None
    start = datetime.fromordinal(day).replace(tzinfo=UTC)
    hours = [found.model.get_prices(start + timedelta(hours=hour)) for hour in range(48)]

    def highest(names: tuple[str, ...]) -> Decimal:
        return max(_top(getattr(price, name, None)) for price in hours for name in names)

    return Rates(
        highest(_INPUT_RATES) / _MILLION,
        highest(_OUTPUT_RATES) / _MILLION,
        highest(("requests_kcount",)) / 1_000,
    )


def _top(rate: Any) -> Decimal:
    """Give the dearest tier of a rate."""
    if rate is None:
        return Decimal(0)
    if isinstance(rate, Decimal):
        return rate
    return Decimal(max(rate.base, *(tier.price for tier in rate.tiers)))
