"""Spans of runs: their tree, times, attributes and ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.trace import SpanKind, StatusCode

from dagorch import LLM, Context, Event, EventType, Graph, Policy, Retry, RunError
from dagorch.errors import OverloadedError
from dagorch.exporters import TraceSpans
from dagorch.exporters.listeners.traces import CONVENTIONS
from dagorch.models.llm import LLMResponse
from dagorch.models.usage import Usage
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import by_tier, cascade, talking


class Collected:
    """A tracer provider for one test, and its spans."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def one(self, name: str) -> ReadableSpan:
        (span,) = (span for span in self.spans if span.name == name)
        return span

    def tree(self) -> Any:
        """The names as a tree, in order of start."""
        below: dict[int | None, list[ReadableSpan]] = {}
        for span in self.spans:
            below.setdefault(span.parent.span_id if span.parent else None, []).append(span)

        def under(id: int | None) -> list[Any]:
            found = sorted(below.get(id, []), key=lambda span: (span.start_time, span.name))
            return [(span.name, under(span.context.span_id)) for span in found]

        return under(None)


def seconds(span: ReadableSpan, since: ReadableSpan) -> tuple[float, float]:
    """The start and end of a span, in seconds since another one."""
    return (span.start_time - since.start_time) / 1e9, (span.end_time - since.start_time) / 1e9


@pytest.fixture
def collected() -> Collected:
    return Collected()


@pytest.fixture(params=("asyncio", "trio"))
def virtual(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return lambda async_fn: run_virtual(async_fn, backend=request.param)


def refining() -> Graph:
    body = Graph("pass")
    body.input("state", str)
    body.add(LLM("critic", prompt="Better: {state}"), state=body.inputs["state"].ref)
    return body


def test_the_tree_of_a_run_with_a_retry(virtual: Any, collected: Collected) -> None:
    graph = Graph("asking")
    retry = Retry(attempts=2, base_delay_seconds=8)
    graph.add(LLM("ask", prompt="Hi", model="scripted-1", policy=Policy(retry=retry)))

    @graph.function
    async def after(ask: str) -> str:
        await anyio.sleep(3)
        return ask

    answer = LLMResponse(
        "yes",
        "scripted-1b",
        Usage(7, 2, Decimal("0.5"), cached_tokens=4, reasoning_tokens=1),
        "length",
        request_id="r-1",
    )
    provider = ScriptedProvider([OverloadedError("busy", status=503), answer], latency_seconds=2)
    virtual(lambda: graph.run(provider=provider, on_event=TraceSpans(collected.provider)))
    assert collected.tree() == [
        (
            "invoke_workflow asking",
            [
                (
                    "ask",
                    [
                        ("attempt 1", [("chat scripted-1", [])]),
                        ("attempt 2", [("chat scripted-1", [])]),
                    ],
                ),
                ("after", []),
            ],
        )
    ]
    run, node = collected.one("invoke_workflow asking"), collected.one("ask")
    first, second = (span for span in collected.spans if span.name.startswith("chat"))
    assert seconds(first, run) == (0.0, 2.0)
    began, ended = seconds(second, run)
    assert ended == pytest.approx(began + 2)
    assert seconds(node, run) == (0.0, ended)
    assert seconds(collected.one("after"), run) == pytest.approx((ended, ended + 3))
    (retrying,) = node.events
    assert retrying.name == "node_retrying"
    assert retrying.timestamp == first.end_time
    assert retrying.attributes is not None
    assert retrying.attributes["dagorch.delay_seconds"] == pytest.approx(began - 2)
    assert run.instrumentation_scope.schema_url == f"https://opentelemetry.io/schemas/{CONVENTIONS}"
    assert run.instrumentation_scope.name == "dagorch"


def test_the_attributes_of_an_exchange(virtual: Any, collected: Collected) -> None:
    graph = Graph("asking")
    retry = Retry(attempts=2, base_delay_seconds=0)
    graph.add(LLM("ask", prompt="Hi", model="grok-3", policy=Policy(retry=retry)))
    answer = LLMResponse(
        "yes",
        "grok-3-07",
        Usage(7, 2, Decimal("0.5"), cached_tokens=4, reasoning_tokens=1),
        request_id="r-1",
    )
    provider = ScriptedProvider([OverloadedError("busy", status=503), answer], name="xai")
    virtual(lambda: graph.run(provider=provider, on_event=TraceSpans(collected.provider)))
    failed, answered = (span for span in collected.spans if span.name == "chat grok-3")
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "x_ai",
        "gen_ai.request.model": "grok-3",
        "dagorch.usage.estimated": False,
    }
    assert dict(failed.attributes or {}) == common | {
        "gen_ai.usage.input_tokens": 0,
        "gen_ai.usage.output_tokens": 0,
        "dagorch.end": "failed",
        "error.type": "OverloadedError",
    }
    assert dict(answered.attributes or {}) == common | {
        "gen_ai.response.model": "grok-3-07",
        "gen_ai.response.id": "r-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "dagorch.cost_usd": 0.5,
        "dagorch.end": "completed",
    }
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, None)
    assert answered.status.status_code is StatusCode.UNSET
    assert failed.kind is answered.kind is SpanKind.CLIENT
    node, run = collected.one("ask"), collected.one("invoke_workflow asking")
    assert node.kind is run.kind is SpanKind.INTERNAL
    assert dict(node.attributes or {}) == {
        "dagorch.node.path": "ask",
        "dagorch.node.kind": "llm",
        "dagorch.cost_usd": 0.5,
        "dagorch.end": "completed",
    }
    assert dict(run.attributes or {}) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "asking",
        "dagorch.run.id": (run.attributes or {})["dagorch.run.id"],
        "dagorch.end": "completed",
    }


