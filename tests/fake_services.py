"""
Fake model services: the events that a loopback server sends, in each dialect.

`tests/servers.py` has the sockets and OpenAI's events. Here is one `FakeService` per dialect, so
that one test can run against all three.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagorch.providers import AnthropicProvider, GeminiProvider, HttpProvider, OpenAIProvider
from tests.servers import Handler, ModelServer, delta, reply, stream, usage


@dataclass(frozen=True)
class FunctionCall:
    """A tool call that a service asks for."""

    id: str
    name: str
    arguments: Mapping[str, Any]


class FakeService:
    """The service's side of one dialect."""

    name: str
    kind: type[HttpProvider]
    model: str
    path: str
    """Where requests arrive."""
    key_header: str

    def provider(self, server: ModelServer | str, **options: Any) -> HttpProvider:
        url = server if isinstance(server, str) else server.url
        return self.kind(url, **{"default_model": self.model, **options})

    def start_events(self) -> list[dict[str, Any]]:
        """Events before the first piece of text."""
        return []

    def text_event(self, text: str) -> dict[str, Any]:
        raise NotImplementedError

    def tool_call_events(self, index: int, call: FunctionCall) -> list[dict[str, Any]]:
        raise NotImplementedError

    def end_events(
        self, finish: str, input_tokens: int, output_tokens: int
    ) -> list[dict[str, Any]]:
        raise NotImplementedError

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:
        """The body of an error reply, which is also the error's event inside a stream."""
        raise NotImplementedError

    # Built from the methods above, the same for all dialects.

    done = False
    """Whether a stream ends with `[DONE]`."""

    def half(self, text: str = "half") -> list[dict[str, Any]]:
        """The events of an unfinished answer."""
        return [*self.start_events(), self.text_event(text)]

    def answers(
        self,
        text: str = "Hello there",
        input_tokens: int = 3,
        output_tokens: int = 2,
        **options: Any,
    ) -> Handler:
        """Send a correct answer, one word per chunk."""
        words = text.replace(" ", " \0").split("\0")
        events = [
            *self.start_events(),
            *map(self.text_event, words),
            *self.end_events("stop", input_tokens, output_tokens),
        ]
        return stream(*events, done=self.done, **options)

    def calls_tools(
        self, calls: Sequence[FunctionCall], input_tokens: int = 3, output_tokens: int = 2
    ) -> Handler:
        """Send tool calls, all in one answer."""
        pieces = [
            event
            for index, call in enumerate(calls)
            for event in self.tool_call_events(index, call)
        ]
        events = [
            *self.start_events(),
            *pieces,
            *self.end_events("tool_calls", input_tokens, output_tokens),
        ]
        return stream(*events, done=self.done)

    def fails(self, status: int, code: str, message: str = "no", **headers: str) -> Handler:
        return reply(status, self.error_body(status, code, message), **headers)

    def tool_results(self, body: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
        """The tool results in a request: id, text, and whether it is marked as an error."""
        raise NotImplementedError


class FakeOpenAI(FakeService):
    name = "openai"
    kind = OpenAIProvider
    model = "gpt-4o-mini"
    path = "/v1/chat/completions"
    key_header = "authorization"
    done = True

    def text_event(self, text: str) -> dict[str, Any]:
        return delta(text)

    def tool_call_events(self, index: int, call: FunctionCall) -> list[dict[str, Any]]:
        arguments = json.dumps(call.arguments)
        first = {"name": call.name, "arguments": arguments[:3]}
        rest = {"arguments": arguments[3:]}
        return [
            delta(tool_calls=[{"index": index, "id": call.id, "function": first}]),
            delta(tool_calls=[{"index": index, "function": rest}]),
        ]

    def end_events(
        self, finish: str, input_tokens: int, output_tokens: int
    ) -> list[dict[str, Any]]:
        return [delta(finish=finish), usage(input_tokens, output_tokens)]

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "code": code}}

    def tool_results(self, body: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
        turns = [turn for turn in body["messages"] if turn["role"] == "tool"]
        return [
            (turn["tool_call_id"], turn["content"], turn["content"].startswith("error:"))
            for turn in turns
        ]


class FakeAnthropic(FakeService):
    name = "anthropic"
    kind = AnthropicProvider
    model = "claude-haiku-4-5"
    path = "/v1/messages"
    key_header = "x-api-key"
    ends = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}

    def start_events(self) -> list[dict[str, Any]]:
        message = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "served-model",
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 1},
        }  # fmt: skip
        block = {"type": "text", "text": ""}
        return [
            {"type": "message_start", "message": message},
            {"type": "ping"},
            {"type": "content_block_start", "index": 0, "content_block": block},
        ]

    def text_event(self, text: str) -> dict[str, Any]:
        payload = {"type": "text_delta", "text": text}
        return {"type": "content_block_delta", "index": 0, "delta": payload}

    def tool_call_events(self, index: int, call: FunctionCall) -> list[dict[str, Any]]:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        arguments = json.dumps(call.arguments)
        return [
            {"type": "content_block_start", "index": index + 1, "content_block": block},
            *(
                {
                    "type": "content_block_delta",
                    "index": index + 1,
                    "delta": {"type": "input_json_delta", "partial_json": part},
                }
                for part in ("", arguments[:3], arguments[3:])
            ),
            {"type": "content_block_stop", "index": index + 1},
        ]

    def end_events(
        self, finish: str, input_tokens: int, output_tokens: int
    ) -> list[dict[str, Any]]:
        return [
            {
                "type": "message_delta",
                "delta": {"stop_reason": self.ends.get(finish, finish), "stop_sequence": None},
                "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens},
            },
            {"type": "message_stop"},
        ]

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:
        payload = {"type": code, "message": message}
        return {"type": "error", "error": payload, "request_id": "req_7"}

    def tool_results(self, body: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
        blocks = [block for turn in body["messages"] for block in turn["content"]]
        return [
            (block["tool_use_id"], block["content"], block.get("is_error", False))
            for block in blocks
            if block["type"] == "tool_result"
        ]


class FakeGemini(FakeService):
    name = "gemini"
    kind = GeminiProvider
    model = "gemini-2.5-flash"
    path = "/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    key_header = "x-goog-api-key"
    ends = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS"}

    def _parts(self, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
        content = {"role": "model", "parts": list(parts)}
        return {
            "candidates": [{"content": content, "index": 0, **more}],
            "modelVersion": "served-model",
            "responseId": "resp-1",
        }

    def text_event(self, text: str) -> dict[str, Any]:
        return self._parts({"text": text})

    def tool_call_events(self, index: int, call: FunctionCall) -> list[dict[str, Any]]:
        function = {"name": call.name, "args": dict(call.arguments)}
        if call.id:
            function["id"] = call.id
        return [self._parts({"functionCall": function})]

    def end_events(
        self, finish: str, input_tokens: int, output_tokens: int
    ) -> list[dict[str, Any]]:
        last = self._parts({"text": ""}, finishReason=self.ends.get(finish, finish))
        counts = {
            "promptTokenCount": input_tokens,
            "candidatesTokenCount": output_tokens,
            "totalTokenCount": input_tokens + output_tokens,
        }
        return [{**last, "usageMetadata": counts}]

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:
        return {"error": {"code": status, "message": message, "status": code}}

    def tool_results(self, body: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
        parts = [part for turn in body["contents"] for part in turn["parts"]]
        found = [part["functionResponse"] for part in parts if "functionResponse" in part]
        return [
            (
                part["id"],
                part["response"].get("output") or part["response"]["error"],
                "error" in part["response"],
            )
            for part in found
        ]


FAKE_SERVICES = (FakeOpenAI(), FakeAnthropic(), FakeGemini())
