from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from dagorch.errors import DefinitionError
from dagorch.models.llm import LLMRequest, Message, ToolSpec
from dagorch.providers import (
    AnthropicProvider,
    GeminiProvider,
    HttpProvider,
    OpenAIProvider,
    prices,
)
from dagorch.providers.prices import PriceTable, known_output_limit
from dagorch.providers.registry import SERVICES
from dagorch.providers.wire import encode_json

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("service", "model", "per_input", "per_output"),
    [
        ("x-ai", "grok-3", "3", "15"),
        ("openai", "gpt-4", "30", "60"),
        ("openai", "gpt-4o-mini", "0.15", "0.6"),
        ("anthropic", "claude-3.5", "3", "15"),
        ("groq", "groq-llama", "0.59", "0.79"),
        ("", "gpt-4o-mini", "0.15", "0.6"),
    ],
)
def test_known_models(service: str, model: str, per_input: str, per_output: str) -> None:
    table = PriceTable(service)
    assert table.cost_usd(model, 1_000, 0) == Decimal(per_input) / 1_000
    assert table.cost_usd(model, 0, 1_000) == Decimal(per_output) / 1_000


def test_an_unknown_model_has_no_price() -> None:
    table = PriceTable("openai")
    assert table.cost_usd("house-blend", 1, 1) is None
    assert table.max_rates("house-blend") is None
    assert table.output_limit("house-blend") is None


def test_the_users_own_prices_come_first() -> None:
    table = PriceTable("openai", {"gpt-4": (1, 2.5), "house-blend": ("0.1", Decimal("0.2"))})
    assert table.cost_usd("gpt-4", MILLION, 2 * MILLION) == Decimal(6)
    assert table.cost_usd("house-blend", MILLION, MILLION) == Decimal("0.3")


@pytest.mark.parametrize("price", [(1,), (1, 2, 3), (-1, 1), ("a", 1), 5, (float("nan"), 1), None])
def test_an_invalid_price_is_refused(price: Any) -> None:
    with pytest.raises(DefinitionError, match="the price of 'm'"):
        PriceTable("", {"m": price})


def test_cached_input_is_cheaper_and_never_more_than_all() -> None:
    table = PriceTable("openai")
    all_fresh = table.cost_usd("gpt-4o-mini", 1_000, 0)
    all_cached = table.cost_usd("gpt-4o-mini", 1_000, 0, cached_tokens=5_000)
    assert all_fresh is not None
    assert all_cached == all_fresh / 2


def test_writing_to_a_cache_costs_more() -> None:
    table = PriceTable("anthropic")
    model = "claude-haiku-4-5"
    plain = table.cost_usd(model, 1_000, 0)
    assert plain == Decimal("0.001")
    assert table.cost_usd(model, 1_000, 0, cache_written_tokens=1_000) == plain * Decimal("1.25")
    cache_written = table.cost_usd(
        model, 1_000, 0, cache_written_tokens=900, cache_written_1h_tokens=900
    )
    assert cache_written == plain * Decimal("0.1") + plain * Decimal("0.9") * 2


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-3.5", 8_192),
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-opus-4-20250514", 32_000),
        ("claude-sonnet-4-5", 64_000),
        ("gemini-2.5-flash", 65_536),
        ("google/gemini-3-pro-preview", 65_536),
        ("claude-opus-9", None),
    ],
)
def test_documented_output_limits(model: str, limit: int | None) -> None:
    assert known_output_limit(model) == limit


def test_a_users_own_machine_is_free() -> None:
    table = PriceTable(free=True)
    assert table.cost_usd("anything", 1_000, 1_000) == 0
    rates = table.max_rates("anything")
    assert rates is not None
    assert (rates.input_usd, rates.output_usd) == (0, 0)


DEFAULTS = [(s.price_service, s.default_model) for s in SERVICES.values() if s.price_service]


@given(
    pair=st.sampled_from(DEFAULTS),
    sent=st.integers(0, 2_000_000),
    written=st.integers(0, 200_000),
    cached=st.integers(0, 2_000_000),
    cache_written=st.integers(0, 2_000_000),
    written_1h_tokens=st.integers(0, 2_000_000),
)
def test_no_exchange_costs_more_than_the_highest_rates(
    pair: tuple[str, str],
    sent: int,
    written: int,
    cached: int,
    cache_written: int,
    written_1h_tokens: int,
) -> None:
    table = PriceTable(pair[0])
    cost = table.cost_usd(
        pair[1],
        sent,
        written,
        cached,
        cache_written_tokens=cache_written,
        cache_written_1h_tokens=written_1h_tokens,
    )
    rates = table.max_rates(pair[1])
    assert cost is not None
    assert rates is not None
    maximum = sent * rates.input_usd + written * rates.output_usd + rates.request_usd
    assert cost <= maximum


def priced_provider(model: str = "gpt-4o-mini", **options: Any) -> OpenAIProvider:
    return OpenAIProvider(
        "http://127.0.0.1/v1", default_model=model, price_service="openai", **options
    )


