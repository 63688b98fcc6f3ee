"""The section about the run: its graph and timeline as pictures, its steps and models as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dagorch.errors import DagorchError
from dagorch.exporters.documents.blocks import Block, Picture, Table
from dagorch.exporters.documents.text_blocks import heading, paragraph, table, text_spans
from dagorch.exporters.pictures.captions import plural
from dagorch.exporters.rows import HEADINGS, MAX_ROWS, NUMERIC, rows, total
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.result import Result

__all__ = ["run_section", "shows_cost"]

_TIMELINE_WIDTH: Final = 640
"""Narrow, so that the text is not too small on a page."""
MAX_DRAWN: Final = 400
"""Boxes of a graph; a drawing of more would be too small to read on a page."""


def shows_cost(result: OrchestratorResult) -> bool:
    """Whether a result shows its cost; see `enable_cost_tracking`."""
    usage = result.metadata.get("usage_by_model")
    return not usage or all("cost" in used for used in usage.values())


def run_section(result: OrchestratorResult) -> Iterator[Block]:
    """Yield the section about the run; nothing if the result has no run and no usage."""
    run = result.run if isinstance(result.run, Result) else None
    usage_by_model = result.metadata.get("usage_by_model") or {}
    if run is None and not usage_by_model:
        return
    with_cost = shows_cost(result)
    yield heading(1, "The run")
    if run is not None:
        run = run if with_cost else run.without_costs()
        yield paragraph(_counts(run))
        yield from _pictures(run)
        yield from _steps(run, result)
    if usage_by_model:
        yield heading(2, "By model")
        yield _by_model(usage_by_model, with_cost=with_cost)


def _counts(run: Result) -> str:
    ends = Counter(node_run.end for node_run in run.node_runs.values())
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
        if len(draw(run.graph, run).boxes) > MAX_DRAWN:
            yield paragraph("The graph is too large to be drawn on a page.")
        else:
            caption = "The graph as it ran, from the inputs to the answer."
            yield Picture(to_svg(run.graph, run), caption, to_mermaid(run.graph, run))
    except DagorchError as error:
        yield paragraph(f"The graph could not be drawn: {error}")
    yield Picture(
        to_timeline_svg(run, _TIMELINE_WIDTH),
        "When each step waited and worked, with one lane per model.",
    )


def _steps(run: Result, result: OrchestratorResult) -> Iterator[Block]:
    shown = list(rows(run, result))
    yield heading(2, "Step by step")
    sums = [text_spans(cell, bold=True) for cell in total(run, result)]
    yield table(
        (name.capitalize() for name in HEADINGS),
        (*shown[:MAX_ROWS], sums),
        map(HEADINGS.index, NUMERIC),
        compact=True,
    )
    if len(shown) > MAX_ROWS:
        more = plural(len(shown) - MAX_ROWS, "more node run")
        yield paragraph(f"... and {more}; the total covers them all.")


def _by_model(usage_by_model: Mapping[str, Any], *, with_cost: bool) -> Table:
    header = ["Model", "Calls", "Tokens in", "Tokens out"] + ["Cost"] * with_cost
    lines = [
        [name, *(f"{usage[field]:,}" for field in ("calls", "input_tokens", "output_tokens"))]
        + ([format_cost(usage["cost"])] if with_cost else [])
        for name, usage in usage_by_model.items()
    ]
    return table(header, lines, range(1, len(header)), compact=True)
