"""
How each kind of service talks: what a loopback server sends to play it.

`tests/servers.py` has the sockets and OpenAI's words; here is one `Speech` for each dialect, so
that one test can be run against all three.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagorch.providers import AnthropicProvider, GeminiProvider, HttpProvider, OpenAIProvider
from tests.servers import ModelServer, Play, delta, reply, stream, usage


@dataclass(frozen=True)
class FunctionCall:
    """A tool call as a server asks for it."""

    id: str
    name: str
    arguments: Mapping[str, Any]


class Speech:
    """One dialect, from the service's side of the wire."""

    name: str
    kind: type[HttpProvider]
    model: str
    path: str
    """Where requests arrive."""
    key_header: str

    def provider(self, server: ModelServer | str, **options: Any) -> HttpProvider:
        url = server if isinstance(server, str) else server.url
        return self.kind(url, **{"default_model": self.model, **options})

    def opening(self) -> list[dict[str, Any]]:
        """What comes before the first piece of text."""
        return []

    def piece(self, text: str) -> dict[str, Any]:
        raise NotImplementedError

    def call(self, place: int, asked: FunctionCall) -> list[dict[str, Any]]:
        raise NotImplementedError

    def ending(self, finish: str, given: int, written: int) -> list[dict[str, Any]]:
        raise NotImplementedError

    def failure(self, status: int, code: str, message: str) -> dict[str, Any]:
        """An error's body, and in the middle of a stream its event."""
        raise NotImplementedError

    # The same for all, made of the above.

    done = False
    """Whether a stream ends with `[DONE]`."""

    def half(self, text: str = "half") -> list[dict[str, Any]]:
        return [*self.opening(), self.piece(text)]

    def says(
        self, text: str = "Hello there", given: int = 3, written: int = 2, **options: Any
    ) -> Play:
        """Answer properly, a word a chunk."""
        words = text.replace(" ", " \0").split("\0")
        events = [*self.opening(), *map(self.piece, words), *self.ending("stop", given, written)]
        return stream(*events, done=self.done, **options)

    def asks(self, calls: Sequence[FunctionCall], given: int = 3, written: int = 2) -> Play:
        """Ask for tools, all in one answer."""
        pieces = [event for place, call in enumerate(calls) for event in self.call(place, call)]
        events = [*self.opening(), *pieces, *self.ending("tool_calls", given, written)]
        return stream(*events, done=self.done)

    def fails(self, status: int, code: str, message: str = "no", **headers: str) -> Play:
        return reply(status, self.failure(status, code, message), **headers)

    def results(self, body: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
        """The results of tools in a request: id, text, and whether it is marked as an error."""
        raise NotImplementedError


class OpenAISpeech(Speech):
    name = "openai"
    kind = OpenAIProvider
    model = "gpt-4o-mini"
    path = "/v1/chat/completions"
    key_header = "authorization"
    done = True

    def piece(self, text: str) -> dict[str, Any]:
        return delta(text)

    def call(self, place: int, asked: FunctionCall) -> list[dict[str, Any]]:
        whole = json.dumps(asked.arguments)
        first = {"name": asked.name, "arguments": whole[:3]}
        rest = {"arguments": whole[3:]}
        return [
            delta(tool_calls=[{"index": place, "id": asked.id, "function": first}]),
            delta(tool_calls=[{"index": place, "function": rest}]),
        ]

    def ending(self, finish: str, given: int, written: int) -> list[dict[str, Any]]:
        return [delta(finish=finish), usage(given, written)]

    def failure(self, status: int, code: str, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "code": code}}

    def results(self, body: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
        turns = [turn for turn in body["messages"] if turn["role"] == "tool"]
        return [
            (turn["tool_call_id"], turn["content"], turn["content"].startswith("error:"))
            for turn in turns
        ]


class AnthropicSpeech(Speech):
    name = "anthropic"
    kind = AnthropicProvider
    model = "claude-haiku-4-5"
    path = "/v1/messages"
    key_header = "x-api-key"
    ends = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}

    def opening(self) -> list[dict[str, Any]]:
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

    def piece(self, text: str) -> dict[str, Any]:
        said = {"type": "text_delta", "text": text}
        return {"type": "content_block_delta", "index": 0, "delta": said}

    def call(self, place: int, asked: FunctionCall) -> list[dict[str, Any]]:
        block = {"type": "tool_use", "id": asked.id, "name": asked.name, "input": {}}
        whole = json.dumps(asked.arguments)
        return [
            {"type": "content_block_start", "index": place + 1, "content_block": block},
            *(
                {
                    "type": "content_block_delta",
                    "index": place + 1,
                    "delta": {"type": "input_json_delta", "partial_json": part},
                }
                for part in ("", whole[:3], whole[3:])
            ),
            {"type": "content_block_stop", "index": place + 1},
        ]

    def ending(self, finish: str, given: int, written: int) -> list[dict[str, Any]]:
        return [
            {
                "type": "message_delta",
                "delta": {"stop_reason": self.ends.get(finish, finish), "stop_sequence": None},
                "usage": {"input_tokens": given, "output_tokens": written},
            },
            {"type": "message_stop"},
        ]

    def failure(self, status: int, code: str, message: str) -> dict[str, Any]:
        said = {"type": code, "message": message}
        return {"type": "error", "error": said, "request_id": "req_7"}

    def results(self, body: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
        blocks = [block for turn in body["messages"] for block in turn["content"]]
        return [
            (block["tool_use_id"], block["content"], block.get("is_error", False))
            for block in blocks
            if block["type"] == "tool_result"
        ]


class GeminiSpeech(Speech):
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

    def piece(self, text: str) -> dict[str, Any]:
        return self._parts({"text": text})

    def call(self, place: int, asked: FunctionCall) -> list[dict[str, Any]]:
        function = {"name": asked.name, "args": dict(asked.arguments)}
        if asked.id:
            function["id"] = asked.id
        return [self._parts({"functionCall": function})]

    def ending(self, finish: str, given: int, written: int) -> list[dict[str, Any]]:
        last = self._parts({"text": ""}, finishReason=self.ends.get(finish, finish))
        counts = {
            "promptTokenCount": given,
            "candidatesTokenCount": written,
            "totalTokenCount": given + written,
        }
        return [{**last, "usageMetadata": counts}]

    def failure(self, status: int, code: str, message: str) -> dict[str, Any]:
        return {"error": {"code": status, "message": message, "status": code}}

    def results(self, body: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
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


SPEECHES = (OpenAISpeech(), AnthropicSpeech(), GeminiSpeech())
