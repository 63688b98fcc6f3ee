"""
Fuzzing: the bytes that each parser of foreign input gets, spoilt at random.

`TARGETS` feeds one parser each, and lets no exception pass but those that the parser documents.
`python -m tests.property.fuzzing TARGET SEED CASES` runs many cases within bounds of processor
time and memory; the tests of `test_fuzzed_input.py` run a few.
"""

# ruff: noqa: E501  the tables of bytes are not wrapped
from __future__ import annotations

import asyncio
import functools
import gzip
import json
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from unittest import mock

import anyio
import httpx

from dagorch import LLM
from dagorch.errors import DefinitionError, ProviderError, RunError, SourceError
from dagorch.exporters import read_record
from dagorch.exporters.report.html import to_html_report
from dagorch.files import load_graph
from dagorch.files.type_names import read_type
from dagorch.http.retry_after import retry_after_seconds, seconds_until
from dagorch.models.llm import LLMRequest, LLMResponse, Message
from dagorch.nodes.template import Template
from dagorch.nodes.types import type_name
from dagorch.providers.error_bodies import parse_error_body
from dagorch.providers.http_client import HttpClient, Timeouts
from dagorch.providers.http_reply import HttpReply, IdleTimeouts
from dagorch.providers.rate_headers import rate_limits
from dagorch.providers.sse import SSEDecoder
from dagorch.providers.wire import WireError
from dagorch.sources.feeds import read_feed
from dagorch.sources.html import plain_text, read_page
from dagorch.sources.http import Reply
from tests.fake_services import FAKE_SERVICES, FakeService, FunctionCall
from tests.property.test_spoilt_files import VALID
from tests.services import ATOM, RDF, SERVICES

RECORD: Final = Path(__file__).parents[1] / "unit/exporters/report/record_v1.json"
Target = Callable[[bytes], object]
MAX_SECONDS: Final = 1.0
"""Of processor time, for one case."""
MAX_BYTES: Final = 200_000_000
"""Of memory, for one case."""

# -- replies of services ------------------------------------------------------------------------


class Chunks(httpx.AsyncByteStream):
    """A body in chunks of a fixed size."""

    def __init__(self, body: bytes, size: int) -> None:
        self._chunks = [body[i : i + size] for i in range(0, len(body), size)]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


@functools.cache
def _loop() -> asyncio.Runner:
    return asyncio.Runner()


