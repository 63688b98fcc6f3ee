"""Services that lie, flood or drip: bounded in time and memory, never billed too little."""

from __future__ import annotations

import gzip
import json
import re
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from dagorch import LLM, Graph
from dagorch.errors import (
    BudgetExceededError,
    MalformedReplyError,
    OverloadedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
)
from dagorch.providers import OpenAIProvider, Timeouts, http_reply
from tests.fake_services import FAKE_SERVICES, FakeService
from tests.servers import (
    DONE,
    STREAM,
    Connection,
    Handler,
    ModelServer,
    Request,
    delta,
    event,
    reply,
    stream,
    usage,
)

pytestmark = pytest.mark.anyio

HI = [{"role": "user", "content": "Hi"}]
PRICE = (Decimal(1000), Decimal(4000))
WHOLE = event(delta("Hello", finish="stop")) + event(usage(3, 2)) + DONE

LIES: dict[str, Callable[[int, int], tuple[object, object]]] = {
    "none": lambda _i, _o: (None, None),
    "zero": lambda _i, _o: (0, 0),
    "no input": lambda _i, o: (0, o),
    "no output": lambda i, _o: (i, 0),
    "negative": lambda i, o: (-i, -o),
    "text": lambda i, o: (str(i), str(o)),
    "objects": lambda i, o: ({"count": i}, [o]),
    "fractions": lambda _i, _o: (0.001, 0.001),
    "310 digits": lambda _i, _o: (10**310, 10**310),
    "infinite": lambda _i, _o: (float("inf"), float("inf")),
    "not a number": lambda _i, _o: (float("nan"), float("nan")),
    "flags": lambda _i, _o: (True, True),
}


def lying(service: FakeService, lie: str) -> Handler:
    """Answer with counts that cannot be true."""
    counts = LIES[lie](3, 2)
    events = [*service.half("Hello"), *service.end_events("stop", 3, 2)]
    usage = next(found for event in reversed(events) if (found := _usage_of(event)))
    for name in list(usage):
        if "total" in name:
            del usage[name]
        else:
            usage[name] = counts[not re.match("prompt|input", name)]
    return stream(*events, done=service.done)


def _usage_of(event: dict[str, Any]) -> dict[str, Any] | None:
    return event.get("usage") or event.get("usageMetadata")


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_usage_that_cannot_be_true_is_billed_at_the_worst_case(
    service: FakeService, lie: str
) -> None:
    graph = Graph("asking")
    for number in range(50):
        graph.add(LLM(f"n{number}", prompt="Say a few words", max_tokens=8))
    ceiling = Decimal(2)
    with ModelServer(lying(service, lie)) as server:
        async with service.provider(server, prices={service.model: PRICE}) as provider:
            with pytest.raises(BudgetExceededError) as caught:
                await graph.run(provider=provider, max_cost=ceiling, max_parallel=4)
    spent = caught.value.partial_results.usage
    assert len(server.requests) == spent.calls < 50
    assert 0 < spent.cost_usd <= ceiling
    assert spent.estimated
    bills = [
        bill.usage
        for node_run in caught.value.partial_results.node_runs.values()
        for bill in node_run.bills
    ]
    assert len({bill.cost_usd for bill in bills}) == 1, "each is the same worst case"


async def test_counts_in_another_dialects_fields_are_no_counts() -> None:
    counts = {"input_tokens": 1, "output_tokens": 1}
    answer = stream(delta("Hello", finish="stop"), {"choices": [], "usage": counts})
    graph = Graph("asking")
    graph.add(LLM("a", prompt="Say a few words", max_tokens=8))
    with ModelServer(answer) as server:
        async with OpenAIProvider(server.url, default_model="m", prices={"m": PRICE}) as provider:
            spent = (await graph.run(provider=provider)).usage
    assert spent.estimated
    assert spent.output_tokens == 8


async def test_a_count_above_what_was_reserved_is_billed_at_the_worst_case() -> None:
    graph = Graph("asking")
    graph.add(LLM("a", prompt="Say a few words", max_tokens=8))
    ceiling = Decimal(1)
    with ModelServer(stream(delta("Hello", finish="stop"), usage(500_000, 500_000))) as server:
        async with OpenAIProvider(server.url, default_model="m", prices={"m": PRICE}) as provider:
            spent = (await graph.run(provider=provider, max_cost=ceiling)).usage
    assert spent.estimated
    assert 0 < spent.cost_usd <= ceiling


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_an_answer_survives_usage_of_another_shape(service: FakeService) -> None:
    events = [*service.half("Hello"), *service.end_events("stop", 3, 2)]
    text = json.dumps(events)
    for name in ("usage", "usageMetadata"):
        for wrong in ("[]", '"many"', '{"prompt_tokens_details": 7}'):
            spoilt = text.replace(f'"{name}": {{', f'"{name}": {wrong}, "other": {{')
            with ModelServer(stream(*json.loads(spoilt), done=service.done)) as server:
                async with service.provider(server) as provider:
                    assert (await provider.acomplete(HI)).content == "Hello"


HUGE = "9" * 400


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": HUGE},
        {"retry-after-ms": HUGE},
        {"retry-after": f"Thu, 01 Jan {HUGE} 00:00:00 GMT"},
        {"x-ratelimit-limit-tokens": HUGE, "x-ratelimit-remaining-tokens": HUGE},
        {"x-ratelimit-reset-tokens": f"{HUGE}s"},
        {"x-ratelimit-reset-tokens": f"{HUGE}h{HUGE}m"},
        {"x-ratelimit-reset-requests": "1s" * 10_000},
        {"anthropic-ratelimit-requests-reset": HUGE},
    ],
    ids=lambda headers: next(iter(headers)),
)
async def test_a_huge_number_in_a_header_is_ignored(headers: dict[str, str]) -> None:
    good = stream(delta("Hello", finish="stop"), usage(3, 2), headers=headers)
    bad = reply(429, {"error": {"message": "slow down"}}, **headers)
    graph = Graph("asking")
    graph.add(LLM("a", prompt="Say a few words"))
    with ModelServer(good, bad) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            assert (await graph.run(provider=provider)).usage.calls == 1
            with pytest.raises(RateLimitedError) as caught:
                await provider.acomplete(HI)
    assert caught.value.retry_after_seconds is None


