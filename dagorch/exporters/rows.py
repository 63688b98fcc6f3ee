"""The rows of a table of a finished run: one for each node run, and their sum, as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from dagorch.exporters.pictures.captions import kind_name, plural
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.clean import one_line
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.result import NodeRun, Result
from dagorch.models.truncate import truncate_middle
from dagorch.models.usage import Usage

__all__ = ["HEADINGS", "MAX_ROWS", "NUMERIC", "Row", "agent_roles", "rows", "total"]

HEADINGS: Final = ("node", "kind", "state", "attempts", "tokens", "time", "cost")
NUMERIC: Final = ("attempts", "tokens", "time", "cost")
MAX_ROWS: Final = 200


class Row(NamedTuple):
    """One line of the table, as text."""

    node: str
    kind: str
    state: str
    attempts: str
    tokens: str
    time: str
    cost: str


def agent_roles(result: OrchestratorResult) -> dict[str, str]:
    """Return the role of each agent by its node run's path."""
    return {
        agent.subtask_id: str(agent.agent_type or "")
        for agent in result.agent_results
        if agent.agent_type != agent.subtask_id  # the steps of a sequence have no role
    }


def rows(run: Result, result: OrchestratorResult) -> Iterator[Row]:
    """Yield a row for each node run, in the order of the result."""
    roles = agent_roles(result)
    for path, node_run in run.node_runs.items():
        yield Row(
            truncate_middle(one_line(path), 28),
            kind_name(roles.get(path) or node_run.kind),
            node_run.end,
            f"{node_run.attempts}" if node_run.attempts else "",
            _tokens(node_run.usage),
            _time(node_run),
            _cost(node_run.usage),
        )


def total(run: Result, result: OrchestratorResult) -> Row:
    """Return the row that sums all node runs."""
    attempts = sum(node_run.attempts for node_run in run.node_runs.values())
    return Row(
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
