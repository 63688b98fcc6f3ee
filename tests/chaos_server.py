"""
A model service that picks any fault in any phase by chance, from a seed, and keeps its own books.

What it bills stays within what it was asked for: the bytes of the prompt and `max_tokens`. What it
claims may be anything. The faults are bytes on the wire, the same for each dialect.
"""

from __future__ import annotations

import gzip
import json
import random
import socket
import struct
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from weakref import WeakSet

from tests.fake_services import FakeService, FunctionCall
from tests.servers import DONE, Connection, Request

TEXTS = (
    "Hello there",
    "",
    "yes",
    "no",
    '{"n": 1}',
    "Zwölf 🐝 summen\u2028laut",
    "x" * 3_000,
    "\x00\x1b[2J",
)
WAITS = (
    "0", "0.01", "1e5", "-1", "nan", "soon", "9" * 400, "0, 5", "3600", "",
    "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 9999 99:99:99 GMT", "Fri, 31 Feb 2040 -9999",
)  # fmt: skip
RATES = {
    "x-ratelimit-limit-tokens": ("0", "-5", "1e9", "nan", "100000"),
    "x-ratelimit-remaining-tokens": ("0", "-1", "9" * 40, "99999"),
    "x-ratelimit-reset-tokens": ("10ms", "0s", "-1s", "1s1s", "inf", "5"),
    "anthropic-ratelimit-requests-remaining": ("0", "x", "50"),
    "anthropic-ratelimit-requests-reset": ("2020-01-01T00:00:00Z", "0001-01-01", "+99999-01-01"),
}
NUMBERS: tuple[Any, ...] = (
    None, 0, -1, -(10**12), 0.5, 10**310, 10**12, True, "7", [], {}, float("nan"), float("inf"),
    -float("inf"),
)  # fmt: skip
"""Counts that no exchange has."""
OTHER_NAMES = {
    "prompt_tokens": "input_tokens", "completion_tokens": "output_tokens",
    "input_tokens": "promptTokenCount", "output_tokens": "candidatesTokenCount",
    "promptTokenCount": "prompt_tokens", "candidatesTokenCount": "completion_tokens",
}  # fmt: skip
"""The names of another dialect."""
JUNK: tuple[object, ...] = (
    {}, {"unknown": 1}, b"not json", b"[" * 500, b'{"a":' * 300, [], "text", 7, None, b"",
    {"choices": []}, {"candidates": []}, {"choices": None}, {"type": "ping"}, {"type": []},
    {"choices": [{"index": 1, "delta": {"content": "another answer"}}]},
    {"choices": [{"index": -1, "delta": {"tool_calls": [{"index": 10**30}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"index": "x", "function": []}]}}]},
    {"candidates": [{"index": 5, "content": {"parts": [{"text": "another"}]}}]},
    {"candidates": [{"content": {"parts": [{"functionCall": {"name": 1, "args": []}}]}}]},
    {"type": "content_block_delta", "index": 99, "delta": {"type": "text_delta", "text": "x"}},
    {"type": "content_block_start", "index": -3, "content_block": {"type": "tool_use"}},
    b'{"choices": [{"delta": {"content": "\\ud83d"}}]}', b'{"id": "\xff\xfe"}',
)  # fmt: skip


class ChaosService:
    """
    A handler of `tests.servers.ModelServer`.

    Args:
        service: The dialect.
        prices: Dollars per million tokens of input and output, by model.
        seed: Of every choice.

    Attributes:
        billed: Dollars, by the key of the caller.
        lost: Those of answers that broke a reused connection before they began.
        received: Requests, by the key of the caller.
    """

    def __init__(
        self, service: FakeService, prices: Mapping[str, tuple[Decimal, Decimal]], seed: int
    ) -> None:
        self.service = service
        self.prices = prices
        self.billed: dict[str, Decimal] = defaultdict(Decimal)
        self.lost: dict[str, Decimal] = defaultdict(Decimal)
        self.received: dict[str, int] = defaultdict(int)
        self._seen: WeakSet[Any] = WeakSet()
        self._chance = random.Random(seed)

    async def __call__(self, request: Request, connection: Connection) -> None:
        key = request.headers.get(self.service.key_header, "").removeprefix("Bearer ")
        self.received[key] += 1
        answer = _Answer(self, request, key)
        answer.prepare()
        self.billed[key] += answer.cost
        reused = connection.writer in self._seen
        self._seen.add(connection.writer)
        if reused and answer.may_be_lost:
            self.lost[key] += answer.cost
        await answer.send(connection)


