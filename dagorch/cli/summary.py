"""Prints a finished run: the answer, or what the agents found, and a table of the node runs."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from dagorch.exporters.documents.values import as_text
from dagorch.exporters.pictures.captions import plural
from dagorch.exporters.rows import HEADINGS, MAX_ROWS, NUMERIC, rows, total
from dagorch.models.clean import clean, one_line
from dagorch.models.orchestration import OrchestratorResult

__all__ = ["END_STYLES", "print_agent_results", "print_answer", "print_table"]

END_STYLES: Final = {
    "completed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "blocked": "yellow",
    "cancelled": "magenta",
}


def print_table(console: Console, result: OrchestratorResult) -> None:
    """Print a table of the node runs with their sum, and the errors below it."""
    run = result.run
    if run is None:
        return
    table = Table(box=None, pad_edge=False, show_footer=True, header_style="bold")
    for heading, footer in zip(HEADINGS, total(run, result), strict=True):
        table.add_column(
            heading,
            justify="right" if heading in NUMERIC else "left",
            footer=Text(footer, "bold"),
            no_wrap=True,
            overflow="ellipsis",
        )
    found = list(rows(run, result))
    for row in found[:MAX_ROWS]:
        cells = [Text(cell) for cell in row]
        cells[2].stylize(END_STYLES.get(row.state, ""))
        table.add_row(*cells)
    console.print(table)
    if len(found) > MAX_ROWS:
        console.print(Text(f"... and {plural(len(found) - MAX_ROWS, 'more node run')}"))
    for path, node_run in run.node_runs.items():
        if node_run.end == "failed":
            text = Text(one_line(f"{path}: {node_run.reason}"))
            console.print(text, style="red", soft_wrap=True)


def print_answer(console: Console, result: OrchestratorResult) -> None:
    """Print the answer: rendered Markdown on a terminal, plain text elsewhere."""
    text = clean(as_text(result.result)).strip()
    if console.is_terminal:
        console.print(Markdown(text, hyperlinks=False))
    else:
        print(text, file=console.file)


def print_agent_results(console: Console, result: OrchestratorResult) -> None:
    """Print what each completed agent found, for a run without an answer."""
    for agent in result.agent_results:
        if agent.status == "completed" and (text := clean(as_text(agent.content)).strip()):
            console.print(Text(f"-- {one_line(agent.subtask_id)} --", "bold"))
            print(text, file=console.file)
            print(file=console.file)
