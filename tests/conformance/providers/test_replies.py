"""Every reply that the services' own SDKs can read, we read, and it means the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from dagorch.models.llm import FinishReason, LLMResponse, Message
from tests.conformance.providers.theirs import ENDS, EVENTS
from tests.servers import ModelServer, stream
from tests.speech import SPEECHES, FunctionCall, Speech

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


@pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.name)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_reply_of_theirs_parses_as_ours(speech: Speech, case: Case) -> None:
    events = EVENTS[speech.name](case.texts, case.calls, ENDS[speech.name][case.finish], COUNTS)
    heard: list[str] = []
    with ModelServer(stream(*events, done=speech.done)) as server:
        async with speech.provider(server) as provider, provider.stream(HI) as pieces:
            async for text in pieces:
                heard.append(text)
            response: LLMResponse = pieces.response
    assert heard == list(case.texts)
    assert response.content == "".join(case.texts)
    assert response.finish_reason == case.finish
    assert [
        FunctionCall(call.id, call.name, json.loads(call.arguments)) for call in response.tool_calls
    ] == list(case.calls)
    assert (response.model, response.request_id) == ("m-1", "c1")
    usage = response.usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (100, 20, False)
    assert (response.cached_tokens, response.reasoning_tokens) == (64, 12)


@pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.name)
async def test_what_a_service_signed_goes_back_as_it_came(speech: Speech) -> None:
    events = list(EVENTS[speech.name]((), TWO, ENDS[speech.name]["tool_calls"], COUNTS))
    if speech.name == "anthropic":
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
    with ModelServer(stream(*events, done=speech.done), speech.says()) as server:
        async with speech.provider(server) as provider:
            first = await provider.acomplete(HI)
            said = Message(
                "assistant", first.content, tool_calls=first.tool_calls, thoughts=first.thoughts
            )
            answers = [Message("tool", "1", tool_call_id=call.id) for call in first.tool_calls]
            await provider.acomplete([*HI, said, *answers])
    sent = json.dumps(server.seen[1].json)
    if speech.name == "anthropic":
        blocks = server.seen[1].json["messages"][1]["content"]
        assert blocks[:2] == [
            {"type": "thinking", "thinking": "Two tools.", "signature": "signed"},
            {"type": "redacted_thinking", "data": "c2VjcmV0"},
        ]
    elif speech.name == "gemini":
        parts = server.seen[1].json["contents"][1]["parts"]
        assert [part["thoughtSignature"] for part in parts] == ["c2lnbmVk", "c2lnbmVk"]
    else:
        assert "signature" not in sent
