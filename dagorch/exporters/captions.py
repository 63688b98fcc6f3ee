"""The words in pictures and tables: kinds, tokens, names, short enough for a box."""

from __future__ import annotations

from typing import Final

from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.result import NodeRun
from dagorch.models.usage import Usage
from dagorch.nodes.base import Node
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge

__all__ = ["kind_line", "kind_name", "plural", "run_lines", "shorten", "tokens"]

LONGEST_TITLE: Final = 32
_KIND_NAMES: Final = {"llm": "LLM", "ask": "question"}


def shorten(text: str, most: int = LONGEST_TITLE) -> str:
    """
    Cut a text in its middle, where ids differ least.

    Example:
        >>> shorten("a_rather_long_name_of_a_node_run_7", 20)
        'a_rather_…ode_run_7'
    """
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


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
            parts.append(shorten(node.model, 24))
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


def run_lines(run: NodeRun) -> tuple[str, ...]:
    """Say how a node run went: its end unless all is well, then time, tokens, money, attempts."""
    lines: list[str] = []
    if run.end != "completed":
        lines.append(run.end)
    elif run.recovered_from is not None:
        lines.append("by its fallback")
    parts: list[str] = []
    if run.started_seconds is not None and run.kind not in ("branch", "merge"):
        parts.append(format_duration(run.duration_seconds))
    if spent := tokens(run.usage):
        parts.append(spent)
    if run.usage.cost_usd:
        parts.append(format_cost(run.usage.cost_usd))
    if parts:
        lines.append(" · ".join(parts))
    if run.attempts > 1:
        lines.append(plural(run.attempts, "attempt"))
    return tuple(lines)
