"""A kept connection that the service ends just as it is used again."""

from __future__ import annotations

import pytest

from dagorch.errors import ProviderConnectionError
from dagorch.providers import OpenAIProvider
from tests.servers import ModelServer, answer, hang_up

HI = [{"role": "user", "content": "Hi"}]


async def test_a_kept_connection_closed_at_its_next_use_is_replaced() -> None:
    with ModelServer(answer("one"), hang_up, answer("two")) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            replies = [(await provider.acomplete(HI)).content for _ in range(2)]
        assert replies == ["one", "two"]
        assert server.connections == 2


async def test_a_new_connection_closed_without_an_answer_is_a_failure() -> None:
    with ModelServer(answer("one"), hang_up, hang_up) as server:
        async with OpenAIProvider(server.url, default_model="m") as provider:
            await provider.acomplete(HI)
            with pytest.raises(ProviderConnectionError, match="closed the connection"):
                await provider.acomplete(HI)
        assert len(server.seen) == 3
