"""What is shown when a run has ended: the answer, or what finished of it, and a table per node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from dagorch.exporters.captions import kind_name, plural, shorten
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.clean import clean, one_line
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.result import NodeRun, Result
from dagorch.models.usage import Usage

__all__ = ["END_STYLES", "markdown", "print_answer", "print_parts", "print_table"]

END_STYLES: Final = {
    "completed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "blocked": "yellow",
    "cancelled": "magenta",
}
MOST_ROWS: Final = 200
_HEADINGS: Final = ("node", "kind", "state", "tries", "tokens", "time", "cost")


class _Row(NamedTuple):
    """One line of the table, as text."""

    node: str
    kind: str
    state: str
    tries: str
    tokens: str
    time: str
    cost: str


def print_table(console: Console, result: OrchestratorResult) -> None:
    """Show each node run, and their sum."""
    run = result.run
    if run is None:
        return
    table = Table(box=None, pad_edge=False, show_footer=True, header_style="bold")
    total = _total(run, result)
    for heading, footer in zip(_HEADINGS, total, strict=True):
        numeric = heading in ("tries", "tokens", "time", "cost")
        table.add_column(
            heading,
            justify="right" if numeric else "left",
            footer=Text(footer, "bold"),
            no_wrap=True,
            overflow="ellipsis",
        )
    rows = list(_rows(run, result))
    for row in rows[:MOST_ROWS]:
        cells = [Text(cell) for cell in row]
        cells[2].stylize(END_STYLES.get(row.state, ""))
        table.add_row(*cells)
    console.print(table)
    if len(rows) > MOST_ROWS:
        console.print(Text(f"... and {plural(len(rows) - MOST_ROWS, 'more node run')}"))
    for path, node_run in run.node_runs.items():
        if node_run.end == "failed":
            console.print(Text(f"{path}: {one_line(node_run.reason)}"), style="red", soft_wrap=True)


def _rows(run: Result, result: OrchestratorResult) -> Iterator[_Row]:
    tiers = {
        agent.subtask_id: str(agent.agent_type or "")
        for agent in result.agent_results
        if agent.agent_type != agent.subtask_id  # a step of a sequence, which has no other name
    }
    for path, node_run in run.node_runs.items():
        yield _Row(
            shorten(one_line(path), 28),
            tiers.get(path) or kind_name(node_run.kind),
            node_run.end,
            f"{node_run.attempts}" if node_run.attempts else "",
            _tokens(node_run.usage),
            _time(node_run),
            _cost(node_run.usage),
        )


def _total(run: Result, result: OrchestratorResult) -> _Row:
    attempts = sum(node_run.attempts for node_run in run.node_runs.values())
    return _Row(
        plural(len(run.node_runs), "node run"),
        "",
        str(result.status),
        f"{attempts}",
        _tokens(run.usage),
        format_duration(run.duration_seconds),
        _cost(run.usage),
    )


def _tokens(usage: Usage) -> str:
    return f"{usage.input_tokens:,} + {usage.output_tokens:,}" if usage.total_tokens else ""


def _time(run: NodeRun) -> str:
    return "" if run.started_seconds is None else format_duration(run.duration_seconds)


def _cost(usage: Usage) -> str:
    if not usage.calls:
        return ""
    about = "~" if usage.estimated and usage.cost_usd else ""
    return about + format_cost(usage.cost_usd)


def print_answer(console: Console, result: OrchestratorResult) -> None:
    """Show the answer: on a terminal its Markdown laid out, elsewhere as it is."""
    text = clean(_text(result.result)).strip()
    if console.is_terminal:
        console.print(Markdown(text, hyperlinks=False))
    else:
        print(text, file=console.file)


def print_parts(console: Console, result: OrchestratorResult) -> None:
    """Show what each agent that finished had found, where there is no answer of them all."""
    for agent in result.agent_results:
        if agent.status == "completed" and (text := clean(_text(agent.content)).strip()):
            console.print(Text(f"-- {one_line(agent.subtask_id)} --", "bold"))
            print(text, file=console.file)
            print(file=console.file)


def markdown(task: str, result: OrchestratorResult) -> str:
    """Give the outcome as a Markdown document: task, answer or parts, and a table per node."""
    parts = [f"# {one_line(task)}"]
    if result.result is not None:
        parts.append(clean(_text(result.result)).strip())
    else:
        parts.append(f"There is no answer: the run was {result.status}. What finished is below.")
        parts += [
            f"## {agent.subtask_id}\n\n{clean(_text(agent.content)).strip()}"
            for agent in result.agent_results
            if agent.status == "completed"
        ]
    if result.run is not None:
        rows = [_HEADINGS, ("---",) * len(_HEADINGS), *_rows(result.run, result)]
        rows.append(_total(result.run, result))
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        parts.append("## How it ran\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        value = value["content"]  # a pass of an Iterative; JSON has the rest
    if isinstance(value, str):
        return value
    from dagorch.models.task import plain

    return json.dumps(plain(value), ensure_ascii=False, indent=2)