def test_every_name_is_of_the_conventions_or_our_own(virtual: Any, collected: Collected) -> None:
    graph = Graph("asking")
    retry = Retry(attempts=2, base_delay_seconds=0)
    graph.add(LLM("ask", prompt="Hi", policy=Policy(retry=retry)))
    provider = ScriptedProvider([OverloadedError("busy", status=503), "yes"])
    virtual(
        lambda: graph.run(provider=provider, on_event=TraceSpans(collected.provider, content=True))
    )
    lists = (gen_ai_attributes, error_attributes)
    known = {name for module in lists for name in vars(module).values() if isinstance(name, str)}
    used = {name for span in collected.spans for name in span.attributes or {}}
    assert {name for name in used if not name.startswith("dagorch.")} <= known
    assert used & known >= {"gen_ai.output.messages", "error.type", "gen_ai.workflow.name"}


def test_passes_items_and_expansions_are_nested(virtual: Any, collected: Collected) -> None:
    item = Graph("item")
    item.input("item", int)

    @item.function
    async def double(item: int) -> int:
        await anyio.sleep(1)
        return item * 2

    graph = Graph("nest")

    @graph.function(expand=True)
    async def plan() -> Graph:
        made = Graph("made")

        @made.function
        async def inside() -> int:
            await anyio.sleep(1)
            return 1

        return made

    graph.map(item, over=[1, 2], id="items", after=[plan])
    virtual(lambda: graph.run(on_event=TraceSpans(collected.provider)))
    assert collected.tree() == [
        (
            "invoke_workflow nest",
            [
                ("plan", [("inside", [])]),
                ("items", [("double", []), ("double", [])]),
            ],
        )
    ]
    run = collected.one("invoke_workflow nest")
    paths = {(span.attributes or {}).get("dagorch.node.path") for span in collected.spans}
    assert {"plan/inside", "items[0]/double", "items[1]/double"} <= paths
    assert seconds(collected.one("plan"), run) == (0.0, 1.0)


def test_the_parent_of_a_run_is_the_current_span(virtual: Any, collected: Collected) -> None:
    tracer = collected.provider.get_tracer("of the user")
    graph = Graph("one")

    @graph.function
    async def one() -> int:
        return 1

    listener = TraceSpans(collected.provider)

    async def ask(name: str, how: str) -> None:
        with tracer.start_as_current_span(name):
            if how == "run":
                await graph.run(on_event=listener)
            elif how == "start":
                async with graph.start(on_event=listener) as run:
                    await run.result()
            else:
                async for _ in graph.stream(on_event=listener):
                    pass

    async def main() -> None:
        async with anyio.create_task_group() as group:  # at once, with one listener
            for how in ("run", "start", "stream"):
                group.start_soon(ask, how, how)

    virtual(main)
    below = [("invoke_workflow one", [("one", [])])]
    assert sorted(collected.tree()) == [("run", below), ("start", below), ("stream", below)]
    assert len({span.context.trace_id for span in collected.spans}) == 3
    assert otel_context.get_current() == {}


