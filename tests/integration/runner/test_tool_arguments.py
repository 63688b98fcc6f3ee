"""A tool runs only with arguments of the types that it declares, and not any number of times."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from dagorch import LLM, Graph
from dagorch.models.llm import LLMResponse, ToolCall
from dagorch.models.messages import Message
from dagorch.nodes import tools
from dagorch.testing import ScriptedProvider


class Colour(Enum):
    RED = "red"


class Filter(BaseModel):
    field: str
    limit: int = 5


@dataclass
class Place:
    lat: float
    lon: float


def asking(tool: Any, *calls: ToolCall, **options: Any) -> tuple[Graph, ScriptedProvider]:
    graph = Graph("tools")
    graph.add(LLM("ask", prompt="Well?", tools=[tool], **options))
    return graph, ScriptedProvider([LLMResponse("", "m", tool_calls=calls), "Done."])


async def answers(tool: Any, *arguments: Any, **options: Any) -> list[Message]:
    """Let a model call a tool, and return what it is told."""
    calls = [
        ToolCall(str(n), tool.__name__, text if isinstance(text, str) else json.dumps(text))
        for n, text in enumerate(arguments)
    ]
    graph, provider = asking(tool, *calls, **options)
    await graph.run(provider=provider)
    return [message for message in provider.requests[1].messages if message.role == "tool"]


async def test_a_tool_never_sees_a_value_of_another_type() -> None:
    seen: list[Any] = []

    def look(table: Literal["public", "faq"], limit: Annotated[int, Field(le=10)] = 1) -> str:
        seen.append((table, limit))
        return "found"

    told = await answers(
        look,
        {"table": "secrets; DROP TABLE"}, {"table": "public", "limit": 11}, {"limit": 1},
        {"table": "faq", "limits": 3}, {"table": ["public"]}, [], "null", "{", '"x"',
        {"table": "faq", "limit": 10},
    )  # fmt: skip
    assert seen == [("faq", 10)]
    texts = [message.content for message in told]
    assert all(message.is_error for message in told[:-1])
    assert texts[-1] == "found"
    assert "'table': Input should be 'public' or 'faq', not 'secrets; DROP TABLE'" in texts[0]
    assert "'limit': Input should be less than or equal to 10, not 11" in texts[1]
    assert "'table' is missing" in texts[2]
    assert "there is no parameter 'limits'; did you mean 'limit'?" in texts[3]
    assert "not a JSON object" in texts[5]
    assert "not JSON" in texts[7]


async def test_arguments_have_the_declared_types() -> None:
    seen: dict[str, Any] = {}

    def book(
        when: date, colour: Colour, filters: list[Filter], place: Place, note: str | None = None
    ) -> str:
        seen.update(locals())
        return "booked"

    (told,) = await answers(
        book,
        {
            "when": "2026-12-01", "colour": "red", "filters": [{"field": "name"}],
            "place": {"lat": 1, "lon": 2.5},
        },
    )  # fmt: skip
    assert told.content == "booked"
    assert seen["when"] == date(2026, 12, 1)
    assert seen["colour"] is Colour.RED
    assert seen["filters"] == [Filter(field="name")]
    assert seen["place"] == Place(1.0, 2.5)
    assert seen["note"] is None


async def test_an_async_tool_and_an_unannotated_one() -> None:
    async def double(number: int) -> int:
        return number * 2

    def anything(value):  # type: ignore[no-untyped-def]  # on purpose
        return value

    right, wrong = await answers(double, {"number": 4}, {"number": "four"})
    assert right.content == "8"
    assert wrong.content.startswith("error: wrong arguments: 'number': Input should be a valid int")
    assert wrong.content.endswith("not 'four'")
    assert [m.content for m in await answers(anything, {"value": [1, "a"]})] == ['[1, "a"]']


async def test_a_reply_with_thousands_of_calls_runs_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def count(number: int) -> str:
        ran.append(number)
        return "counted"

    told = await answers(count, *({"number": n} for n in range(20_000)), max_tool_calls=5)
    assert sorted(ran) == [0, 1, 2, 3, 4]
    assert len(told) == 5
    assert "19,995 more calls of this reply were not run; at most 5 are" in told[-1].content


async def test_the_conversation_keeps_only_the_calls_that_ran() -> None:
    def count(number: int) -> str:
        return "counted"

    calls = [ToolCall(str(n), "count", '{"number": 1}') for n in range(100)]
    graph, provider = asking(count, *calls)
    await graph.run(provider=provider)
    (reply,) = [m for m in provider.requests[1].messages if m.role == "assistant"]
    assert len(reply.tool_calls) == 64


async def test_huge_arguments_and_results_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_MAX_ARGUMENT_CHARS", 100)
    monkeypatch.setattr(tools, "_MAX_RESULT_CHARS", 200)

    def echo(text: str) -> str:
        return text * 100

    told = await answers(echo, {"text": "x" * 200}, {"text": "ab" * 20})
    assert "at most 100" in told[0].content
    assert len(told[1].content) < 300


async def test_an_error_about_arguments_is_short() -> None:
    def pick(names: list[Literal["a", "b"]], other: int = 0) -> str:
        return ""

    hostile = {"names": ["z" * 50_000] * 5, **{f"p{n}" * 10: 1 for n in range(500)}}
    (told,) = await answers(pick, hostile)
    assert len(told.content) <= 2_000
    (deep,) = await answers(pick, '{"names": ' + "[" * 50_000)
    assert "not JSON" in deep.content
