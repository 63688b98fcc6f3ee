"""
The report of a run: one HTML file that needs nothing beside it, made of the run's record.

What is on the page and how it is written for people; what it looks like and does is in `page/`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

from dagorch.errors import DefinitionError
from dagorch.exporters.pictures.captions import kind_name, plural
from dagorch.exporters.pictures.dot import drawing_to_dot
from dagorch.exporters.pictures.picture import render_svg
from dagorch.exporters.report.record import (
    AttemptRecord,
    EventRecord,
    ExchangeRecord,
    NodeRecord,
    RunRecord,
)
from dagorch.exporters.report.timeline import Timeline, to_timeline
from dagorch.exporters.report.timeline_svg import MAX_ROWS, to_timeline_svg
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.clean import one_line
from dagorch.models.truncate import truncate_middle, truncate_with_count
from dagorch.models.usage import Usage

__all__ = ["to_html_report"]

_SCRIPTS: Final = ("base", "rows", "texts", "details", "graph", "chart", "main")
_DEAREST: Final = 10
"""Node runs in the table of what cost most."""
_MAX_STEPS: Final = 30
"""Steps of the critical path that are listed."""
_PROLOGUE: Final = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_ENDS: Final = ("failed", "blocked", "cancelled", "skipped")


def to_html_report(record: RunRecord) -> str:
    """
    Write the report of a run as one HTML page.

    It has the graph, the timeline, the critical path, the cost, every node run, prompt, reply and
    event, and a search over them. The page loads nothing and sends nothing: its own policy forbids
    it. Whatever a model wrote is text in it and nothing else.

    Args:
        record: From a `Recorder`, or read from its file.

    Cost: the drawing of the graph, then O(what the record holds); 10,000 node runs take a second.

    Example:
        >>> import anyio
        >>> from dagorch import Graph
        >>> from dagorch.exporters import Recorder
        >>> graph = Graph("one")
        >>> @graph.function
        ... async def one() -> int:
        ...     return 1
        >>> recorder = Recorder()
        >>> async def main():
        ...     return recorder.record(await graph.run(on_event=recorder))
        >>> to_html_report(anyio.run(main))[:15]
        '<!doctype html>'
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    pages = Environment(
        loader=PackageLoader("dagorch.exporters.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = _source("report.css")
    script = '"use strict";\n' + "".join(_source(f"{name}.js") for name in _SCRIPTS)
    svg, no_svg = _graph(record)
    cost_name = "Cost" if record.usage.cost_usd else "Tokens"
    return pages.get_template("report.html").render(
        record=record,
        title=truncate_middle(one_line(record.title), 100),
        task=truncate_with_count(record.task, 3000),
        error=truncate_with_count(record.error, 3000),
        parts=(
            ("graph", "Graph"),
            ("timeline", "Timeline"),
            ("cost", cost_name),
            ("nodes", "Node runs"),
            ("exchanges", "Prompts and replies"),
            ("events", "Events"),
        ),
        cost_name=cost_name,
        style=Markup(style),  # noqa: S704  # our own file
        style_hash=_hash(style),
        script=Markup(script),  # noqa: S704  # our own files
        script_hash=_hash(script),
        figures=list(_figures(record)),
        output=_outcome(record),
        svg=Markup(svg),  # noqa: S704  # drawn by Graphviz of escaped labels
        no_svg=no_svg,
        timeline=Markup(to_timeline_svg(record)),  # noqa: S704  # of escaped names
        critical=list(_critical(record)),
        critical_more=_critical_more(record),
        critical_told=_critical_told(record),
        has_cost=bool(record.usage.cost_usd),
        costs=list(_costs(record)),
        data=Markup(_data(record)),  # noqa: S704  # JSON without a `<`
    )


def _source(name: str) -> str:
    return (files("dagorch.exporters.report") / "page" / name).read_text("utf-8")


def _hash(text: str) -> str:
    """Give what a content security policy knows a script or style by."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _graph(record: RunRecord) -> tuple[str, str]:
    """Give the drawing, or else why there is none."""
    if record.graph is None:
        return "", "The result was recorded without its graph."
    try:
        return _PROLOGUE.sub("", render_svg(drawing_to_dot(record.graph))), ""
    except DefinitionError as error:
        return "", str(error)


# -- what the page says itself ------------------------------------------------------------------


def _figures(record: RunRecord) -> Iterator[tuple[str, str, str]]:
    """Give the key figures: name, value, and what qualifies it."""
    yield "Started", f"{record.started_at:%Y-%m-%d %H:%M:%S}", "UTC"
    yield "Took", format_duration(record.duration_seconds), ""
    ends = [node.end for node in record.node_runs]
    told = ", ".join(f"{ends.count(end):,} {end}" for end in _ENDS if end in ends)
    yield "Node runs", f"{len(ends):,}", told
    retried = sum(max(0, len(node.attempts) - 1) for node in record.node_runs)
    if retried:
        yield "Tried again", f"{retried:,}", ""
    usage = record.usage
    if usage.calls:
        yield "Calls", f"{usage.calls:,}", ""
    if usage.total_tokens:
        more = f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"
        yield "Tokens", f"{usage.total_tokens:,}", more
    if usage.cost_usd:
        yield "Cost", format_cost(usage.cost_usd), "in part estimated" if usage.estimated else ""


def _outcome(record: RunRecord) -> str:
    if record.output is None:
        return ""
    output: Any = record.output
    if isinstance(output, dict) and len(output) == 1:  # of a graph with one sink among skipped ones
        output = next(iter(output.values()))
    text = _told(output)
    left_out = record.output_left_out
    return f"{text}… ({left_out:,} more characters)" if left_out else text


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _critical(record: RunRecord) -> Iterator[dict[str, str]]:
    for step in record.critical_path[:_MAX_STEPS]:
        waited = step.waited_seconds
        yield {
            "path": step.path,
            "name": one_line(step.path),
            "seconds": format_duration(step.seconds),
            "waited": format_duration(waited) if waited >= 0.0005 else "",
        }


def _critical_more(record: RunRecord) -> str:
    more = len(record.critical_path) - _MAX_STEPS
    return plural(more, "more step") if more > 0 else ""


def _critical_told(record: RunRecord) -> str:
    work = sum(step.seconds for step in record.critical_path)
    waited = sum(step.waited_seconds for step in record.critical_path)
    told = f"{format_duration(work)} of work"
    return f"{told}, {format_duration(waited)} of waiting" if waited >= 0.0005 else told


def _costs(record: RunRecord) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    tables = (
        ("By model", "model", record.usage_by_model),
        ("By tier", "tier", {kind_name(t): usage for t, usage in record.usage_by_tier.items()}),
    )
    for heading, head, sums in tables:
        if sums:
            yield heading, head, _rows(record, sums)
    users = {node.path: node.usage for node in record.node_runs if node.usage.calls}
    if users:
        ranked = sorted(users, key=lambda path: _weight(users[path]), reverse=True)
        dearest = {path: users[path] for path in ranked[:_DEAREST]}
        heading = "By node run" if len(users) <= _DEAREST else f"The {_DEAREST} largest node runs"
        yield heading, "node run", _rows(record, dearest, linked=True)


def _weight(usage: Usage) -> tuple[Any, int]:
    return usage.cost_usd, usage.total_tokens


def _rows(
    record: RunRecord, sums: Mapping[str, Usage], *, linked: bool = False
) -> list[dict[str, Any]]:
    whole = record.usage
    rows = []
    for name, usage in sums.items():
        if whole.cost_usd:
            share = float(usage.cost_usd / whole.cost_usd)
        else:
            share = usage.total_tokens / (whole.total_tokens or 1)
        rows.append(
            {
                "name": one_line(name),
                "path": name if linked else "",
                "calls": f"{usage.calls:,}",
                "input": f"{usage.input_tokens:,}",
                "output": f"{usage.output_tokens:,}",
                "cost": format_cost(usage.cost_usd),
                "share": round(100 * share),
            }
        )
    return rows


# -- what its scripts read ----------------------------------------------------------------------


def _data(record: RunRecord) -> str:
    """Write the data of the page as JSON that cannot end its script, or begin anything in it."""
    data = {
        "seconds": record.duration_seconds,
        "costs": bool(record.usage.cost_usd),
        "critical": [step.path for step in record.critical_path],
        "nodes": [_node(node) for node in record.node_runs],
        "lanes": list(_lanes(record, to_timeline(record, roomy=MAX_ROWS))),
        "exchanges": [_exchange(exchange) for exchange in record.exchanges],
        "events": [_event(event) for event in record.events],
        "eventsLeftOut": record.events_left_out,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cost": str(usage.cost_usd),
        "estimated": usage.estimated,
    }


def _node(node: NodeRecord) -> dict[str, Any]:
    return {
        "path": node.path,
        "kind": node.kind,
        "tier": node.tier,
        "end": node.end,
        "ready": node.ready_seconds,
        "start": node.started_seconds,
        "finish": node.ended_seconds,
        "attempts": [_attempt(attempt) for attempt in node.attempts],
        "usage": _usage(node.usage),
        "error": node.error,
        "recovered": node.recovered_from,
        "reason": node.reason,
        "value": None if node.value is None else _told(node.value),
        "cut": node.value_left_out,
    }


def _attempt(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "model": attempt.model,
        "start": attempt.started_seconds,
        "end": attempt.ended_seconds,
        "error": attempt.error,
        "usage": _usage(attempt.usage),
    }


def _exchange(exchange: ExchangeRecord) -> dict[str, Any]:
    return {
        "path": exchange.path,
        "attempt": exchange.attempt,
        "model": exchange.model,
        "start": exchange.started_seconds,
        "end": exchange.ended_seconds,
        "messages": [
            {
                "role": said.role,
                "content": said.content,
                "images": said.images,
                "calls": said.tool_calls,
            }
            for said in exchange.messages
        ],
        "reply": exchange.reply,
        "calls": exchange.tool_calls,
        "finish": exchange.finish_reason,
        "error": exchange.error,
        "usage": _usage(exchange.usage),
    }


def _event(event: EventRecord) -> dict[str, Any]:
    told = ", ".join(
        f"{name.replace('_', ' ')}: {round(value, 6) if isinstance(value, float) else value}"
        for name, value in event.data.items()
    )
    return {
        "number": event.number,
        "seconds": event.seconds,
        "type": event.type,
        "path": event.path,
        "attempt": event.attempt,
        "told": told[:1000],
    }


def _lanes(record: RunRecord, timeline: Timeline) -> Iterator[dict[str, Any]]:
    places = {node.path: index for index, node in enumerate(record.node_runs)}
    for lane in timeline.lanes:
        work = format_duration(lane.busy_seconds)
        yield {
            "name": lane.name,
            "rows": lane.rows,
            "about": f"{plural(lane.node_runs, 'node run')}, {work} of work",
            "bars": [
                (
                    places[bar.path], bar.kind, bar.start_seconds, bar.end_seconds, bar.row,
                    bar.attempt, int(bar.failed),
                )
                for bar in lane.bars
            ],
        }  # fmt: skip