def request(text: str = "Hi", **options: Any) -> LLMRequest:
    return LLMRequest((Message("user", text),), **options)


def test_the_worst_case_counts_a_byte_as_a_token_and_every_token_allowed() -> None:
    provider = priced_provider("m", prices={"m": (1_000_000, 10_000_000)})
    short, long = (provider.worst_case_usd(request(text, max_tokens=5)) for text in ("a", "aü🌍"))
    assert short is not None
    assert long is not None
    assert long - short == 2 + 4
    assert short > 5 * 10


def test_the_input_is_encoded_once_for_several_output_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[Any] = []

    def encode(body: Any) -> bytes:
        encoded.append(body)
        return encode_json(body)

    monkeypatch.setattr("dagorch.providers.http_provider.encode_json", encode)
    provider = priced_provider()
    for text in ("bees", "wasps"):
        bounds = [provider.bounds(request(text, max_tokens=limit)) for limit in (None, 512, 256)]
        assert len({tokens for tokens, _ in bounds}) == 1
        assert [reply for _, reply in bounds] == [16_384, 512, 256]
    assert len(encoded) == 2


def test_the_worst_case_counts_an_image_by_its_bound_and_not_by_its_bytes() -> None:
    provider = priced_provider("m", prices={"m": (1_000_000, 0)})

    def worst(*images: str) -> Decimal:
        found = provider.worst_case_usd(LLMRequest((Message("user", "Hi", images=images),)))
        assert found is not None
        return found

    assert worst(f"data:image/png;base64,{'A' * 900_000}") - worst() == 50_000


def test_the_worst_case_counts_tools_and_several_answers() -> None:
    provider = priced_provider("m", prices={"m": (0, 1_000_000)})
    assert provider.worst_case_usd(request(max_tokens=5, extra={"n": 3})) == 15
    provider = priced_provider("m", prices={"m": (1_000_000, 0)})
    tool = provider.worst_case_usd(request(tools=(ToolSpec("t", "", {}),)))
    assert tool is not None
    assert tool > 1_000


def test_without_max_tokens_the_models_limit_counts() -> None:
    provider = priced_provider()
    assert provider.max_output_tokens() == 16_384
    unbounded, bounded = (provider.worst_case_usd(request(max_tokens=n)) for n in (None, 16_384))
    assert unbounded is not None
    assert unbounded == bounded
    assert priced_provider("m", prices={"m": (1, 1)}).worst_case_usd(request()) is None


KINDS = (OpenAIProvider, AnthropicProvider, GeminiProvider)


def worst(kind: type[HttpProvider], price: tuple[int, int], llm_request: LLMRequest) -> Decimal:
    provider = kind("http://127.0.0.1", default_model="m", prices={"m": price})
    found = provider.worst_case_usd(llm_request)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_in_every_dialect_a_byte_counts_as_a_token_and_an_image_by_its_bound(
    kind: type[HttpProvider],
) -> None:
    price = (1_000_000, 0)
    short, long = (worst(kind, price, request(text, max_tokens=5)) for text in ("a", "aü🌍"))
    assert long - short == 2 + 4
    images = LLMRequest((Message("user", "a", images=(f"data:image/png;base64,{'A' * 9_000}",)),))
    plain = LLMRequest((Message("user", "a"),))
    assert worst(kind, price, images) - worst(kind, price, plain) == kind.DIALECT.max_image_tokens


@pytest.mark.parametrize("kind", KINDS)
def test_in_every_dialect_the_output_bound_counts(kind: type[HttpProvider]) -> None:
    assert worst(kind, (0, 1_000_000), request(max_tokens=7)) == 7
    explained = worst(kind, (1_000_000, 0), request(json_schema={"type": "object"}))
    assert explained > 1_000


def test_anthropics_max_tokens_is_sent_and_counts() -> None:
    assert worst(AnthropicProvider, (0, 1_000_000), request()) == 8_192
    assert worst(AnthropicProvider, (0, 1_000_000), request(extra={"max_tokens": 9})) == 9


def test_geminis_candidates_count() -> None:
    several = request(max_tokens=5, extra={"generationConfig": {"candidateCount": 3}})
    assert worst(GeminiProvider, (0, 1_000_000), several) == 15


def test_flat_rates_give_the_price_of_genai_prices() -> None:
    known = [(service, model) for service in get_snapshot().providers for model in service.models]
    rng, flat = random.Random(0), 0
    for service, model in rng.sample(known, 300):
        if prices._flat_rates(service.id, model.id, 0) is None:
            continue
        flat += 1
        tokens = rng.randint(1, 1_000_000)
        read = rng.randint(0, tokens)
        written = rng.randint(0, tokens - read)
        written_1h = rng.randint(0, written)
        priced = prices._calculate(
            service.id,
            model.id,
            input_tokens=tokens,
            output_tokens=1_234,
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=written_1h,
        )
        assert priced is not None
        assert priced.total_price == PriceTable(service.id).cost_usd(
            model.id,
            tokens,
            1_234,
            read,
            cache_written_tokens=written,
            cache_written_1h_tokens=written_1h,
        )
    assert flat > 150