class _Answer:
    """One answer: the head and the body as bytes, what it costs, and how they are sent."""

    def __init__(self, chaos: ChaosService, request: Request, key: str) -> None:
        self._chaos = chaos
        self._service = chaos.service
        self._chance = chaos._chance
        self._request = request
        self._key = key
        self.cost = Decimal(0)
        self._head = self._body = b""

    def _happens(self, probability: float) -> bool:
        return self._chance.random() < probability

    # -- what it says -----------------------------------------------------------------------

    def prepare(self) -> None:
        """Decide on everything."""
        chance = self._chance
        kind = chance.choices(
            ("answer", "error", "page", "redirect", "nothing"), (60, 16, 6, 6, 12)
        )[0]
        self._status, self._headers = 200, {"content-type": "text/event-stream"}
        if kind == "answer":
            self._answer()
        elif kind == "error":
            self._error()
        elif kind == "page":
            self._charge(*self._truth())
            self._headers["content-type"] = chance.choice(("text/html", "application/json", "x"))
            self._body = chance.choice(
                (
                    b"<!doctype html><p>" + self._key.encode(),
                    b"",
                    b"[]",
                    b"{}",
                    b"\x00\xff" * 99,
                    b'{"a":' * 9_000,
                )
            )
        elif kind == "redirect":
            self._charge(*self._truth())
            self._status = chance.choice((301, 302, 303, 307, 308, 304))
            target = (self._request.path, "http://127.0.0.1:1/", "//", "file:///etc/passwd", "\x00")
            if self._happens(0.7):
                self._headers["location"] = chance.choice(target) + f"?key={self._key}"
        else:
            self._charge(*self._truth())
        self._is_silent = kind == "nothing"
        self._stop_how: str | None = None
        if self._is_silent or self._happens(0.1):
            ways = ("close", "reset", "half", "silent")
            self._stop_how = chance.choices(ways, (35, 35, 15, 15))[0]
        for name, values in RATES.items():
            if self._happens(0.05):
                self._headers[name] = chance.choice(values)
        if self._happens(0.1):
            self._headers["x-request-id"] = chance.choice((self._key, "r" * 5_000, "\x7f"))
        self._frame()

    def _limits(self) -> tuple[int, int]:
        """The most tokens that this request can cost."""
        body = self._request.json
        config = body.get("generationConfig") or {}
        limit = body.get("max_tokens") or body.get("max_completion_tokens")
        prompt = json.dumps(body.get("messages") or body.get("contents"), ensure_ascii=False)
        return len(prompt.encode()) // 2, limit or config["maxOutputTokens"]

    def _truth(self) -> tuple[int, int]:
        """The tokens that this request really cost."""
        most_in, most_out = self._limits()
        return self._chance.randint(1, most_in), self._chance.randint(1, most_out)

    def _charge(self, sent: int, received: int) -> None:
        model = self._request.json.get("model")
        if model is None:  # Gemini's is in the path
            model = self._request.path.rpartition("/")[2].partition(":")[0]
        rates = self._chaos.prices[model]
        self.cost = (sent * rates[0] + received * rates[1]) / 1_000_000

    def _answer(self) -> None:
        chance, service = self._chance, self._service
        text = chance.choice(TEXTS) if self._happens(0.95) else f"your key is {self._key}"
        sent, received = self._truth()
        self._charge(sent, received)
        pieces = [text[i : i + 700] for i in range(0, len(text), 700)]
        calls: list[Any] = []
        if self._happens(0.1):
            call = FunctionCall(chance.choice(("a", "", self._key)), "look", {"key": self._key})
            calls = service.tool_call_events(chance.choice((0, 7)), call)
        finish = chance.choices(("stop", "length", "tool_calls", "odd", ""), (80, 5, 5, 5, 5))[0]
        end = service.end_events(finish, sent, received)
        if self._happens(0.4):
            end = [self._lie(event) for event in end]
        events: list[object] = [
            *service.start_events(), *map(service.text_event, pieces), *calls, *end
        ]  # fmt: skip
        for _ in range(chance.choices((0, 1, 3), (70, 25, 5))[0]):
            events.insert(chance.randint(0, len(events)), chance.choice(JUNK))
        if self._happens(0.06):
            error = service.error_body(chance.choice((429, 500, 529)), "c", f"no {self._key}")
            events.insert(chance.randint(len(service.start_events()) + 1, len(events)), error)
        if self._happens(0.08):
            events = events[: chance.randint(0, len(events))]
        self._body = b"".join(map(self._event, events))
        if service.done and self._happens(0.9):
            self._body += DONE * chance.choice((1, 1, 1, 2))
        if self._happens(0.05):
            self._body = b"\xef\xbb\xbf" + self._body
        if self._happens(0.1):
            self._body += self._event(chance.choice(JUNK))
        if self._happens(0.2):
            end_of_line = chance.choice((b"\r\n", b"\r"))
            self._body = self._body.replace(b"\n", end_of_line)
        if self._happens(0.05):
            place = chance.randint(0, len(self._body))
            self._body = self._body[:place] + chance.randbytes(3) + self._body[place:]
        if self._happens(0.1):
            types = ("TEXT/EVENT-STREAM; charset=x", "application/json", "text/html", "", "\xff")
            self._headers["content-type"] = chance.choice(types)

    def _lie(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Claim counts that cannot be true, or none."""
        name = "usageMetadata" if "usageMetadata" in event else "usage"
        if not event.get(name):
            return dict(event)
        how = self._chance.choice(("none", "shape", "names", "numbers", "numbers", "cached"))
        counts: Any = dict(event[name])
        counts.pop("totalTokenCount", None)
        if how == "none":
            return {key: value for key, value in event.items() if key != name}
        if how == "shape":
            counts = self._chance.choice(([], "many", 7, {}, None, [counts]))
        elif how == "names":
            counts = {OTHER_NAMES[key]: value for key, value in counts.items()}
        elif how == "numbers":
            counts = dict.fromkeys(counts, self._chance.choice(NUMBERS))
        else:
            many = {"cached_tokens": 10**8}
            counts |= {
                "prompt_tokens_details": many,
                "cache_read_input_tokens": 10**8,
                "cachedContentTokenCount": 10**8,
                "completion_tokens_details": {"reasoning_tokens": -1},
            }
        return {**event, name: counts}

    def _event(self, data: object) -> bytes:
        raw = (
            data
            if isinstance(data, bytes)
            else json.dumps(data, ensure_ascii=self._happens(0.5)).encode("utf-8", "surrogatepass")
        )
        before = self._chance.choices(
            (b"", b": comment\n", b"event: x\nid: 1\n", b"\n\n\n", b"retry: 1\n"), (80, 5, 5, 5, 5)
        )[0]
        return before + self._chance.choice((b"data: ", b"data: ", b"data:")) + raw + b"\n\n"

    def _error(self) -> None:
        chance = self._chance
        self._status = chance.choice(
            (400, 404, 408, 409, 413, 418, 429, 429, 429, 500, 500, 503, 503, 529, 599)
        )
        self._headers["content-type"] = "application/json"
        error: Any = self._service.error_body(self._status, "code", f"no, {self._key}")
        shapes = (
            error,
            [error],
            {"error": [error]},
            {"error": None},
            {"detail": self._key},
            "no",
            7,
        )
        self._body = json.dumps(chance.choice(shapes)).encode()
        if self._happens(0.2):
            self._body = chance.choice((b"", b"<html>" + self._key.encode(), b"{" * 9_000, b"\xff"))
        for name in ("retry-after", "retry-after-ms"):
            if self._happens(0.4):
                self._headers[name] = chance.choice(WAITS)

    # -- how it says it ---------------------------------------------------------------------

    def _frame(self) -> None:
        """Compress the body, cut it to pieces, and write the head, each perhaps wrongly."""
        chance, body = self._chance, self._body
        if self._happens(0.12):
            packed = gzip.compress(body)
            flood = gzip.compress(b"data: " + b"x" * 4_000_000)
            kinds = (packed, packed, packed[: len(packed) // 2], flood, body, packed + b"junk")
            body = chance.choice(kinds)
            encodings = ("gzip", "gzip", "GZIP", "deflate", "br", "gzip, gzip", "identity")
            self._headers["content-encoding"] = chance.choice(encodings)
        framing = chance.choices(("chunked", "length", "close"), (70, 20, 10))[0]
        self._keeps = framing != "close"
        if framing == "chunked":
            self._headers["transfer-encoding"] = "chunked"
            size = (
                chance.choice((1_000_000, 1_000_000, 500, 60))
                if len(body) > 300
                else chance.choice((1, 7, 300))
            )
            parts = [body[i : i + size] for i in range(0, len(body), size)]
            pieces = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]
            pieces.append(b"0\r\n\r\n")
            if self._happens(0.08):
                bad = (b"zz\r\n", b"-1\r\n", b"f" * 40 + b"\r\n", b"5;x=1\r\nab", b"\r\n")
                pieces.insert(chance.randint(0, len(pieces)), chance.choice(bad))
        else:
            size = chance.choice((1_000_000, 100)) if len(body) > 300 else chance.choice((5, 300))
            pieces = [body[i : i + size] for i in range(0, len(body), size)]
            length = str(len(body))
            if framing == "length":
                wrong = (
                    str(len(body) + 9),
                    str(len(body) // 2),
                    "-1",
                    "many",
                    "9" * 30,
                    f"{length}, 1",
                )
                self._headers["content-length"] = length
                if self._happens(0.15):
                    self._headers["content-length"] = chance.choice(wrong)
        self._pieces = pieces
        version, reason = "HTTP/1.1", "Said"
        if self._happens(0.05):
            version = chance.choice(("HTTP/1.0", "HTTP/1.0", "HTTP/9.9", "ICY", ""))
        if self._happens(0.05):
            self._headers["x-huge"] = "h" * chance.choice((9_000, 120_000))
        if self._happens(0.05):
            self._headers["connection"] = chance.choice(("close", "keep-alive, close", "upgrade"))
        lines = [f"{version} {self._status} {reason}"]
        lines += [f"{name}: {value}" for name, value in self._headers.items()]
        if self._happens(0.03):
            lines.insert(
                1, chance.choice(("no colon", ": nameless", " folded", "a\x00b: c", "é: ü"))
            )
        head = "\r\n".join((*lines, "", "")).encode("latin-1", "replace")
        if self._happens(0.05):
            early = (b"100 Continue", b"103 Early Hints", b"102 Processing", b"101 Switching")
            head = b"HTTP/1.1 %s\r\n\r\n" % chance.choice(early) * chance.choice((1, 3)) + head
        self._head = head

    async def send(self, connection: Connection) -> None:
        """Send it, perhaps not to the end."""
        chance, writer = self._chance, connection.writer
        if self._is_silent:
            await self._stop(connection)
            return
        writer.write(self._head)
        last = len(self._pieces) if self._stop_how is None else chance.randint(0, len(self._pieces))
        for piece in self._pieces[:last]:
            writer.write(piece)
            if self._happens(0.3):
                await writer.drain()
        await writer.drain()
        if self._stop_how is not None:
            await self._stop(connection)
        elif self._happens(0.05):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nmore")
        else:
            connection.keep = self._keeps and self._happens(0.9)

    @property
    def may_be_lost(self) -> bool:
        """Whether the client may see a broken connection instead of a reply."""
        return self._stop_how == "reset" or (self._is_silent and self._stop_how != "silent")

    async def _stop(self, connection: Connection) -> None:
        """End in the middle: close, reset, close half of the connection, or fall silent."""
        how = self._stop_how
        if how == "reset":
            reset = struct.pack("ii", 1, 0)
            connection.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, reset
            )
        elif how == "half":
            connection.writer.write_eof()
            await connection.wait_for_disconnect()
        elif how == "silent":
            await connection.wait_for_disconnect()
