"""
A real HTTP server on loopback that plays a model service, well-behaved or not.

Raw sockets, so that it can break the protocol anywhere. It counts requests and open connections,
and sees a client hang up. Plays are taken in turn; the last one stays.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

WAIT_SECONDS = 20.0
TLS_HELLO = b"\x16"


@dataclass(frozen=True)
class Seen:
    """A request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass
class Wire:
    """The server's end of one connection, during one request."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    keep: bool = False
    """Whether the connection may serve another request."""

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Said", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        self.writer.write("\r\n".join(lines).encode())
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def end(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        self.keep = True

    async def hung_up(self) -> None:
        """Return when the client has closed the connection."""
        while await self.reader.read(4096):
            pass


Play = Callable[[Seen, Wire], Awaitable[None]]
STREAM = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}


def delta(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Give one chunk of an answer."""
    return {
        "model": "served-model",
        "choices": [{"index": 0, "delta": {"content": text, **more}, "finish_reason": finish}],
    }


def usage(given: int, written: int, **more: Any) -> dict[str, Any]:
    """Give the chunk that counts the tokens."""
    counts = {"prompt_tokens": given, "completion_tokens": written, **more}
    return {"model": "served-model", "choices": [], "usage": counts}


def event(data: object) -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


DONE = event(b"[DONE]")


def stream(
    *events: object,
    done: bool = True,
    cut: bool = False,
    hold: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Play:
    """
    Send each event in a chunk of its own.

    Args:
        done: Send `[DONE]` at the end.
        cut: Close the connection without the end of the chunked body.
        hold: Then say no more until the client hangs up.
    """

    async def play(_seen: Seen, wire: Wire) -> None:
        await wire.head(200, {**STREAM, **(headers or {})})
        for data in events:
            await wire.chunk(event(data))
        if hold:
            await wire.hung_up()
        elif not cut:
            if done:
                await wire.chunk(DONE)
            await wire.end()

    return play


def answer(text: str = "Hello there", given: int = 3, written: int = 2) -> Play:
    """Answer properly, a word a chunk."""
    words = text.replace(" ", " \0").split("\0")
    return stream(*map(delta, words), delta(finish="stop"), usage(given, written))


def bytes_of(body: bytes) -> Play:
    """Send exactly these bytes as a stream, byte by byte."""

    async def play(_seen: Seen, wire: Wire) -> None:
        await wire.head(200, STREAM)
        for i in range(len(body)):
            await wire.chunk(body[i : i + 1])
        await wire.end()

    return play


def reply(status: int, body: bytes | Mapping[str, Any] | Sequence[Any], **headers: str) -> Play:
    """Answer with one body; a keyword `retry_after` is the header `retry-after`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def play(_seen: Seen, wire: Wire) -> None:
        head = {"content-type": "application/json", "content-length": str(len(raw)), **named}
        await wire.head(status, head)
        wire.writer.write(raw)
        await wire.writer.drain()
        wire.keep = True

    return play


async def silent(_seen: Seen, wire: Wire) -> None:
    """Take the request and never answer."""
    await wire.hung_up()


async def hang_up(_seen: Seen, _wire: Wire) -> None:
    """Close the connection instead of answering."""


class ModelServer:
    """
    Plays one model service from `with ModelServer(play, ...) as server:` to its end.

    Args:
        plays: What to do with each request in turn; the last one stays.
        greeting: What a client that begins with TLS is told, in plain text; None is nothing.

    Attributes:
        seen: Every request, in the order of arrival.
        connections: Ever opened.
        open: Open now.
    """

    def __init__(self, *plays: Play, greeting: bytes | None = b"HTTP/1.1 400 Plain\r\n") -> None:
        self._greeting = greeting
        self.plays = list(plays) or [answer()]
        self.seen: list[Seen] = []
        self.connections = self.open = self.port = 0
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def wait_until(self, true_of: Callable[[ModelServer], bool]) -> None:
        """Block until something holds of this server; an error after a long while."""
        with self._changed:
            held = self._changed.wait_for(lambda: true_of(self), WAIT_SECONDS)
        assert held, f"{self.open} connections open, {len(self.seen)} requests seen"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(WAIT_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connection(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count(opened=1)
        try:
            while (seen := await self._read(reader, writer)) is not None:
                with self._changed:
                    self.seen.append(seen)
                    play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
                    self._changed.notify_all()
                wire = Wire(reader, writer)
                await play(seen, wire)
                if not wire.keep:
                    break
        except ConnectionError:
            pass  # the client hung up in the middle; tests ask `open` about it
        finally:
            writer.close()
            self._count(closed=1)

    def _count(self, opened: int = 0, closed: int = 0) -> None:
        with self._changed:
            self.connections += opened
            self.open += opened - closed
            self._changed.notify_all()

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Seen | None:
        try:
            first = await reader.readexactly(1)
            if first == TLS_HELLO:
                writer.write(self._greeting or b"")
                await reader.read()
                return None
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except asyncio.IncompleteReadError:
            return None
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Seen(head[0].split()[1], headers, body)


@contextmanager
def nobody() -> Iterator[str]:
    """Give an address at which nothing listens."""
    with socket.socket() as taken:  # bound and not listening: nobody else gets the port
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
