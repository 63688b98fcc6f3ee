"""
The report of a run as a self-contained HTML file, made from the run's record.

This module selects and formats the content. `page/` has the template, styles and scripts.
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
    EventRecord,
    NodeRecord,
    RunRecord,
)
from dagorch.exporters.report.timeline import Timeline, to_timeline
from dagorch.exporters.report.timeline_svg import MAX_ROWS, to_timeline_svg
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.clean import one_line
from dagorch.models.task import to_text
from dagorch.models.truncate import truncate_middle, truncate_with_count
from dagorch.models.usage import Usage

__all__ = ["to_html_report"]

_SCRIPTS: Final = ("base", "table", "exchanges", "details", "graph", "timeline", "main")
_MAX_COST_ROWS: Final = 10
"""Node runs in the table of costs."""
_MAX_STEPS: Final = 30
"""Steps of the critical path to list."""
_MAX_PARAGRAPH: Final = 3_000
_MAX_EVENT_TEXT: Final = 1_000
_MIN_WAIT_SECONDS: Final = 0.0005
"""Shorter waits are not shown."""
_BEFORE_SVG: Final = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_USAGE_NOT_SHOWN: Final = {"calls", "cached_tokens", "reasoning_tokens"}
"""Fields of the record that the scripts do not need."""
_SHOWN_ENDS: Final = ("failed", "blocked", "cancelled", "skipped")


def to_html_report(record: RunRecord) -> str:
    """
    Write the report of a run as one HTML page.

    It shows the graph, the timeline, the critical path, the cost, every node run, prompt, reply
    and event, with a search over them. The page loads and sends nothing: its content security
    policy forbids it. Output of models is escaped, and never interpreted.

    Args:
        record: From a `Recorder`, or read from its file.

    Cost: drawing the graph, then linear in the size of the record; 1 s for 10,000 node runs.

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
    svg, missing_svg_reason = _graph(record)
    cost_name = "Cost" if record.usage.cost_usd else "Tokens"
    return pages.get_template("report.html").render(
        record=record,
        title=truncate_middle(one_line(record.title), 100),
        task=truncate_with_count(record.task, _MAX_PARAGRAPH),
        error=truncate_with_count(record.error, _MAX_PARAGRAPH),
        sections=(
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
        output=_output(record),
        svg=Markup(svg),  # noqa: S704  # drawn by Graphviz from escaped labels
        missing_svg_reason=missing_svg_reason,
        timeline=Markup(to_timeline_svg(record)),  # noqa: S704  # made of escaped names
        critical_path=_critical_path(record),
        has_cost=bool(record.usage.cost_usd),
        format_cost=format_cost,
        costs=list(_costs(record)),
        data=Markup(_data(record)),  # noqa: S704  # JSON without a `<`
    )


def _source(name: str) -> str:
    return (files("dagorch.exporters.report") / "page" / name).read_text("utf-8")


def _hash(text: str) -> str:
    """Return the hash that a content security policy uses to allow a script or style."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _graph(record: RunRecord) -> tuple[str, str]:
    """Return the drawing, or an empty string and the reason."""
    if record.graph is None:
        return "", "The run was recorded without its graph."
    try:
        return _BEFORE_SVG.sub("", render_svg(drawing_to_dot(record.graph))), ""
    except DefinitionError as error:
        return "", str(error)


# -- the content of the template ----------------------------------------------------------------


def _figures(record: RunRecord) -> Iterator[tuple[str, str, str]]:
    """Yield the key figures: name, value, and a remark."""
    yield "Started", f"{record.started_at:%Y-%m-%d %H:%M:%S}", "UTC"
    yield "Took", format_duration(record.duration_seconds), ""
    ends = [node.end for node in record.node_runs]
    counts = ", ".join(f"{ends.count(end):,} {end}" for end in _SHOWN_ENDS if end in ends)
    yield "Node runs", f"{len(ends):,}", counts
    retried = sum(max(0, len(node.attempts) - 1) for node in record.node_runs)
    if retried:
        yield "Retries", f"{retried:,}", ""
    usage = record.usage
    if usage.calls:
        yield "Calls", f"{usage.calls:,}", ""
    if usage.total_tokens:
        in_and_out = f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"
        yield "Tokens", f"{usage.total_tokens:,}", in_and_out
    if usage.cost_usd:
        yield "Cost", format_cost(usage.cost_usd), "partly estimated" if usage.estimated else ""


def _output(record: RunRecord) -> str:
    if record.output is None:
        return ""
    output: Any = record.output
    if isinstance(output, dict) and len(output) == 1:  # all sinks but one were skipped
        output = next(iter(output.values()))
    text = to_text(output)
    omitted = record.output_chars_omitted
    return f"{text}… ({omitted:,} more characters)" if omitted else text


def _critical_path(record: RunRecord) -> dict[str, Any]:
    """Return the first steps of the critical path, the number of others, and the total time."""
    steps = record.critical_path
    work = format_duration(sum(step.seconds for step in steps))
    waiting = _wait(sum(step.waited_seconds for step in steps))
    return {
        "steps": [
            {
                "path": step.path,
                "name": one_line(step.path),
                "seconds": format_duration(step.seconds),
                "waited": _wait(step.waited_seconds),
            }
            for step in steps[:_MAX_STEPS]
        ],
        "more": plural(len(steps) - _MAX_STEPS, "more step") if len(steps) > _MAX_STEPS else "",
        "total": f"{work} of work" + (f", {waiting} of waiting" if waiting else ""),
    }


def _wait(seconds: float) -> str:
    return format_duration(seconds) if seconds >= _MIN_WAIT_SECONDS else ""


def _costs(record: RunRecord) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    tables = (
        ("By model", "model", record.usage_by_model),
        ("By tier", "tier", {kind_name(t): usage for t, usage in record.usage_by_tier.items()}),
    )
    for caption, header, usages in tables:
        if usages:
            yield caption, header, _cost_rows(record, usages)
    usage_by_path = {node.path: node.usage for node in record.node_runs if node.usage.calls}
    if usage_by_path:
        ranked = sorted(
            usage_by_path.items(),
            key=lambda item: (item[1].cost_usd, item[1].total_tokens),
            reverse=True,
        )
        is_cut = len(ranked) > _MAX_COST_ROWS
        caption = f"The {_MAX_COST_ROWS} largest node runs" if is_cut else "By node run"
        yield caption, "node run", _cost_rows(record, dict(ranked[:_MAX_COST_ROWS]), linked=True)


def _cost_rows(
    record: RunRecord, usages: Mapping[str, Usage], *, linked: bool = False
) -> list[dict[str, Any]]:
    total = record.usage
    rows = []
    for name, usage in usages.items():
        if total.cost_usd:
            share = float(usage.cost_usd / total.cost_usd)
        else:
            share = usage.total_tokens / (total.total_tokens or 1)
        path = name if linked else ""
        rows.append({"path": path, "name": one_line(name), "usage": usage, "share": share})
    return rows


# -- the data of the scripts --------------------------------------------------------------------


def _data(record: RunRecord) -> str:
    """Write the data as JSON that cannot end its script element or start another element."""
    data = {
        "seconds": record.duration_seconds,
        "costs": bool(record.usage.cost_usd),
        "critical": [step.path for step in record.critical_path],
        "nodes": [_node(node) for node in record.node_runs],
        "lanes": list(_lanes(record, to_timeline(record, max_separate_rows=MAX_ROWS))),
        "exchanges": [
            exchange.model_dump(mode="json", exclude={"usage": _USAGE_NOT_SHOWN})
            for exchange in record.exchanges
        ],
        "events": [_event(event) for event in record.events],
        "events_omitted": record.events_omitted,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _node(node: NodeRecord) -> dict[str, Any]:
    value = None if node.value is None else to_text(node.value)
    return node.model_dump(
        mode="json",
        exclude={"usage": _USAGE_NOT_SHOWN, "attempts": {"__all__": {"usage": _USAGE_NOT_SHOWN}}},
    ) | {"value": value}


def _event(event: EventRecord) -> dict[str, Any]:
    text = ", ".join(
        f"{name.replace('_', ' ')}: {round(value, 6) if isinstance(value, float) else value}"
        for name, value in event.data.items()
    )
    return event.model_dump(exclude={"data"}) | {"text": text[:_MAX_EVENT_TEXT]}


def _lanes(record: RunRecord, timeline: Timeline) -> Iterator[dict[str, Any]]:
    indices = {node.path: index for index, node in enumerate(record.node_runs)}
    for lane in timeline.lanes:
        work = format_duration(lane.busy_seconds)
        yield {
            "name": lane.name,
            "rows": lane.rows,
            "summary": f"{plural(lane.node_runs, 'node run')}, {work} of work",
            "bars": [
                (
                    indices[bar.path], bar.kind, bar.start_seconds, bar.end_seconds, bar.row,
                    bar.attempt, int(bar.failed),
                )
                for bar in lane.bars
            ],
        }  # fmt: skip
