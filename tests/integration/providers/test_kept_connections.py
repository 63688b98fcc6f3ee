"""A kept connection that the service closes just as it is used again."""

from __future__ import annotations

import pytest

from dagorch import LLM, Graph, Policy, Retry
from dagorch.errors import ProviderConnectionError
from dagorch.providers import OpenAIProvider
from tests.servers import Connection, ModelServer, Request, answer, hang_up

HI = [{"role": "user", "content": "Hi"}]


async def test_an_idle_connection_closed_at_its_next_use_is_replaced() -> None:
    with ModelServer(answer("one"), hang_up, answer("two")) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            replies = [(await provider.acomplete(HI)).content for _ in range(2)]
        assert replies == ["one", "two"]
        assert server.connections == 2


@pytest.mark.parametrize(("ceiling", "exchanges"), [(None, 1), (100, 2)])
async def test_under_a_ceiling_nothing_is_sent_twice_on_one_reservation(
    ceiling: int | None, exchanges: int
) -> None:
    graph = Graph("again")
    first = graph.add(LLM("first", prompt="Hi", max_tokens=5))
    policy = Policy(retry=Retry(attempts=2, base_delay_seconds=0))
    graph.add(LLM("second", prompt="Hi", max_tokens=5, policy=policy), after=first)
    with ModelServer(answer("one"), hang_up, answer("two")) as server:
        async with OpenAIProvider(server.url, default_model="m", prices={"m": (1, 1)}) as provider:
            result = await graph.run(provider=provider, max_cost=ceiling)
        assert result["second"] == "two"
        assert len(server.requests) == 3
        assert len(result.get("second").bills) == exchanges


async def test_a_new_connection_closed_without_an_answer_is_a_failure() -> None:
    with ModelServer(answer("one"), hang_up, hang_up) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            await provider.acomplete(HI)
            with pytest.raises(ProviderConnectionError, match="closed the connection"):
                await provider.acomplete(HI)
        assert len(server.requests) == 3


async def test_a_reply_that_is_not_http_is_not_a_broken_connection() -> None:
    async def garbage(_request: Request, connection: Connection) -> None:
        connection.writer.write(b"ICY 200 OK\r\n\r\n")
        await connection.writer.drain()

    with ModelServer(answer("one"), garbage, answer("two")) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            await provider.acomplete(HI)
            with pytest.raises(ProviderConnectionError):
                await provider.acomplete(HI)
        assert len(server.requests) == 2, "the service answered, and may bill it"
