"""The client below the dialects: bytes, proxies, order."""

from __future__ import annotations

import gc
import gzip
import socket

import anyio
import pytest

from dagorch.providers import OpenAIProvider
from tests.servers import (
    DONE,
    Connection,
    ModelServer,
    Request,
    answer,
    delta,
    event,
    stream,
    usage,
)

pytestmark = pytest.mark.anyio

HI = [{"role": "user", "content": "Hi"}]


async def test_a_compressed_answer_is_read() -> None:
    body = gzip.compress(event(delta("Hello", finish="stop")) + event(usage(3, 2)) + DONE)

    async def compressed(_request: Request, connection: Connection) -> None:
        await connection.head(
            200,
            {
                "content-type": "text/event-stream",
                "content-encoding": "gzip",
                "transfer-encoding": "chunked",
            },
        )
        for start in range(0, len(body), 10):
            await connection.chunk(body[start : start + 10])
        await connection.end()

    with ModelServer(compressed) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            replies = [await provider.acomplete(HI) for _ in range(2)]
        assert server.requests[0].headers["accept-encoding"] == "identity"
    assert [reply.content for reply in replies] == ["Hello", "Hello"]
    assert server.connections == 1


async def test_the_environments_proxy_carries_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with OpenAIProvider("http://api.example.com/v1", default_model="m") as provider:
            for _ in range(2):
                assert (await provider.acomplete(HI)).content == "Hello there"
    assert [request.path for request in proxy.requests] == [
        "http://api.example.com/v1/chat/completions"
    ] * 2
    assert proxy.requests[0].headers["host"] == "api.example.com"
    assert proxy.connections == 1


async def test_cookies_are_not_kept() -> None:
    with ModelServer(stream(delta("x", finish="stop"), headers={"set-cookie": "a=b"})) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            for _ in range(2):
                await provider.acomplete(HI)
    assert [request.headers.get("cookie") for request in server.requests] == [None, None]


async def test_of_many_calls_at_once_the_first_is_sent_while_the_last_connect() -> None:
    connections: list[int] = []

    async def counted(request: Request, connection: Connection) -> None:
        connections.append(server.connections)
        await answer()(request, connection)

    with ModelServer(counted) as server:
        async with OpenAIProvider(server.url, default_model="m", max_concurrency=400) as provider:
            await provider.acomplete(HI)
            connections.clear()
            async with anyio.create_task_group() as group:
                for _ in range(400):
                    group.start_soon(provider.acomplete, HI)
    assert len(connections) == 400
    assert connections[0] < 300


async def test_a_queued_call_that_is_cancelled_releases_its_slot() -> None:
    with ModelServer() as server:
        async with OpenAIProvider(server.url, default_model="m", max_concurrency=100) as provider:
            await provider.acomplete(HI)
            async with anyio.create_task_group() as group:
                for _ in range(100):
                    group.start_soon(provider.acomplete, HI)
                await anyio.lowlevel.checkpoint()
                await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            async with anyio.create_task_group() as group:
                for _ in range(100):
                    group.start_soon(provider.acomplete, HI)


async def test_a_request_that_is_cancelled_while_it_is_sent_leaves_nothing_behind() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        async with OpenAIProvider(url, default_model="m") as provider:
            with anyio.move_on_after(0.2) as scope:
                await provider.acomplete([{"role": "user", "content": "x" * 20_000_000}])
    assert scope.cancelled_caught
    gc.collect()  # a generator left open would warn here, and a warning is an error
