"""An LLM node with tools over each dialect: two parallel calls, their results, the answer."""

from __future__ import annotations

import json
from decimal import Decimal

import anyio
import pytest

from dagorch import LLM, Graph
from dagorch.models.llm import Message, ToolCall
from dagorch.providers import OpenAIProvider
from tests.fake_services import FAKE_SERVICES, FakeService, FunctionCall
from tests.servers import Handler, ModelServer, delta, stream, usage
from tests.servers import answer as answer_of

every_service = pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)


@every_service
async def test_two_tools_at_once_then_the_answer(service: FakeService) -> None:
    meeting = [anyio.Event(), anyio.Event()]

    async def weather(city: str) -> str:
        """Tell the weather."""
        meeting[0].set()
        await meeting[1].wait()  # each waits for the other: one after the other would never end
        return f"rain in {city}"

    async def people(city: str, year: int = 2026) -> dict[str, int]:
        """Count the people."""
        meeting[1].set()
        await meeting[0].wait()
        return {"people": 2_100_000, "year": year}

    graph = Graph("ask")
    city = graph.input("city", str)
    answer = graph.add(
        LLM("answer", prompt="About {city}.", system="Be brief.", tools=[weather, people]),
        city=city,
    )
    calls = [
        FunctionCall("id_a", "weather", {"city": "Paris"}),
        FunctionCall("id_b", "people", {"city": "Paris"}),
    ]
    handlers = (
        service.calls_tools(calls, input_tokens=10, output_tokens=5),
        service.answers("It rains.", input_tokens=20, output_tokens=3),
    )
    with ModelServer(*handlers) as server, anyio.fail_after(20):
        async with service.provider(server, prices={service.model: (1_000_000, 1)}) as provider:
            result = await graph.run(city="Paris", provider=provider, max_parallel=4)
    assert result[answer] == "It rains."
    first, second = (request.json for request in server.requests)
    assert not service.tool_results(first)
    assert [(id, json_or_text(text), bad) for id, text, bad in service.tool_results(second)] == [
        ("id_a", "rain in Paris", False),
        ("id_b", {"people": 2_100_000, "year": 2026}, False),
    ]
    assert "Tell the weather." in json.dumps(first)
    assert result.usage.calls == 2
    assert result.usage.input_tokens == 30
    assert result.usage.cost_usd == 30 + Decimal(8) / 1_000_000


def json_or_text(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


@every_service
async def test_a_tools_error_is_sent_back_as_an_error(service: FakeService) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        raise LookupError(f"no city {city}")

    graph = Graph("ask")
    answer = graph.add(LLM("answer", prompt="Hi", tools=[weather]))
    calls = [
        FunctionCall("id_a", "weather", {"city": "Atlantis"}),
        FunctionCall("id_b", "whether", {}),
        FunctionCall("id_c", "weather", {"town": "Paris"}),
    ]
    with ModelServer(service.calls_tools(calls), service.answers("Unknown.")) as server:
        async with service.provider(server) as provider:
            result = await graph.run(provider=provider)
    assert result[answer] == "Unknown."
    results = service.tool_results(server.requests[1].json)
    assert [id for id, _, _ in results] == ["id_a", "id_b", "id_c"]
    assert all(bad for _, _, bad in results)
    assert results[0][1] == "error: LookupError: no city Atlantis"
    assert "there are weather" in results[1][1]
    assert "town" in results[2][1]


@every_service
async def test_an_output_type_works_together_with_tools(service: FakeService) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"rain in {city}"

    graph = Graph("ask")
    answer = graph.add(LLM("answer", prompt="Hi", tools=[weather], output=dict[str, int]))
    handlers = (
        service.calls_tools([FunctionCall("id_a", "weather", {"city": "Paris"})]),
        service.answers("certainly"),
        service.answers('{"rain": 5}'),
    )
    with ModelServer(*handlers) as server:
        async with service.provider(server) as provider:
            result = await graph.run(provider=provider)
    assert result[answer] == {"rain": 5}
    assert len(server.requests) == 3, "one repair round"
    assert "That reply does not fit" in json.dumps(server.requests[2].json)
    assert all("additionalProperties" in json.dumps(request.json) for request in server.requests)


def with_reasoning(finish: str, **fields: object) -> Handler:
    """Send reasoning before the answer, as DeepSeek's models do."""
    return stream(
        delta(reasoning_content="Bees, "),
        delta(reasoning_content="hm."),
        delta(**fields),  # type: ignore[arg-type]
        delta(finish=finish),
        usage(10, 9, completion_tokens_details={"reasoning_tokens": 4}),
    )


async def test_reasoning_goes_back_with_the_call_that_it_led_to() -> None:
    def look(what: str) -> str:
        """Look something up."""
        return what

    function = {"name": "look", "arguments": '{"what": "bees"}'}
    asks = with_reasoning("tool_calls", tool_calls=[{"index": 0, "id": "a", "function": function}])
    graph = Graph("ask")
    answer = graph.add(LLM("answer", prompt="Hi", tools=[look]))
    with ModelServer(asks, with_reasoning("stop", text="By the sun.")) as server:
        async with OpenAIProvider(server.url, name="deepseek", default_model="m") as provider:
            result = await graph.run(provider=provider)
    assert result[answer] == "By the sun.", "without its reasoning"
    assert result.usage.reasoning_tokens == 8
    sent = server.requests[1].json["messages"][1]
    assert sent["reasoning_content"] == "Bees, hm."
    assert sent["tool_calls"][0]["id"] == "a"


async def test_reasoning_of_one_service_is_not_sent_to_another() -> None:
    call = ToolCall("a", "look", "{}")
    with ModelServer(with_reasoning("stop", text="Yes."), answer_of("No.")) as server:
        async with OpenAIProvider(server.url, name="deepseek", default_model="m") as provider:
            first = await provider.acomplete([Message("user", "Hi")])
        message = Message("assistant", "", tool_calls=(call,), thoughts=first.thoughts)
        async with OpenAIProvider(server.url, name="mistral", default_model="m") as other:
            await other.acomplete([message, Message("tool", "1", tool_call_id="a")])
    assert first.thoughts[0].text == "Bees, hm."
    assert "Bees" not in json.dumps(server.requests[1].json)
