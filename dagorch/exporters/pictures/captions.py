"""The words in pictures and tables: kinds, tokens, names, short enough for a box."""

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
    "kind_line",
    "kind_name",
    "many_lines",
    "outcome_lines",
    "plural",
    "run_lines",
    "tokens",
    "tooltip",
]

MAX_LINE_LENGTH: Final = 40
_KIND_NAMES: Final = {"llm": "LLM", "ask": "question"}


def plural(count: int, noun: str) -> str:
    """
    Count things.

    Example:
        >>> plural(1, "pass"), plural(2, "pass"), plural(3, "item")
        ('1 pass', '2 passes', '3 items')
    """
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{ending}"


def tokens(usage: Usage) -> str:
    """Write the tokens in and out together; empty if there are none."""
    return f"{usage.total_tokens:,} tok" if usage.total_tokens else ""


def kind_name(kind: str) -> str:
    """Write a node's kind as people do."""
    return _KIND_NAMES.get(kind, kind)


def kind_line(node: Node[object]) -> str:
    """Say what a node is, with the one option that tells it from others of its kind."""
    word = kind_name(node.kind.value)
    if isinstance(node, LLM):
        parts = [word]
        if node.model:
            parts.append(truncate_middle(node.model, 24))
        if node.tools:
            parts.append(plural(len(node.tools), "tool"))
        return " · ".join(parts)
    if isinstance(node, Merge):
        return word if node.wait == "all" else f"{word} · {_waits(node)}"
    if isinstance(node, Function) and node.expand:
        return f"{word} · expands"
    return word


def _waits(node: Merge) -> str:
    return "any one" if node.quorum == 1 else f"first {node.quorum}"


def run_lines(run: NodeRun, usage: Usage | None = None, *also: str) -> tuple[str, ...]:
    """
    Say how a node run went: its end and why, unless all is well; time, tokens, money; attempts.

    Args:
        run: Which.
        usage: What to say that it used up, if not only its own.
        also: What to say first of the time.
    """
    lines: list[str] = []
    if run.end != "completed":
        lines.append(run.end)
        most = MAX_LINE_LENGTH if run.kind not in ("branch", "merge") else 24  # these have corners
        lines += [truncate_line(run.reason, most)] if run.reason else []
    elif run.recovered_from is not None:
        lines.append("by its fallback")
    parts = list(also)
    if run.started_seconds is not None and run.kind not in ("branch", "merge"):
        parts.append(format_duration(run.duration_seconds))
    parts += _used(run.usage if usage is None else usage)
    if parts:
        lines.append(" · ".join(parts))
    if run.attempts > 1:
        lines.append(plural(run.attempts, "attempt"))
    return tuple(lines)


def many_lines(runs: Sequence[NodeRun]) -> tuple[str, ...]:
    """Say how several node runs with one end went: the end, then as `run_lines`, all in sum."""
    if not runs:
        return ()
    lines: list[str] = [runs[0].end] if runs[0].end != "completed" else []
    parts: list[str] = []
    if any(run.started_seconds is not None for run in runs):
        times = [run.duration_seconds for run in runs]
        least, most = format_duration(min(times)), format_duration(max(times))
        parts.append(f"{least} each" if least == most else f"{least} to {most}")
    parts += _used(sum((run.usage for run in runs), NOTHING_USED))
    if parts:
        lines.append(" · ".join(parts))
    if again := sum(run.attempts > 1 for run in runs):
        lines.append(f"{again:,} tried again")
    return tuple(lines)


def tooltip(path: str, run: NodeRun | None) -> str:
    """Say what a box has no room for: the whole address, and why it ended as it did."""
    if run is None:
        return path
    return f"{path}\n{run.reason[:400]}" if run.reason else path


def outcome_lines(result: Result, chain: Sequence[CriticalStep]) -> tuple[str, ...]:
    """Say what a run came to, and how long its critical path is."""
    ends = Counter(run.end for run in result.node_runs.values())
    runs = [plural(len(result.node_runs), "node run")]
    runs += [f"{ends[end]:,} {end}" for end in ("failed", "blocked", "cancelled") if ends[end]]
    parts = [result.status, ", ".join(runs), format_duration(result.duration_seconds)]
    parts += _used(result.usage)
    lines = [" · ".join(parts)]
    if chain:
        worked, waited = sum(s.seconds for s in chain), sum(s.waited_seconds for s in chain)
        waiting = f", {format_duration(waited)} of waiting" if waited >= 0.0005 else ""
        lines.append(f"thick: the critical path, {format_duration(worked)} of work{waiting}")
    return tuple(lines)


def _used(usage: Usage) -> list[str]:
    cost = format_cost(usage.cost_usd) if usage.cost_usd else ""
    return [part for part in (tokens(usage), cost) if part]
