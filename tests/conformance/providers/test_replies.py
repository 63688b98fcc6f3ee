"""Replies built from the types of the official SDKs are parsed correctly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from dagorch.models.llm import FinishReason, LLMResponse, Message
from tests.fake_services import FAKE_SERVICES, FakeService, FunctionCall
from tests.servers import ModelServer, stream

HI = [{"role": "user", "content": "Hi"}]
COUNTS = {"input": 100, "cached": 64, "output": 20, "reasoning": 12}
TWO = (FunctionCall("id_a", "look", {"x": [1, {"y": None}]}), FunctionCall("id_b", "find", {}))


@dataclass(frozen=True)
class Case:
    texts: tuple[str, ...]
    calls: tuple[FunctionCall, ...]
    finish: FinishReason


CASES: Mapping[str, Case] = {
    "text": Case(("Hello", " there"), (), "stop"),
    "cut off": Case(("Hello",), (), "length"),
    "stopped by a filter": Case(("Hel",), (), "refused"),
    "one tool": Case((), TWO[:1], "tool_calls"),
    "words and two tools": Case(("Let me see.",), TWO, "tool_calls"),
    "an empty answer": Case((), (), "stop"),
}


def events_of(
    service: FakeService, texts: Sequence[str], calls: Sequence[FunctionCall], finish: FinishReason
) -> list[dict[str, Any]]:
    # Here, because the SDKs take seconds to import, which every worker would spend.
    from tests.conformance.providers.sdk_types import ENDS, EVENTS

    return list(EVENTS[service.name](texts, calls, ENDS[service.name][finish], COUNTS))


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_reply_of_the_sdk_types_is_parsed(service: FakeService, case: Case) -> None:
    events = events_of(service, case.texts, case.calls, case.finish)
    texts: list[str] = []
    with ModelServer(stream(*events, done=service.done)) as server:
        async with service.provider(server) as provider, provider.stream(HI) as pieces:
            async for text in pieces:
                texts.append(text)
            response: LLMResponse = pieces.response
    assert texts == list(case.texts)
    assert response.content == "".join(case.texts)
    assert response.finish_reason == case.finish
    assert [
        FunctionCall(call.id, call.name, json.loads(call.arguments)) for call in response.tool_calls
    ] == list(case.calls)
    assert (response.model, response.request_id) == ("m-1", "c1")
    usage = response.usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (100, 20, False)
    assert (response.cached_tokens, response.reasoning_tokens) == (64, 12)


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_signed_thoughts_are_sent_back_unchanged(service: FakeService) -> None:
    events = events_of(service, (), TWO, "tool_calls")
    if service.name == "anthropic":
        thinking = {"type": "thinking", "thinking": "", "signature": ""}
        events[1:1] = [
            {"type": "content_block_start", "index": 9, "content_block": thinking},
            *(
                {"type": "content_block_delta", "index": 9, "delta": delta}
                for delta in (
                    {"type": "thinking_delta", "thinking": "Two "},
                    {"type": "thinking_delta", "thinking": "tools."},
                    {"type": "signature_delta", "signature": "signed"},
                )
            ),
            {
                "type": "content_block_start",
                "index": 10,
                "content_block": {"type": "redacted_thinking", "data": "c2VjcmV0"},
            },
        ]
    with ModelServer(stream(*events, done=service.done), service.answers()) as server:
        async with service.provider(server) as provider:
            first = await provider.acomplete(HI)
            message = Message(
                "assistant", first.content, tool_calls=first.tool_calls, thoughts=first.thoughts
            )
            answers = [Message("tool", "1", tool_call_id=call.id) for call in first.tool_calls]
            await provider.acomplete([*HI, message, *answers])
    sent = json.dumps(server.requests[1].json)
    if service.name == "anthropic":
        blocks = server.requests[1].json["messages"][1]["content"]
        assert blocks[:2] == [
            {"type": "thinking", "thinking": "Two tools.", "signature": "signed"},
            {"type": "redacted_thinking", "data": "c2VjcmV0"},
        ]
    elif service.name == "gemini":
        parts = server.requests[1].json["contents"][1]["parts"]
        assert [part["thoughtSignature"] for part in parts] == ["c2lnbmVk", "c2lnbmVk"]
    else:
        assert "signature" not in sent
