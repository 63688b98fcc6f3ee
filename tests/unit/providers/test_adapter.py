from __future__ import annotations

import threading
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from dagorch.errors import DefinitionError, MalformedReplyError
from dagorch.models.llm import LLMRequest, LLMResponse, Message, ToolSpec
from dagorch.models.usage import Usage
from dagorch.ports import Provider
from dagorch.providers import ScriptedProvider, adapt

pytestmark = pytest.mark.anyio

REQUEST = LLMRequest((Message("user", "Hi"),), max_tokens=5, temperature=0.5)


async def ask(provider: object, request: LLMRequest = REQUEST) -> LLMResponse:
    return await adapt(provider).exchange(request, lambda _: None)


class Sync:
    def complete(self, messages: list[dict[str, Any]]) -> str:
        return f"{messages[-1]['content']} on {threading.current_thread().name}"


class Async:
    model = "own"

    async def acomplete(self, messages: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        return {"content": f"{messages[-1]['content']} {sorted(options.items())}"}

    def complete(self, messages: object) -> str:
        raise AssertionError("acomplete is there")


async def test_a_sync_method_runs_in_a_worker_thread() -> None:
    response = await ask(Sync())
    assert response.content.startswith("Hi on ")
    assert threading.current_thread().name not in response.content


async def test_an_async_method_is_preferred_and_gets_its_parameters() -> None:
    response = await ask(Async())
    assert response.content == "Hi [('max_tokens', 5), ('model', 'own'), ('temperature', 0.5)]"
    assert response.model == "own"
    assert response.usage.estimated


async def test_a_sync_method_may_return_a_coroutine() -> None:
    async def later() -> str:
        return "later"

    assert (await ask(SimpleNamespace(complete=lambda messages: later()))).content == "later"


async def test_the_text_is_streamed_in_one_piece() -> None:
    pieces: list[str] = []
    await adapt(SimpleNamespace(complete=lambda m: "whole")).exchange(REQUEST, pieces.append)
    assert pieces == ["whole"]


@pytest.mark.parametrize(
    "reply",
    [
        {
            "content": "x",
            "model": "m",
            "usage": {"prompt_tokens": 3, "completion_tokens": 2},
            "cost": 0.1,
        },
        SimpleNamespace(
            content="x",
            model="m",
            usage=SimpleNamespace(input_tokens=3, output_tokens=2),
            cost=0.1,
        ),
        LLMResponse("x", "m", Usage(3, 2, Decimal("0.1"), calls=1)),
    ],
)
async def test_what_a_method_may_return(reply: object) -> None:
    response = await ask(SimpleNamespace(complete=lambda messages: reply))
    assert response == LLMResponse("x", "m", Usage(3, 2, Decimal("0.1"), calls=1))


@pytest.mark.parametrize(
    ("reply", "words"),
    [(None, "returned a NoneType with no text"), ({"text": "x"}, r"keys \['text'\]"), (5, "a int")],
)
async def test_what_a_method_may_not_return(reply: object, words: str) -> None:
    with pytest.raises(MalformedReplyError, match=words):
        await ask(SimpleNamespace(complete=lambda messages: reply))


async def test_tools_need_a_parameter_of_the_method() -> None:
    request = LLMRequest(REQUEST.messages, tools=(ToolSpec("t", "", {}),))
    with pytest.raises(DefinitionError, match="no parameter 'tools'"):
        await ask(Sync(), request)


async def test_identity_price_and_close_of_the_object_are_used() -> None:
    closed: list[bool] = []

    class Rich(Sync):
        name = "mine"
        default_model = "own"
        max_concurrency = 2

        def worst_case_usd(self, request: LLMRequest) -> float:
            return 0.1

        async def aclose(self) -> None:
            closed.append(True)

    provider = adapt(Rich())
    assert isinstance(provider, Provider)
    assert (provider.name, provider.default_model, provider.max_concurrency) == ("mine", "own", 2)
    assert provider.worst_case_usd(REQUEST) == Decimal("0.1")
    await provider.aclose()
    assert closed
    assert adapt(Sync()).worst_case_usd(REQUEST) is None


def test_a_dagorch_provider_is_returned_unchanged() -> None:
    provider = ScriptedProvider()
    assert adapt(provider) is provider


async def test_a_mock_is_adapted_by_its_methods() -> None:
    mock = Mock()
    mock.complete.return_value = "x"
    mock.acomplete = None
    mock.aclose = None
    mock.worst_case_usd = None
    assert (await ask(mock)).content == "x"


@pytest.mark.parametrize(
    ("thing", "words"), [(object(), "it needs a method complete"), (Sync, "pass an instance")]
)
def test_an_object_that_cannot_be_a_provider(thing: object, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        adapt(thing)