def test_a_skipped_or_blocked_node_is_an_event_of_its_parent(
    virtual: Any, collected: Collected
) -> None:
    graph = Graph("ends")

    @graph.function(policy=Policy(on_error="continue"))
    async def broken() -> int:
        raise ValueError("the secret of the reply")

    @graph.function
    async def behind(broken: int) -> int:
        return broken

    @graph.function
    async def other() -> int:
        return 1

    virtual(lambda: graph.run(on_event=TraceSpans(collected.provider)))
    run = collected.one("invoke_workflow ends")
    (blocked,) = run.events
    assert blocked.name == "node_blocked"
    assert dict(blocked.attributes or {}) == {
        "dagorch.node.path": "behind",
        "dagorch.end": "blocked",
    }
    node = collected.one("broken")
    assert node.status.status_code is StatusCode.ERROR
    assert (node.attributes or {})["error.type"] == "ValueError"
    assert "secret" not in "".join(span.to_json() for span in collected.spans)


def failing() -> Graph:
    graph = Graph("failing")
    graph.add(LLM("ask", prompt="the prompt", output=int, policy=Policy(retry=Retry(attempts=2))))
    return graph


def test_content_is_recorded_only_on_request(virtual: Any) -> None:
    results = {}
    for content in (False, True):
        collected = Collected()

        async def main(collected: Collected = collected, content: bool = content) -> None:
            with pytest.raises(RunError):
                await failing().run(
                    provider=ScriptedProvider("my private reply"),
                    on_event=TraceSpans(collected.provider, content=content),
                )

        virtual(main)
        results[content] = collected
    bare = "".join(span.to_json() for span in results[False].spans)
    assert "private" not in bare
    assert "prompt" not in bare
    chats = [span for span in results[True].spans if span.name.startswith("chat")]
    assert len(chats) == 2
    text = {"type": "text", "content": "my private reply"}
    for chat in chats:
        assert json.loads(str((chat.attributes or {})["gen_ai.output.messages"])) == [
            {"role": "assistant", "parts": [text], "finish_reason": "stop"}
        ]
    first, second = (
        json.loads(str((chat.attributes or {})["gen_ai.input.messages"])) for chat in chats
    )
    asked = {"role": "user", "parts": [{"type": "text", "content": "the prompt"}]}
    assert first == [asked]
    assert [message["role"] for message in second] == ["user", "assistant", "user"]  # the repair
    description = results[True].one("ask").status.description
    assert description is not None
    assert description.startswith("InvalidOutputError: ")


def test_a_run_that_is_cancelled_closes_its_spans(virtual: Any, collected: Collected) -> None:
    graph = Graph("slow")
    graph.add(LLM("ask", prompt="Hi"))

    async def main() -> None:
        with anyio.move_on_after(5):
            await graph.run(
                provider=ScriptedProvider("late", latency_seconds=60),
                on_event=TraceSpans(collected.provider),
            )

    virtual(main)
    assert {span.name for span in collected.spans} == {
        "invoke_workflow slow", "ask", "attempt 1", "chat scripted",
    }  # fmt: skip
    for span in collected.spans:
        assert (span.attributes or {})["dagorch.end"] == "cancelled"
        assert span.status.status_code is StatusCode.UNSET
        assert seconds(span, collected.one("invoke_workflow slow"))[1] == 5.0


def test_a_run_that_fails_has_an_error(virtual: Any, collected: Collected) -> None:
    graph = Graph("bad")

    @graph.function(policy=Policy(timeout_seconds=2))
    async def slow() -> None:
        await anyio.sleep(9)

    async def main() -> None:
        with pytest.raises(RunError):
            await graph.run(on_event=TraceSpans(collected.provider))

    virtual(main)
    for span in collected.spans:
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == "NodeTimeoutError"


