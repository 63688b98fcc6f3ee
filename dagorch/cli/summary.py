"""A finished run as text: the answer, or what the agents found, and a table of the node runs."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from dagorch.cli.streams import render
from dagorch.exporters.documents.values import as_text
from dagorch.exporters.pictures.captions import plural
from dagorch.exporters.rows import HEADINGS, MAX_ROWS, NUMERIC, rows, total
from dagorch.models.clean import clean, one_line
from dagorch.models.orchestration import OrchestratorResult

__all__ = ["END_STYLES", "agent_results_text", "answer_text", "table_text"]

END_STYLES: Final = {
    "completed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "blocked": "yellow",
    "cancelled": "magenta",
}


def table_text(
    console: Console, result: OrchestratorResult, error: BaseException | None = None
) -> str:
    """
    Return a table of the node runs with their sum, and below it the errors of nodes.

    Args:
        console: Where it will be printed.
        result: The result.
        error: What the run ended with. It is printed last, so the node that raised it is left out.
    """
    run = result.run
    if run is None:
        return ""
    table = Table(box=None, pad_edge=False, show_footer=True, header_style="bold")
    for heading, footer in zip(HEADINGS, total(run, result), strict=True):
        table.add_column(
            heading,
            justify="right" if heading in NUMERIC else "left",
            footer=Text(footer, "bold"),
            no_wrap=True,
            overflow="ellipsis",
        )
    raised_at = getattr(error, "path", "")
    found = list(rows(run, result))
    for row in found[:MAX_ROWS]:
        cells = [Text(cell) for cell in row]
        cells[2].stylize(END_STYLES.get(row.state, ""))
        table.add_row(*cells)
    text = render(console, table)
    if len(found) > MAX_ROWS:
        text += f"... and {plural(len(found) - MAX_ROWS, 'more node run')}\n"
    if run.item_errors:
        items = plural(len(run.item_errors), "item")
        text += render(console, Text(f"{items} failed, and their maps continued", "red"))
    for path, node_run in run.node_runs.items():
        if node_run.end == "failed" and path != raised_at:
            line = Text(one_line(f"{path}: {node_run.reason}"), "red")
            text += render(console, line, soft_wrap=True)
    return text


def answer_text(console: Console, result: OrchestratorResult) -> str:
    """Return the answer: rendered Markdown for a terminal, plain text otherwise."""
    text = clean(as_text(result.result)).strip()
    if console.is_terminal:
        text = render(console, Markdown(text, hyperlinks=False)).rstrip("\n")
    return text


def agent_results_text(console: Console, result: OrchestratorResult) -> str:
    """Return what each completed agent found, for a run without an answer."""
    parts = []
    for agent in result.agent_results:
        if agent.status == "completed" and (text := clean(as_text(agent.content)).strip()):
            heading = render(console, Text(f"-- {one_line(agent.subtask_id)} --", "bold"))
            parts.append(f"{heading}{text}\n\n")
    return "".join(parts)
