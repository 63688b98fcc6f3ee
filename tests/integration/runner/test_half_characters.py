"""Half a character (a lone surrogate) is refused before a call, or replaced, and never raises."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dagorch import LLM, DefinitionError, DreamCascadeOrchestrator, Graph
from dagorch.models.llm import LLMResponse, Message, ToolCall
from dagorch.providers import ScriptedProvider

HALF = "caf\udce9"


def test_an_input_is_refused_before_anything_is_sent(virtual: Any) -> None:
    graph = Graph("input")
    graph.input("text", str)
    graph.add(LLM("ask", prompt="{text}"))
    provider = ScriptedProvider("x")

    async def run() -> None:
        await graph.run(text=HALF, provider=provider)

    with pytest.raises(DefinitionError, match="input 'text' has half a character"):
        virtual(run)
    assert not provider.requests


def test_a_task_is_refused() -> None:
    provider = ScriptedProvider("x")
    with pytest.raises(DefinitionError, match="the task has half a character"):
        DreamCascadeOrchestrator(provider=provider).graph(HALF)


def test_a_value_in_a_prompt_and_a_reply_are_replaced(virtual: Any) -> None:
    graph = Graph("values")
    graph.add(LLM("ask", prompt="{name}"), name=graph.function(lambda: HALF, id="name"))
    provider = ScriptedProvider([LLMResponse(HALF, "m")])

    async def run() -> Any:
        return await graph.run(provider=provider)

    assert virtual(run).output == "caf\ufffd"
    assert provider.requests[0].messages[0].content == "caf\ufffd"


def test_messages_and_tool_calls_can_be_encoded() -> None:
    message = Message("user", "\ud83d" + "\udc1d")
    call = ToolCall("1", "tool", json.dumps({"a": 1}) + HALF)
    assert message.content == "\U0001f41d"
    assert call.arguments.endswith("caf\ufffd")