def test_exchanges_of_a_function_are_under_its_attempt(virtual: Any, collected: Collected) -> None:
    graph = Graph("calling")

    @graph.function
    async def both(context: Context[None]) -> None:
        message = [{"role": "user", "content": "Hi"}]
        async with anyio.create_task_group() as group:
            group.start_soon(context.acomplete, message)
            group.start_soon(context.acomplete, message)

    provider = ScriptedProvider("yes", latency_seconds=1)
    virtual(lambda: graph.run(provider=provider, on_event=TraceSpans(collected.provider)))
    chat = ("chat scripted", [])
    assert collected.tree() == [
        ("invoke_workflow calling", [("both", [("attempt 1", [chat, chat])])])
    ]


def test_a_question_has_no_content_and_a_downgrade_has_its_model(collected: Collected) -> None:
    listener = TraceSpans(collected.provider)
    for number, kind, path, data in (
        (1, EventType.RUN_STARTED, "", {"graph": "g"}),
        (2, EventType.NODE_READY, "ask", {}),
        (3, EventType.NODE_PARKED, "ask", {"question": "private?"}),
        (4, EventType.NODE_DOWNGRADED, "ask", {"service": "s", "model": "small"}),
        (5, EventType.RUN_COMPLETED, "", {}),
    ):
        listener(Event(number, float(number), kind, "r", path, data=data))
    parked, downgraded = collected.one("ask").events
    assert dict(parked.attributes or {}) == {}
    assert dict(downgraded.attributes or {}) == {"dagorch.service": "s", "dagorch.model": "small"}
    assert "private" not in collected.one("ask").to_json()


def test_missed_events_leave_no_span_open(collected: Collected) -> None:
    listener = TraceSpans(collected.provider)
    listener(Event(700, 2.0, EventType.NODE_STARTED, "r", "items[3]/say", 1, data={"kind": "llm"}))
    listener(Event(900, 3.0, EventType.RUN_COMPLETED, "r"))
    assert collected.tree() == [("invoke_workflow", [("say", [])])]
    run = collected.one("invoke_workflow")
    assert seconds(run, run) == (0.0, 3.0)
    assert seconds(collected.one("say"), run) == (2.0, 3.0)


class Failing(SpanProcessor):
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise OSError("on start")

    def on_end(self, span: Any) -> None:
        raise OSError("on end")


def test_a_tracer_that_fails_does_not_fail_the_run(
    virtual: Any, caplog: pytest.LogCaptureFixture
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Failing())
    graph = Graph("one")

    @graph.function
    async def one() -> int:
        return 1

    listener = TraceSpans(provider)
    result = virtual(lambda: graph.run(on_event=listener))
    assert result[one] == 1
    assert caplog.text.count("listener failed") == 1


