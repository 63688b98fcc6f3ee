"""An LLM node with tools over each dialect: asked for two at once, run, told, answered."""

from __future__ import annotations

import json
from decimal import Decimal

import anyio
import pytest

from dagorch import LLM, Graph
from tests.servers import ModelServer
from tests.speech import SPEECHES, Asked, Speech

every_speech = pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.name)


@every_speech
async def test_two_tools_at_once_then_the_answer(speech: Speech) -> None:
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
        Asked("id_a", "weather", {"city": "Paris"}),
        Asked("id_b", "people", {"city": "Paris"}),
    ]
    plays = (speech.asks(calls, given=10, written=5), speech.says("It rains.", given=20, written=3))
    with ModelServer(*plays) as server, anyio.fail_after(20):
        async with speech.provider(server, prices={speech.model: (1_000_000, 1)}) as provider:
            result = await graph.run(city="Paris", provider=provider, max_parallel=4)
    assert result[answer] == "It rains."
    first, second = (seen.json for seen in server.seen)
    assert not speech.results(first)
    assert [(id, json_or_text(text), bad) for id, text, bad in speech.results(second)] == [
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


@every_speech
async def test_what_goes_wrong_in_a_tool_goes_back_as_that(speech: Speech) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        raise LookupError(f"no city {city}")

    graph = Graph("ask")
    answer = graph.add(LLM("answer", prompt="Hi", tools=[weather]))
    calls = [
        Asked("id_a", "weather", {"city": "Atlantis"}),
        Asked("id_b", "whether", {}),
        Asked("id_c", "weather", {"town": "Paris"}),
    ]
    with ModelServer(speech.asks(calls), speech.says("Unknown.")) as server:
        async with speech.provider(server) as provider:
            result = await graph.run(provider=provider)
    assert result[answer] == "Unknown."
    told = speech.results(server.seen[1].json)
    assert [id for id, _, _ in told] == ["id_a", "id_b", "id_c"]
    assert all(bad for _, _, bad in told)
    assert told[0][1] == "error: LookupError: no city Atlantis"
    assert "there are weather" in told[1][1]
    assert "town" in told[2][1]


@every_speech
async def test_an_output_type_is_asked_for_beside_the_tools(speech: Speech) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"rain in {city}"

    graph = Graph("ask")
    answer = graph.add(LLM("answer", prompt="Hi", tools=[weather], output=dict[str, int]))
    plays = (
        speech.asks([Asked("id_a", "weather", {"city": "Paris"})]),
        speech.says("certainly"),
        speech.says('{"rain": 5}'),
    )
    with ModelServer(*plays) as server:
        async with speech.provider(server) as provider:
            result = await graph.run(provider=provider)
    assert result[answer] == {"rain": 5}
    assert len(server.seen) == 3, "one repair round"
    assert "That reply does not fit" in json.dumps(server.seen[2].json)
    assert all("additionalProperties" in json.dumps(seen.json) for seen in server.seen)
