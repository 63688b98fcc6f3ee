"""The HTML of the report. `tests/e2e/test_report_page.py` tests it in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from html.parser import HTMLParser
from typing import Any

import anyio
import pytest

from dagorch import LLM, DefinitionError, Graph, Policy
from dagorch.exporters import Recorder, RunRecord, to_html_report
from dagorch.exporters.critical import CriticalStep
from dagorch.exporters.report import html as report
from dagorch.models.llm import LLMResponse
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import by_tier, cascade, talking

HOSTILE = "</script><script>alert(1)</script><!-- \u2028 & \x00 \u202e"


class Page(HTMLParser):
    """The parsed page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.meta: dict[str, str] = {}
        self.scripts: list[str] = []
        self.data: dict[str, Any] = {}
        self._inside = ""
        self.text = ""
        self.feed(html)
        self.data = json.loads(self.scripts[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        self._inside = tag
        if tag == "meta":
            self.meta[attributes.get("http-equiv") or attributes.get("name") or ""] = (
                attributes.get("content") or ""
            )
        assert not any(name.startswith("on") or name in ("style", "src") for name in attributes), (
            attributes
        )
        assert not str(attributes.get("href", "")).startswith(("http", "javascript", "data")), (
            attributes
        )

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text += data


def recorded(graph: Graph, **options: Any) -> RunRecord:
    recorder = Recorder()
    options.setdefault("provider", ScriptedProvider("Yes."))
    return recorder.record(run_virtual(partial(graph.run, on_event=recorder, **options)))


def asking(prompt: str = "Well?") -> Graph:
    graph = Graph("asking")
    graph.add(LLM("ask", prompt=prompt))
    return graph


def bare(**more: Any) -> RunRecord:
    facts: dict[str, Any] = {
        "run_id": "r", "title": "bare", "status": "completed", "started_at": datetime.now(UTC),
        "duration_seconds": 0.0, "usage": NOTHING_USED,
    }  # fmt: skip
    return RunRecord(**{**facts, **more})


def test_the_page_has_the_run() -> None:
    recorder = Recorder()
    workflow = cascade(talking(by_tier))
    outcome = run_virtual(partial(workflow.execute_workflow, "Why?", on_event=recorder))
    page = Page(to_html_report(recorder.record(outcome)))
    for text in (
        "Why?",
        "completed",
        "Critical path",
        "By model",
        "By tier",
        "belter",
        "decompose",
    ):
        assert text in page.text, text
    assert [node["path"] for node in page.data["nodes"]] == list(outcome.run.node_runs)
    assert len(page.data["exchanges"]) == 7
    assert page.data["lanes"][0]["rows"] >= 1
    bars = [bar for lane in page.data["lanes"] for bar in lane["bars"]]
    assert {page.data["nodes"][bar[0]]["path"] for bar in bars} >= {"decompose", "camina_1"}


def test_the_policy_allows_only_the_pages_own_script_and_style() -> None:
    html = to_html_report(recorded(asking()))
    page = Page(html)
    policy = page.meta["Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    for kind, text in (("script", page.scripts[1]), ("style", style[1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert page.tags.count("script") == 2
    assert not {"img", "link", "iframe", "object", "embed"} & set(page.tags)


def test_hostile_text_stays_in_the_data() -> None:
    async def broken(ask: str) -> None:
        raise ValueError(HOSTILE)

    graph = Graph(HOSTILE)
    graph.input("text", str)
    graph.add(LLM("ask", prompt="{text}"))
    graph.function(broken, policy=Policy(on_error="continue"))
    graph.function(lambda ask: ask, id="echo")
    record = recorded(graph, text=HOSTILE, provider=ScriptedProvider(HOSTILE))
    record = record.model_copy(update={"task": HOSTILE, "error": HOSTILE})
    html = to_html_report(record)
    page = Page(html)
    assert page.tags.count("script") == 2
    (exchange,) = page.data["exchanges"]
    assert (exchange["messages"][0]["content"], exchange["reply"]) == (HOSTILE, HOSTILE)
    data = page.scripts[0]
    assert not set("<>&\u2028") & set(data)
    assert "<script>alert" not in html


def test_costs_are_shown_if_there_are_any() -> None:
    reply = LLMResponse("Yes.", "m", Usage(1000, 10, Decimal("0.25"), estimated=True, calls=1))
    page = Page(to_html_report(recorded(asking(), provider=ScriptedProvider([reply]))))
    assert "$0.25" in page.text
    assert "partly estimated" in page.text
    assert page.data["costs"]
    page = Page(to_html_report(recorded(asking())))
    assert "$" not in page.text
    assert "Tokens" in page.text


def test_long_tables_are_cut_and_counted() -> None:
    graph = Graph("chain")
    ref: Any = "x"
    for number in range(40):
        ref = graph.add(LLM(f"step_{number}", prompt="{before}"), before=ref)
    page = Page(to_html_report(recorded(graph, provider=ScriptedProvider("y", latency_seconds=1))))
    assert "… 10 more steps" in page.text
    assert "The 10 largest node runs" in page.text


def test_a_step_of_the_critical_path_has_its_wait() -> None:
    steps = (CriticalStep("a", 0.0, 1.0), CriticalStep("b", 2.0, 1.0))
    page = Page(to_html_report(bare(critical_path=steps)))
    assert "2.0 s of work, 2.0 s of waiting" in page.text
    assert "2.0 s wait" in page.text


def test_a_missing_drawing_has_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Page(to_html_report(bare()))
    assert "recorded without its graph" in page.text
    assert "No model was called." in page.text

    def fails(dot: str) -> str:
        raise DefinitionError("there is no dot")

    monkeypatch.setattr(report, "render_svg", fails)
    assert "there is no dot" in Page(to_html_report(recorded(asking()))).text


@pytest.mark.parametrize(
    ("output", "omitted", "text"),
    [
        ("plain words", 0, "plain words"),
        ({"title": "Bees", "score": 1}, 0, '"title": "Bees"'),
        ({"answer": "one\ntwo"}, 0, "one\ntwo"),
        ("a long", 1234, "a long… (1,234 more characters)"),
    ],
)
def test_the_page_shows_the_output(output: Any, omitted: int, text: str) -> None:
    assert text in Page(to_html_report(bare(output=output, output_chars_omitted=omitted))).text


def test_a_very_long_task_is_cut() -> None:
    page = Page(to_html_report(bare(task="t" * 5000, error="e" * 5000, title="x" * 5000)))
    assert page.text.count("… (2,000 more characters)") == 2
    assert len(page.text) < 9000


async def test_a_run_is_recorded_on_either_event_loop() -> None:
    graph = asking()

    @graph.function
    async def slow(ask: str) -> str:
        await anyio.sleep(0.001)
        return ask

    recorder = Recorder()
    record = recorder.record(await graph.run(provider=ScriptedProvider("Yes."), on_event=recorder))
    assert [e.reply for e in record.exchanges] == ["Yes."]
    assert Page(to_html_report(record)).data["seconds"] == record.duration_seconds


def test_an_event_has_its_fields_without_content() -> None:
    page = Page(to_html_report(recorded(asking())))
    (ended,) = (event for event in page.data["events"] if event["type"] == "exchange_ended")
    assert "service: scripted" in ended["text"]
    assert "Well?" not in ended["text"]