def test_a_run_that_is_not_sampled_creates_no_spans(virtual: Any) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    started: list[str] = []

    class Counting(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            started.append(span.name)

    provider.add_span_processor(Counting())
    graph = Graph("one")

    @graph.function
    async def one() -> int:
        return 1

    assert virtual(lambda: graph.run(on_event=TraceSpans(provider)))[one] == 1
    assert virtual(lambda: graph.run(on_event=TraceSpans(trace.NoOpTracerProvider())))[one] == 1
    assert started == []


def test_an_orchestrators_workflow_is_traced(collected: Collected) -> None:
    orchestrator = cascade(talking(by_tier))
    seen: list[Event] = []
    orchestrator.on_event = [TraceSpans(collected.provider), seen.append]
    result = run_virtual(orchestrator.execute_workflow, "Why?")
    ((name, below),) = collected.tree()
    assert name.startswith("invoke_workflow ")
    assert len(below) >= 3
    assert seen[-1].type is EventType.RUN_COMPLETED
    assert result.run is not None
    chats = [span for span in collected.spans if span.name.startswith("chat ")]
    assert len(chats) == result.run.usage.calls
    output_tokens = sum(
        int(str((chat.attributes or {})["gen_ai.usage.output_tokens"])) for chat in chats
    )
    assert output_tokens == result.run.usage.output_tokens


def test_without_opentelemetry_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import dagorch\n"
        "from dagorch.exporters import TraceSpans\n"
        "try:\n    TraceSpans()\n"
        "except dagorch.DefinitionError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "spans need OpenTelemetry's API; install dagorch[otel]\n"


def test_an_attempt_that_returned_a_graph_ends_when_the_graph_starts(
    virtual: Any, collected: Collected
) -> None:
    graph = Graph("planned")

    @graph.function(expand=True)
    async def plan(context: Context[None]) -> Graph:
        await context.acomplete([{"role": "user", "content": "Plan!"}])
        made = Graph("made")

        @made.function
        async def inside() -> int:
            await anyio.sleep(1)
            return 1

        return made

    provider = ScriptedProvider("a plan", latency_seconds=2)
    virtual(lambda: graph.run(provider=provider, on_event=TraceSpans(collected.provider)))
    below = [("attempt 1", [("chat scripted", [])]), ("inside", [])]
    assert collected.tree() == [("invoke_workflow planned", [("plan", below)])]
    run = collected.one("invoke_workflow planned")
    assert seconds(collected.one("attempt 1"), run) == (0.0, 2.0)
    assert seconds(collected.one("plan"), run) == (0.0, 3.0)


def test_a_failure_with_a_fallback_is_recorded(virtual: Any, collected: Collected) -> None:
    graph = Graph("good")

    @graph.function(policy=Policy(fallback=7))
    async def broken() -> int:
        raise ValueError("no")

    virtual(lambda: graph.run(on_event=TraceSpans(collected.provider)))
    assert collected.one("broken").status.status_code is StatusCode.UNSET
    assert (collected.one("attempt 1").attributes or {})["error.type"] == "ValueError"


def test_images_and_tool_calls_are_parts_of_a_message(collected: Collected) -> None:
    listener = TraceSpans(collected.provider, content=True)
    call = {"name": "weather", "arguments": '{"city": "Rome"}'}
    exchange = {
        "service": "s", "model": "m", "began_seconds": 0.0, "input_tokens": 1, "output_tokens": 1,
        "cost_usd": 0.0, "estimated": False, "finish_reason": "tool_calls", "reply": "",
        "messages": [{"role": "user", "content": "Look", "images": ["https://a/b.png"]}],
        "tool_calls": [call],
    }  # fmt: skip
    listener(Event(1, 0.0, EventType.RUN_STARTED, "r", data={"graph": "g"}))
    listener(Event(2, 1.0, EventType.EXCHANGE_ENDED, "r", "ask", 1, data=exchange))
    listener(Event(3, 1.0, EventType.RUN_COMPLETED, "r"))
    attributes = collected.one("chat m").attributes or {}
    (asked,) = json.loads(str(attributes["gen_ai.input.messages"]))
    image = {"type": "uri", "modality": "image", "uri": "https://a/b.png"}
    assert asked["parts"] == [{"type": "text", "content": "Look"}, image]
    (reply,) = json.loads(str(attributes["gen_ai.output.messages"]))
    assert reply["parts"] == [{"type": "tool_call", **call}]


def test_concurrent_exchanges_of_one_attempt_are_siblings(
    virtual: Any, collected: Collected
) -> None:
    graph = Graph("hedged")
    graph.add(LLM("ask", prompt="Hi", policy=Policy(hedge_after=4)))
    seconds_each = iter([9.0, 2.0])
    provider = ScriptedProvider("yes", latency_seconds=lambda request: next(seconds_each))
    virtual(lambda: graph.run(provider=provider, on_event=TraceSpans(collected.provider)))
    chat = ("chat scripted", [])
    below = [("ask", [("attempt 1", [chat, chat])])]
    assert collected.tree() == [("invoke_workflow hedged", below)]
    run = collected.one("invoke_workflow hedged")
    chats = [span for span in collected.spans if span.name == "chat scripted"]
    ends = {(span.attributes or {})["dagorch.end"]: seconds(span, run) for span in chats}
    assert ends == {"cancelled": (0.0, 6.0), "completed": (4.0, 6.0)}
    (hedged,) = collected.one("ask").events
    assert (hedged.name, dict(hedged.attributes or {})) == (
        "node_hedged",
        {"dagorch.after_seconds": 4},
    )