def compressed(body: bytes, encoding: str = "gzip", status: int = 200) -> Handler:
    async def handle(_request: Request, connection: Connection) -> None:
        await connection.head(status, {**STREAM, "content-encoding": encoding})
        for start in range(0, len(body), 1_000):
            await connection.chunk(body[start : start + 1_000])
        await connection.end()

    return handle


async def peak_bytes(server: ModelServer, *expected: type[ProviderError]) -> int:
    """Make one call, which must fail, and return the most memory that it took."""
    async with OpenAIProvider(server.url, default_model="m") as provider:
        with pytest.raises(ProviderError):  # imports httpx
            await provider.acomplete(HI)
        tracemalloc.start()
        try:
            with pytest.raises(expected):
                await provider.acomplete(HI)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("line", [b"data: x", b"data:\n", b": keep-alive\n\n", b" "])
async def test_a_compressed_flood_is_bounded(
    line: bytes, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_reply, "MAX_REPLY_BYTES", 300_000)
    bomb = gzip.compress(line * (8_000_000 // len(line)))
    assert len(bomb) < 50_000
    with ModelServer(compressed(bomb, status=status)) as server:
        kinds = (MalformedReplyError, ProviderConnectionError, OverloadedError)
        assert await peak_bytes(server, *kinds) < 20_000_000


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip", "deflate", "gzip, gzip"])
async def test_a_body_that_cannot_be_decoded_is_an_error(encoding: str) -> None:
    with ModelServer(compressed(b"\x01\x02not compressed" * 100, encoding)) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            with pytest.raises(MalformedReplyError, match=r"cannot be decoded|content-encoding"):
                await provider.acomplete(HI)


async def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reply, "MAX_REPLY_BYTES", 500_000)

    async def endless(_request: Request, connection: Connection) -> None:
        await connection.head(200, STREAM)
        while not connection.writer.is_closing():
            await connection.chunk(event(delta("x" * 5_000)))

    with ModelServer(endless) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            with pytest.raises(ProviderConnectionError, match="larger than 500,000 bytes"):
                await provider.acomplete(HI)


@pytest.mark.parametrize("piece", [b": still here\n\n", b"\n", b"event: ping\ndata: {}\n\n", b"x"])
async def test_signs_of_life_do_not_extend_a_reply_for_ever(piece: bytes) -> None:
    async def alive(_request: Request, connection: Connection) -> None:
        await connection.head(200, STREAM)
        while not connection.writer.is_closing():
            await connection.chunk(piece)

    with ModelServer(alive) as server:
        timeouts = Timeouts(total_seconds=0.3)
        async with OpenAIProvider(server.url, default_model="m", timeouts=timeouts) as provider:
            with pytest.raises(ProviderTimeoutError, match=r"not complete after 0\.3 s"):
                await provider.acomplete(HI)


async def test_a_byte_order_mark_does_not_hide_the_first_event() -> None:
    async def marked(_request: Request, connection: Connection) -> None:
        await connection.head(200, STREAM)
        for byte in b"\xef\xbb\xbf" + WHOLE:
            await connection.chunk(bytes([byte]))
        await connection.end()

    with ModelServer(marked) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            assert (await provider.acomplete(HI)).content == "Hello"


async def test_what_follows_the_end_is_not_part_of_the_answer() -> None:
    async def late(_request: Request, connection: Connection) -> None:
        await connection.head(200, STREAM)
        await connection.chunk(WHOLE + event(delta(" and more")) + event({"error": "late"}) + DONE)
        await connection.end()

    with ModelServer(late) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            assert (await provider.acomplete(HI)).content == "Hello"


async def test_a_content_type_may_be_in_capitals() -> None:
    async def loud(_request: Request, connection: Connection) -> None:
        await connection.head(200, {**STREAM, "content-type": "TEXT/EVENT-STREAM; charset=UTF-8"})
        await connection.chunk(WHOLE)
        await connection.end()

    with ModelServer(loud) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            assert (await provider.acomplete(HI)).content == "Hello"


@pytest.mark.parametrize("opening", ["[", '{"error":', '{"message":', '{"error":{"message":'])
@pytest.mark.parametrize("depth", [150, 990, 20_000])
async def test_deep_json_in_an_error_body_is_an_error_of_ours(opening: str, depth: int) -> None:
    ends = {"[": "]", "{": "}"}
    closing = "".join(ends[letter] for letter in reversed(opening) if letter in ends)
    for body in (opening * depth, opening * depth + "1" + closing * depth):
        with ModelServer(reply(500, body.encode())) as server:
            async with OpenAIProvider(server.url, default_model="m") as provider:
                with pytest.raises(OverloadedError) as caught:
                    await provider.acomplete(HI)
        assert len(str(caught.value)) < 1_000


def test_a_small_reply_in_many_pieces_takes_linear_time() -> None:
    """Four million one-character pieces of one line: quadratic joining would take hours."""
    from dagorch.providers.sse import SSEDecoder

    decoder = SSEDecoder()
    events: list[Any] = [decoder.feed(b"x") for _ in range(100_000)]
    assert not any(events)
    assert decoder.feed(b"\ndata: done\n\n") == ["done"]
