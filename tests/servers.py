"""
A real HTTP server on loopback that acts as a model service, correct or faulty.

It uses raw sockets, so that it can break the protocol anywhere. It counts requests and open
connections, and notices when a client disconnects.
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
class Request:
    """A received request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass
class Connection:
    """The server's end of a connection, during one request."""

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

    async def wait_for_disconnect(self) -> None:
        """Return when the client has closed the connection."""
        while await self.reader.read(4096):
            pass


Handler = Callable[[Request, Connection], Awaitable[None]]
STREAM = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}


def delta(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Build one chunk of an answer."""
    return {
        "model": "served-model",
        "choices": [{"index": 0, "delta": {"content": text, **more}, "finish_reason": finish}],
    }


def usage(input_tokens: int, output_tokens: int, **more: Any) -> dict[str, Any]:
    """Build the chunk with the token counts."""
    counts = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens, **more}
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
) -> Handler:
    """
    Send each event in its own chunk.

    Args:
        done: Send `[DONE]` at the end.
        cut: Close the connection without the end of the chunked body.
        hold: Then send nothing more until the client disconnects.
    """

    async def handle(_request: Request, connection: Connection) -> None:
        await connection.head(200, {**STREAM, **(headers or {})})
        for data in events:
            await connection.chunk(event(data))
        if hold:
            await connection.wait_for_disconnect()
        elif not cut:
            if done:
                await connection.chunk(DONE)
            await connection.end()

    return handle


def answer(text: str = "Hello there", input_tokens: int = 3, output_tokens: int = 2) -> Handler:
    """Send a correct answer, one word per chunk."""
    words = text.replace(" ", " \0").split("\0")
    return stream(*map(delta, words), delta(finish="stop"), usage(input_tokens, output_tokens))


def byte_by_byte(body: bytes) -> Handler:
    """Send these bytes as a stream, one byte per chunk."""

    async def handle(_request: Request, connection: Connection) -> None:
        await connection.head(200, STREAM)
        for i in range(len(body)):
            await connection.chunk(body[i : i + 1])
        await connection.end()

    return handle


def reply(status: int, body: bytes | Mapping[str, Any] | Sequence[Any], **headers: str) -> Handler:
    """Send one body; a keyword `retry_after` becomes the header `retry-after`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def handle(_request: Request, connection: Connection) -> None:
        head = {"content-type": "application/json", "content-length": str(len(raw)), **named}
        await connection.head(status, head)
        connection.writer.write(raw)
        await connection.writer.drain()
        connection.keep = True

    return handle


async def silent(_request: Request, connection: Connection) -> None:
    """Receive the request and never answer."""
    await connection.wait_for_disconnect()


async def hang_up(_request: Request, _connection: Connection) -> None:
    """Close the connection instead of answering."""


class ModelServer:
    """
    One model service: `with ModelServer(handler, ...) as server:`.

    Args:
        handlers: One for each request, in order; the last one handles all further requests.
        greeting: Plain text sent to a client that begins with TLS; None sends nothing.

    Attributes:
        requests: Every request, in order of arrival.
        connections: How many were ever opened.
        open: How many are open now.
    """

    def __init__(
        self, *handlers: Handler, greeting: bytes | None = b"HTTP/1.1 400 Plain\r\n"
    ) -> None:
        self._greeting = greeting
        self.handlers = list(handlers) or [answer()]
        self.requests: list[Request] = []
        self.connections = self.open = self.port = 0
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def wait_until(self, condition: Callable[[ModelServer], bool]) -> None:
        """Block until `condition(self)`; fails after 20 seconds."""
        with self._changed:
            met = self._changed.wait_for(lambda: condition(self), WAIT_SECONDS)
        assert met, f"{self.open} connections open, {len(self.requests)} requests received"

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
            while (request := await self._read(reader, writer)) is not None:
                with self._changed:
                    self.requests.append(request)
                    last = len(self.handlers) == 1
                    handler = self.handlers[0] if last else self.handlers.pop(0)
                    self._changed.notify_all()
                connection = Connection(reader, writer)
                await handler(request, connection)
                if not connection.keep:
                    break
        except ConnectionError:
            pass  # the client disconnected; tests check `open`
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
    ) -> Request | None:
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
        return Request(head[0].split()[1], headers, body)


@contextmanager
def closed_port() -> Iterator[str]:
    """Yield an address at which nothing listens."""
    with socket.socket() as bound:  # bound but not listening: no other process gets the port
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
