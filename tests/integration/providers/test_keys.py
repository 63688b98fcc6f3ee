"""A marker key goes through every path of a provider; no output may contain it."""

from __future__ import annotations

import base64
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dagorch import LLM, Graph, RunError
from dagorch.errors import DefinitionError, ProviderError
from dagorch.exporters import (
    LogLines,
    Recorder,
    TraceSpans,
    to_dot,
    to_graphml,
    to_html_report,
    to_json,
    to_mermaid,
)
from dagorch.files import dump_graph
from dagorch.http.secret import _HTTP_LOGGERS
from dagorch.models.policy import Policy, Retry
from dagorch.providers import HttpProvider, Timeouts
from tests.fake_services import FAKE_SERVICES, FakeService, FunctionCall
from tests.servers import Handler, ModelServer, closed_port, hang_up, reply, silent, stream

MARKER = "sk-MARKER-0123456789abcdef"
HI = [{"role": "user", "content": "Hi"}]
ECHO = {"x_request_id": MARKER, "request_id": MARKER, "location": f"http://127.0.0.1/?k={MARKER}"}


@pytest.fixture(autouse=True)
def every_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log everything, even if import-linter ran before and disabled the loggers."""
    caplog.set_level(logging.DEBUG)
    for name in _HTTP_LOGGERS:
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)


def handlers_of(service: FakeService) -> dict[str, Handler]:
    """Return every kind of answer of a service, with the key in each text."""
    message = f"Incorrect API key provided: {MARKER}."
    head = {name.replace("_", "-"): value for name, value in ECHO.items()}
    tail = service.end_events("stop", 1, 2)
    filtered = {"openai": "content_filter", "anthropic": "refusal", "gemini": "SAFETY"}
    handlers: dict[str, Handler] = {
        f"status {status}": service.fails(status, f"code_{MARKER}", message, **ECHO)
        for status in (302, 400, 401, 402, 403, 404, 408, 413, 429, 500, 503, 529)
    }
    return handlers | {
        "an echo": service.answers(f"your key is {MARKER}"),
        "an echo in a tool call": service.calls_tools(
            [FunctionCall(MARKER, f"look-{MARKER}", {"key": MARKER})]
        ),
        "an echo in a malformed header": reply(500, b"", location=f"\0{MARKER}"),
        "plain words": reply(500, message.encode(), **ECHO),
        "a key cut by the excerpt": reply(500, f"{'x' * 290}{MARKER}".encode(), **ECHO),
        "a page": reply(403, f"<title>{MARKER}</title>".encode(), **ECHO),
        "a page that says 200": reply(200, f"<html>{MARKER}</html>".encode(), **ECHO),
        "no JSON": reply(200, MARKER.encode(), **ECHO),
        "an event that is no JSON": stream(f"{'x' * 280}{MARKER}".encode(), headers=head),
        "an event in another shape": stream(
            {"choices": MARKER, "candidates": MARKER, "type": "message_start", "message": MARKER},
            headers=head,
        ),
        "an error first": stream(
            service.error_body(429, MARKER, message), done=False, headers=head
        ),
        "an error in the middle": stream(
            *service.half(), service.error_body(529, MARKER, message), done=False, headers=head
        ),
        "an end in the middle": stream(*service.half(), cut=True, headers=head),
        "silence in the middle": stream(*service.half(), hold=True, headers=head),
        "silence": silent,
        "no answer": hang_up,
        "a refusal": stream(
            *service.start_events(),
            *service.end_events(filtered[service.name], 1, 2),
            done=service.done,
            headers=head,
        ),
        "an answer": stream(*service.half(), *tail, done=service.done, headers=head),
        "a call": service.calls_tools([FunctionCall("id_a", "look", {})]),
    }


def everything_of(error: BaseException) -> Iterator[str]:
    """Yield every text of an error and of the errors that it refers to."""
    visited: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in visited:
            continue
        visited.add(id(current))
        yield from (str(current), repr(current), repr(current.args), repr(vars(current)))
        yield from traceback.format_exception(current)
        # With the variables of every frame, as crash reporters send them.
        yield from traceback.TracebackException.from_exception(
            current, capture_locals=True, max_group_depth=99
        ).format()
        request = getattr(current, "_request", None)  # httpx's errors know their request
        if request is not None:
            yield repr(request.headers.raw)
        waiting += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
    yield repr(pickle.dumps(error))


async def outputs_of(provider: HttpProvider) -> list[str]:
    """Call every method and run a graph; return every output."""
    outputs = [repr(provider), str(provider), repr(vars(provider))]

    async def read() -> Any:
        async with provider.stream(HI) as pieces:
            outputs.extend([text async for text in pieces])
        return pieces.response

    for ask in (lambda: provider.acomplete(HI), read):
        try:
            outputs.append(repr(await ask()))
        except ProviderError as error:
            outputs += everything_of(error)
            outputs.append(repr([error.request_id, error.service, error.model]))
    graph = Graph("ask")
    graph.add(LLM("answer", prompt="Hi", policy=Policy(retry=Retry(attempts=1))))
    outputs += [to_dot(graph), to_mermaid(graph), dump_graph(graph), repr(graph.compile())]
    spans, recorder = InMemorySpanExporter(), Recorder()
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    listeners = [recorder, TraceSpans(tracer_provider, content=True), LogLines()]
    failure = None
    try:
        async with graph.stream(provider=provider) as events:
            async for event in events:
                outputs += [repr(event), to_json(event)]
                for listener in listeners:
                    listener(event)
            result = events.result
    except RunError as error:
        outputs += everything_of(error)
        failure, result = error, error.partial_results
    outputs += [repr(result), repr(result.usage), to_dot(graph, result), to_graphml(graph, result)]
    record = recorder.record(result, error=failure)
    outputs += [record.model_dump_json(), to_html_report(record)]
    outputs += [span.to_json() for span in spans.get_finished_spans()]
    return outputs


def containing_key(texts: list[str]) -> list[str]:
    return [text for text in texts if MARKER in text or MARKER[:20] in text]


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
@pytest.mark.parametrize("name", handlers_of(FAKE_SERVICES[0]))
async def test_nothing_shows_the_key(
    service: FakeService, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    timeouts = Timeouts(first_byte_seconds=0.2, between_chunks_seconds=0.2)
    with ModelServer(handlers_of(service)[name]) as server:
        async with service.provider(server, api_key=MARKER, timeouts=timeouts) as provider:
            outputs = await outputs_of(provider)
        assert MARKER in server.requests[0].headers[service.key_header], "it is sent, to be sure"
    assert len(outputs) > 10
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    outputs += [record.getMessage() for record in caplog.records]
    outputs += [repr(vars(record)) for record in caplog.records]
    assert not containing_key(outputs)


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
@pytest.mark.parametrize("address", ["closed port", "no such host", "no TLS"])
async def test_nothing_shows_the_key_without_a_service(
    service: FakeService, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ModelServer() as server, closed_port() as closed:
        url = {
            "closed port": closed,
            "no such host": "http://no-such-host.invalid",
            "no TLS": server.url.replace("http:", "https:"),
        }[address]
        url = url.replace("://", f"://me:{MARKER}@")
        async with service.provider(url, api_key=MARKER) as provider:
            outputs = await outputs_of(provider)
    outputs += [repr(vars(record)) for record in caplog.records]
    assert not containing_key(outputs)


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
async def test_a_login_in_the_address_is_sent_and_shown_nowhere(
    service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    echo = {"x-echo": f"me:{MARKER}"}
    with ModelServer(service.answers(headers=echo)) as server:
        async with service.provider(server.url.replace("://", f"://me:{MARKER}@")) as provider:
            outputs = await outputs_of(provider)
    sent = server.requests[0].headers["authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == f"me:{MARKER}"
    outputs += [record.getMessage() for record in caplog.records]
    assert not containing_key(outputs)
    assert not [text for text in outputs if sent.removeprefix("Basic ") in text]


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
def test_an_invalid_key_is_refused_without_showing_it(service: FakeService) -> None:
    with pytest.raises(DefinitionError, match="KEY_ENV") as raised:
        service.provider("http://127.0.0.1", api_key=f"{MARKER}\n{MARKER}", key_env="KEY_ENV")
    assert not containing_key([str(raised.value), repr(vars(raised.value))])