def exchange(service: FakeService, data: bytes) -> None:
    """Send a status, a size of chunks, headers and a body to a provider, as its service."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    numbers = [int(word) for word in first.split() if word.isdigit() and len(word) < 9]
    status, size = (*numbers, 200, 1_000)[:2]
    pairs = [line.partition(b":") for line in lines]
    headers = [(name.strip() or b"x", value.strip()) for name, _, value in pairs]

    @asynccontextmanager
    async def post(client: HttpClient, *_: Any) -> AsyncIterator[HttpReply]:
        response = httpx.Response(
            status if 200 <= status < 600 else 200,
            headers=headers,
            stream=Chunks(body, max(size, len(body) // 1_000, 1)),
        )
        with anyio.CancelScope() as scope:
            yield HttpReply(response, IdleTimeouts(scope, Timeouts()), client._scrub)

    async def ask() -> LLMResponse:
        provider = service.provider("http://127.0.0.1:1/v1", api_key="sk-0123456789abcdef")
        request = LLMRequest((Message("user", "Hi"),), max_tokens=9)
        return await provider.exchange(request, texts.append)

    texts: list[str] = []
    with mock.patch.object(HttpClient, "post", post), suppress(ProviderError):
        response = _loop().run(ask())
        assert isinstance(response.content, str)
        assert all(isinstance(text, str) for text in texts)
        json.dumps(response.content).encode()
        assert response.usage.cost_usd.is_finite()
        assert response.usage.cost_usd >= 0
        assert 0 <= response.usage.total_tokens < 10**10


def reply_seeds(service: FakeService) -> list[bytes]:
    call = FunctionCall("c1", "look", {"key": [1, "ü"]})
    answers = [
        [*service.half("Hallo 🐝"), *service.end_events("stop", 3, 2)],
        [*service.start_events(), *service.tool_call_events(0, call), *service.end_events("tool_calls", 3, 2)],
        [*service.half(), service.error_body(429, "c", "slow down")],
    ]  # fmt: skip
    bodies = [
        b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)
        for events in answers
    ]
    stream = b"content-type: text/event-stream\nretry-after: 2\nx-ratelimit-limit-tokens: 7"
    error = json.dumps(service.error_body(500, "c", "no")).encode()
    return [
        *(b"200 50\n%s\n\n%s" % (stream, body) for body in bodies),
        b"200 9\n%s\ncontent-encoding: gzip\n\n%s" % (stream, gzip.compress(bodies[0] * 20)),
        b"429 99\nretry-after: 2\n\n" + error,
        b"200 99\ncontent-type: application/json\n\n" + json.dumps(answers[0][-1]).encode(),
    ]


def sse(data: bytes) -> None:
    """The events do not depend on where the bytes are split."""
    size = 1 + sum(data[:8]) % 9

    def events(size: int) -> list[str] | None:
        decoder = SSEDecoder()
        found: list[str] = []
        try:
            for start in range(0, len(data), size):
                found += decoder.feed(data[start : start + size])
            return found + decoder.flush()
        except WireError:
            return None

    assert events(size) == events(len(data) or 1)


def headers(data: bytes) -> None:
    text = data.decode("latin-1").strip()
    for name in ("retry-after", "retry-after-ms"):
        wait = retry_after_seconds({name: text}, 1e9)
        assert wait is None or 0 <= wait < math.inf
    wait = seconds_until(text, 1e9)
    assert wait is None or 0 <= wait < math.inf
    prefixes = ("x-ratelimit-", "anthropic-ratelimit-")
    kinds = ("limit-tokens", "remaining-tokens", "reset-tokens", "tokens-reset", "tokens-limit")
    rate_limits({prefix + kind: text for prefix in prefixes for kind in kinds}, 1e9)


def error_body(data: bytes) -> None:
    error = parse_error_body(data)
    assert isinstance(error.message, str)
    assert 400 <= error.status <= 599
    wait = error.retry_after_seconds
    assert wait is None or 0 <= wait < math.inf


def written(data: bytes) -> None:
    """What a model writes, read as each kind of value."""
    text = data.decode("utf-8", "replace")
    for node in NODES:
        with suppress(RunError):
            node.parse(LLMResponse(text, "m"))


NODES: Final = (
    LLM("a", prompt="x", output=dict[str, list[int]]),
    LLM("b", prompt="x", output=list[str] | None),
    LLM("c", prompt="x", choices=["yes", "no"]),
    LLM("d", prompt="x", output=bool),
    LLM("e", prompt="x", output=float),
)

# -- files --------------------------------------------------------------------------------------


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="dagorch-fuzzing-"))


def graph_file(data: bytes) -> None:
    file = _folder() / "graph.yaml"
    file.write_bytes(data)
    with suppress(DefinitionError):
        load_graph(file)


def record(data: bytes) -> None:
    file = _folder() / "record.json"
    file.write_bytes(data)
    with suppress(DefinitionError):
        to_html_report(read_record(file))


def written_type(data: bytes) -> None:
    with suppress(DefinitionError):
        assert type_name(read_type(data.decode("utf-8", "replace"), lambda _: int))


def template(data: bytes) -> None:
    with suppress(DefinitionError):
        found = Template(data.decode("utf-8", "replace"))
        found.render(dict.fromkeys((field.partition(".")[0] for field in found.fields), "x"))


# -- sources ------------------------------------------------------------------------------------


def feed(data: bytes) -> None:
    with suppress(ValueError):
        read_feed(data, "feed")


def page(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    read_page(text)
    plain_text(text)


def search_results(name: str, data: bytes) -> None:
    source = SERVICES[name].source("http://127.0.0.1:1/")
    with suppress(SourceError):
        for found in source.parse_page(Reply(name, "http://127.0.0.1:1/", data)).records:
            source._finding_or_none(found)


PAGE = (
    b"<!doctype html><html><head><title>Bees</title><meta charset=utf-8><script>x<</script></head>"
    b"<body><nav>menu</nav><main><h1>A &amp; B &#128029;</h1><p>text<br/>more<pre> a\n b</pre>"
    b"<table><tr><td>1</table><!-- c --><svg><![CDATA[x]]></svg></main></body></html>"
)
TYPES = (b"dict[str, list[int | None]]", b"Literal['a', 'b', 1]", b"tuple[int, ...] | my.mod:Name")
TEMPLATES = (b"Say {a} and {{b}} of {doc.title}, {x?}\n{ a }", b"{a.b.c}{}")
WAITS = (b"2", b"1m30s", b"Thu, 01 Jan 2040 00:01:00 GMT", b"2026-01-27T12:00:30+02:00", b"1e3")
REPLIES = (b'{"a": [1, 2], "b": "\\ud83d"}', b'```json\n["x", null]\n```', b"Yes.", b"-1.5e300")
ERRORS = (
    b'{"error": {"message": "no", "code": 429, "status": "X", "details": [{"retryDelay": "3s"}]}}',
    b'[{"error": "no"}]', b"<html><title>Bad gateway</title>", b'{"detail": [{"msg": "x"}]}',
)  # fmt: skip

TARGETS: Final[dict[str, tuple[Target, list[bytes]]]] = {
    **{s.name: (functools.partial(exchange, s), reply_seeds(s)) for s in FAKE_SERVICES},
    "sse": (sse, [b"data: a\r\ndata:b\n\n: c\r\rerror: d\n\ndata: \xf0\x9f\x90\x9d\r\n\r\n"]),
    "headers": (headers, list(WAITS)),
    "error body": (error_body, list(ERRORS)),
    "written": (written, list(REPLIES)),
    "graph file": (graph_file, [VALID.encode(), b'{"nodes": {"a": {"prompt": "x"}}}']),
    "record": (record, [RECORD.read_bytes()]),
    "type": (written_type, list(TYPES)),
    "template": (template, list(TEMPLATES)),
    "feed": (feed, [ATOM, RDF]),
    "page": (page, [PAGE]),
    **{
        name: (
            functools.partial(search_results, name),
            [
                found
                if isinstance(found := s.page(1, 2, odd=True), bytes)
                else json.dumps(found).encode()
            ],
        )
        for name, s in SERVICES.items()
    },
}

# -- spoiling -----------------------------------------------------------------------------------

TOKENS: Final = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xf0\x9f", b"\\ud83d", b"\r", b"\n\n", b"\t", b"{", b"}",
    b"[", b"]", b'"', b"'", b"\\", b"<", b">", b"&", b"&#x110000;", b"<!--", b"]]>", b"]]", b"<![CDATA[",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"&a;", b"null", b"true", b"NaN", b"-Infinity", b"1e400", b"-1",
    b"0", b"9" * 30, b"9" * 5_000, b"1" + b"0" * 310, b".5", b"e9", b": ", b", ", b"- ", b"|", b"*a",
    b"&a ", b"!!python/object:os.system", b"<<: *a", b"data: ", b"data: [DONE]\n\n", b"://[", b"http://[",
    b"\xe2\x80\xae", b"\xcc\x81" * 300, b"(" * 200, b"[" * 300, b'{"a":' * 300, b"<b>" * 500, b"list[" * 90,
    b"0001-01-01", b"9999-12-31T23:59:59-23:59", b"1_0", b"\xd9\xa3", b"__class__", b"%s", b"{0}", b"{a!r:>9}",
)  # fmt: skip


def spoil(data: bytes, chance: random.Random, seeds: list[bytes]) -> bytes:
    """Change a few random things."""
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice((1, 1, 2, 5, 20, 200)))
        how = chance.randrange(7)
        if how == 0:
            data = data[:start] + data[end:]
        elif how == 1:
            data = data[:start] + chance.choice(TOKENS) + data[end:]
        elif how == 2:
            data = data[:start] + chance.choice(TOKENS) + data[start:]
        elif how == 3:
            times = chance.choice((2, 3, 50, 2_000))
            data = (data[:start] + data[start:end] * times + data[end:])[:500_000]
        elif how == 4:
            data = data[:start] + chance.randbytes(end - start) + data[end:]
        elif how == 5:
            other = chance.choice(seeds)
            place = chance.randint(0, len(other))
            data = data[:start] + other[place : place + chance.choice((5, 50, 500))] + data[end:]
        else:
            data = data[:start]
    return data


def case(name: str, seed: int) -> bytes:
    """Return the input of a case."""
    chance = random.Random(f"{name} {seed}")
    seeds = TARGETS[name][1]
    return spoil(chance.choice(seeds), chance, seeds)


# -- at full size, in a process of its own --------------------------------------------------------


@contextmanager
def bounded() -> Iterator[None]:
    """Fail if what happens inside takes too much processor time."""
    before = time.process_time()
    yield
    used = time.process_time() - before
    assert used < MAX_SECONDS, f"{used:.1f} s of processor time"


def main(name: str, first: int, cases: int) -> None:
    """Run the cases, and fail with the input of the first that breaks a rule."""
    target = TARGETS[name][0]
    for data in TARGETS[name][1]:
        target(data)  # imports
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MAX_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for seed in range(first, first + cases):
        try:
            with bounded():
                target(case(name, seed))
        except BaseException:
            sys.stderr.write(f"{name} {seed}: {case(name, seed)[:2_000]!r}\n")
            raise


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
