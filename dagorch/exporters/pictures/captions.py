"""The short texts in pictures and tables: kinds, tokens, times, costs, reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from dagorch.exporters.critical import CriticalStep
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.result import NodeRun, Result
from dagorch.models.truncate import truncate_line, truncate_middle
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.nodes.base import Node
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge

__all__ = [
    "group_lines",
    "kind_line",
    "kind_name",
    "outcome_lines",
    "plural",
    "run_lines",
    "tooltip",
]

_MAX_LINE_LENGTH: Final = 40
_MAX_POINTED_LINE_LENGTH: Final = 24
_POINTED_KINDS: Final = ("branch", "merge")
"""Drawn as shapes with corners, which have less room."""
_MAX_REASON_LENGTH: Final = 400
_KIND_NAMES: Final = {"llm": "LLM", "ask": "question"}


def plural(count: int, noun: str) -> str:
    """
    Write a count with its noun.

    Example:
        >>> plural(1, "pass"), plural(2, "pass"), plural(3, "item")
        ('1 pass', '2 passes', '3 items')
    """
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{ending}"


def kind_name(kind: str) -> str:
    """Write a node's kind as readers know it: `LLM`, `question`."""
    return _KIND_NAMES.get(kind, kind)


def kind_line(node: Node[object]) -> str:
    """Write a node's kind with the option that matters most: its model, its tools, its quorum."""
    word = kind_name(node.kind.value)
    if isinstance(node, LLM):
        parts = [word]
        if node.model:
            parts.append(truncate_middle(node.model, 24))
        if node.tools:
            parts.append(plural(len(node.tools), "tool"))
        return " · ".join(parts)
    if isinstance(node, Merge) and node.wait != "all":
        return f"{word} · {'any one' if node.quorum == 1 else f'first {node.quorum}'}"
    if isinstance(node, Function) and node.expand:
        return f"{word} · expands"
    return word


def run_lines(run: NodeRun, usage: Usage | None = None, *first: str) -> tuple[str, ...]:
    """
    Describe a node run: its end and reason unless it completed; time, tokens, cost; attempts.

    Args:
        run: The node run.
        usage: What it used, if that is more than its own usage.
        first: Texts before the time.
    """
    lines: list[str] = []
    if run.end != "completed":
        lines.append(run.end)
        limit = _MAX_LINE_LENGTH if run.kind not in _POINTED_KINDS else _MAX_POINTED_LINE_LENGTH
        lines += [truncate_line(run.reason, limit)] if run.reason else []
    elif run.recovered_from is not None:
        lines.append("recovered by fallback")
    parts = list(first)
    if run.started_seconds is not None and run.kind not in _POINTED_KINDS:
        parts.append(format_duration(run.duration_seconds))
    parts += _used(run.usage if usage is None else usage)
    if parts:
        lines.append(" · ".join(parts))
    if run.attempts > 1:
        lines.append(plural(run.attempts, "attempt"))
    return tuple(lines)


def group_lines(runs: Sequence[NodeRun]) -> tuple[str, ...]:
    """Describe several node runs with the same end; otherwise as `run_lines`, with sums."""
    if not runs:
        return ()
    lines: list[str] = [runs[0].end] if runs[0].end != "completed" else []
    parts: list[str] = []
    if any(run.started_seconds is not None for run in runs):
        times = [run.duration_seconds for run in runs]
        shortest, longest = format_duration(min(times)), format_duration(max(times))
        parts.append(f"{shortest} each" if shortest == longest else f"{shortest} to {longest}")
    parts += _used(sum((run.usage for run in runs), NOTHING_USED))
    if parts:
        lines.append(" · ".join(parts))
    if retried := sum(run.attempts > 1 for run in runs):
        lines.append(f"{retried:,} retried")
    return tuple(lines)


def tooltip(path: str, run: NodeRun | None) -> str:
    """Write what a box has no room for: the whole path and the whole reason."""
    return f"{path}\n{run.reason[:_MAX_REASON_LENGTH]}" if run is not None and run.reason else path


def outcome_lines(result: Result, chain: Sequence[CriticalStep]) -> tuple[str, ...]:
    """Describe a run: its status and usage, and the length of its critical path."""
    ends = Counter(run.end for run in result.node_runs.values())
    runs = [plural(len(result.node_runs), "node run")]
    runs += [f"{ends[end]:,} {end}" for end in ("failed", "blocked", "cancelled") if ends[end]]
    if result.item_errors:
        runs.append(f"{plural(len(result.item_errors), 'item')} failed")
    parts = [result.status, ", ".join(runs), format_duration(result.duration_seconds)]
    parts += _used(result.usage)
    lines = [" · ".join(parts)]
    if chain:
        worked = sum(step.seconds for step in chain)
        waited = sum(step.waited_seconds for step in chain)
        waiting = f", {format_duration(waited)} of waiting" if waited >= 0.0005 else ""
        lines.append(f"thick: the critical path, {format_duration(worked)} of work{waiting}")
    return tuple(lines)


def _used(usage: Usage) -> list[str]:
    tokens = f"{usage.total_tokens:,} tok" if usage.total_tokens else ""
    cost = format_cost(usage.cost_usd) if usage.cost_usd else ""
    return [part for part in (tokens, cost) if part]
