"""
A model service on loopback, in a process of its own, so that its work does not count for a client.

It serves only the benchmarks: it reads whole requests, looks only at their path, and answers each
dialect with the same twenty words and token counts. The path `/{pace}/...` sets the pace: `whole`
writes once, `stream` writes one event per iteration of the event loop, and `after-1.5` writes once
after that many seconds. The process ends when its standard input closes, or after half an hour.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

WORDS = tuple(f"word{number} " for number in range(20))
ANSWER = "".join(WORDS)
INPUT_TOKENS = 12
MAX_SECONDS = 1_800.0
BACKLOG = 4_096

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_1\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_END = b"0\r\n\r\n"


@dataclass(frozen=True)
class Service:
    """A running service."""

    port: int

    def url(self, pace: str) -> str:
        """Return the address for a pace."""
        return f"http://127.0.0.1:{self.port}/{pace}"

    def connections(self) -> int:
        """Return the number of connections so far, without the one of this request."""
        with urllib.request.urlopen(self.url("connections"), timeout=10) as reply:
            return int(reply.read())


@contextmanager
def running() -> Iterator[Service]:
    """Run the service until the block ends."""
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Service(int(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(10)


def _event(data: Any, name: str = "") -> bytes:
    """Return an event as one chunk of a chunked body."""
    text = data if isinstance(data, str) else json.dumps(data)
    line = f"event: {name}\n" if name else ""
    event = f"{line}data: {text}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


def _openai() -> list[bytes]:
    def chunk(choices: list[Any], **more: Any) -> bytes:
        return _event(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "gpt-4o-mini",
                "choices": choices,
                **more,
            }
        )

    def choice(finish: str | None = None, **delta: str) -> list[Any]:
        return [{"index": 0, "delta": delta, "finish_reason": finish}]

    count = len(WORDS)
    usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": count}
    return [
        chunk(choice(role="assistant", content="")),
        *(chunk(choice(content=word)) for word in WORDS),
        chunk(choice("stop")),
        chunk([], usage={**usage, "total_tokens": INPUT_TOKENS + count}),
        _event("[DONE]"),
    ]


def _anthropic() -> list[bytes]:
    def event(kind: str, **more: Any) -> bytes:
        return _event({"type": kind, **more}, kind)

    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1},
    }
    return [
        event("message_start", message=message),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *(
            event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
            for word in WORDS
        ),
        event("content_block_stop", index=0),
        event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": len(WORDS)},
        ),
        event("message_stop"),
    ]


def _gemini() -> list[bytes]:
    def chunk(word: str, written: int) -> bytes:
        candidate: dict[str, Any] = {
            "content": {"parts": [{"text": word}], "role": "model"},
            "index": 0,
        }
        if written == len(WORDS):
            candidate["finishReason"] = "STOP"
        usage = {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": written,
            "totalTokenCount": INPUT_TOKENS + written,
        }
        return _event(
            {
                "candidates": [candidate],
                "usageMetadata": usage,
                "modelVersion": "gemini-2.5-flash",
                "responseId": "resp_1",
            }
        )

    return [chunk(word, written) for written, word in enumerate(WORDS, 1)]


class _Connection(asyncio.Protocol):
    """The connection of one client."""

    opened = 0
    answers: dict[bytes, list[bytes]]

    def __init__(self) -> None:
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _Connection.opened += 1

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, separator, body = self._read.partition(b"\r\n\r\n")
        if not separator:
            return
        _, _, length = head.lower().partition(b"content-length:")
        if len(body) < int(length.split(b"\r\n", 1)[0] or 0):
            return
        self._read = b""
        self._answer(head.split(b" ", 2)[1])

    def _answer(self, path: bytes) -> None:
        if path == b"/connections":
            _Connection.opened -= 1
            count = str(_Connection.opened).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
                % (len(count), count)
            )
            self._transport.close()
            return
        pace, _, rest = path[1:].partition(b"/")
        kinds = (b"chat/completions", b"messages")
        kind = next((kind for kind in kinds if kind in rest), b"generateContent")
        chunks = [_HEAD, *self.answers[kind], _END]
        if pace == b"stream":
            self._chunk(iter(chunks))
        else:
            seconds = float(pace.partition(b"-")[2] or 0.0)
            _after(seconds, lambda: self._transport.write(b"".join(chunks)))

    def _chunk(self, chunks: Iterator[bytes]) -> None:
        """Write the next chunk, and schedule the ones after it."""
        chunk = next(chunks, None)
        if chunk is not None and not self._transport.is_closing():
            self._transport.write(chunk)
            asyncio.get_running_loop().call_soon(self._chunk, chunks)


def _after(seconds: float, callback: Callable[[], None]) -> None:
    if seconds:
        asyncio.get_running_loop().call_later(seconds, callback)
    else:
        callback()


async def _serve() -> None:
    _Connection.answers = {
        b"chat/completions": _openai(),
        b"messages": _anthropic(),
        b"generateContent": _gemini(),
    }
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=BACKLOG)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    async with asyncio.timeout(MAX_SECONDS):
        await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
