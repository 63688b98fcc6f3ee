"""What is shown when a run has ended: the answer, or what finished of it, and a table per node."""

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

__all__ = ["END_STYLES", "print_answer", "print_parts", "print_table"]

END_STYLES: Final = {
    "completed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "blocked": "yellow",
    "cancelled": "magenta",
}


def print_table(console: Console, result: OrchestratorResult) -> None:
    """Show each node run, and their sum."""
    run = result.run
    if run is None:
        return
    table = Table(box=None, pad_edge=False, show_footer=True, header_style="bold")
    sums = total(run, result)
    for heading, footer in zip(HEADINGS, sums, strict=True):
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
            told = one_line(f"{path}: {node_run.reason}")
            console.print(Text(told), style="red", soft_wrap=True)


def print_answer(console: Console, result: OrchestratorResult) -> None:
    """Show the answer: on a terminal its Markdown laid out, elsewhere as it is."""
    text = clean(as_text(result.result)).strip()
    if console.is_terminal:
        console.print(Markdown(text, hyperlinks=False))
    else:
        print(text, file=console.file)


def print_parts(console: Console, result: OrchestratorResult) -> None:
    """Show what each agent that finished had found, where there is no answer of them all."""
    for agent in result.agent_results:
        if agent.status == "completed" and (text := clean(as_text(agent.content)).strip()):
            console.print(Text(f"-- {one_line(agent.subtask_id)} --", "bold"))
            print(text, file=console.file)
            print(file=console.file)
