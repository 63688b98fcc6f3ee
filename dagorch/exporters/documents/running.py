"""How a workflow ran, as blocks: its graph and timeline drawn, its steps and bills in tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from dagorch.errors import DagorchError
from dagorch.exporters.documents.blocks import Block, Heading, Paragraph, Picture, Span, Table
from dagorch.exporters.documents.reading import read_spans
from dagorch.exporters.pictures.captions import plural
from dagorch.exporters.rows import HEADINGS, MAX_ROWS, NUMERIC, rows, total
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.result import Result

__all__ = ["how_it_ran", "tells_dollars"]

_WIDTH: Final = 640
"""Of the timeline, so that its words are not too small on a page."""
MAX_DRAWN: Final = 400
"""Boxes of a graph that is drawn; one of more would be too small to read on a page."""


def tells_dollars(result: OrchestratorResult) -> bool:
    """Whether a result may tell its dollars; see `enable_cost_tracking`."""
    usage = result.metadata.get("usage_by_model")
    return not usage or all("cost" in used for used in usage.values())


def how_it_ran(result: OrchestratorResult) -> Iterator[Block]:
    """Tell how a workflow ran; nothing where nothing is known of it."""
    run = result.run if isinstance(result.run, Result) else None
    bills = result.metadata.get("usage_by_model") or {}
    if run is None and not bills:
        return
    yield Heading(1, read_spans("How it ran"))
    if run is not None:
        run = run if tells_dollars(result) else run.without_costs()
        yield Paragraph(read_spans(_said(run)))
        yield from _pictures(run)
        yield from _steps(run, result)
    if bills:
        yield Heading(2, read_spans("By model"))
        yield _by_model(bills, dollars=tells_dollars(result))


def _said(run: Result) -> str:
    ends: dict[str, int] = {}
    for node_run in run.node_runs.values():
        ends[node_run.end] = ends.get(node_run.end, 0) + 1
    counts = ", ".join(f"{count:,} {end}" for end, count in ends.items())
    took = format_duration(run.duration_seconds)
    return f"{plural(len(run.node_runs), 'node run')} in {took}: {counts}."


def _pictures(run: Result) -> Iterator[Block]:
    from dagorch.exporters.pictures.mermaid import to_mermaid
    from dagorch.exporters.pictures.picture import to_svg
    from dagorch.exporters.pictures.unroll import draw
    from dagorch.exporters.report.timeline_svg import to_timeline_svg

    if run.graph is None:
        return
    try:
        is_large = len(draw(run.graph, run).boxes) > MAX_DRAWN  # a map of any size is a few
        svg = "" if is_large else to_svg(run.graph, run)
    except DagorchError as error:
        yield Paragraph(read_spans(f"The graph could not be drawn: {error}"))
    else:
        if is_large:
            yield Paragraph(read_spans("The graph is too large to be drawn on a page."))
        else:
            yield Picture(
                svg,
                "The graph as it ran, from the inputs to the answer.",
                to_mermaid(run.graph, run),
            )
    yield Picture(
        to_timeline_svg(run, _WIDTH), "When each step waited and worked, a lane for each model."
    )


def _steps(run: Result, result: OrchestratorResult) -> Iterator[Block]:
    found = list(rows(run, result))
    yield Heading(2, read_spans("Step by step"))
    shown = [
        *(tuple(map(read_spans, row)) for row in found[:MAX_ROWS]),
        tuple(_bold(cell) for cell in total(run, result)),
    ]
    yield Table(
        tuple(read_spans(name.capitalize()) for name in HEADINGS),
        tuple(shown),
        tuple(HEADINGS.index(name) for name in NUMERIC),
        small=True,
    )
    if len(found) > MAX_ROWS:
        more = plural(len(found) - MAX_ROWS, "more node run")
        yield Paragraph(read_spans(f"... and {more}; the sum has them all."))


def _by_model(bills: dict[str, Any], *, dollars: bool) -> Table:
    head = ["Model", "Calls", "Tokens in", "Tokens out"] + ["Cost"] * dollars
    lines = []
    for name, used in bills.items():
        line = [name, *(f"{used[what]:,}" for what in ("calls", "input_tokens", "output_tokens"))]
        lines.append([*line, format_cost(used["cost"])] if dollars else line)
    return Table(
        tuple(map(read_spans, head)),
        tuple(tuple(map(read_spans, line)) for line in lines),
        tuple(range(1, len(head))),
        small=True,
    )


def _bold(text: str) -> tuple[Span, ...]:
    return tuple(replace(span, bold=True) for span in read_spans(text))
