#!/usr/bin/env python3
"""
Write the graphs of the patterns into docs/choosing.md, each as a Mermaid block under its mark.

    uv run scripts/draw_patterns.py

A block shows `orchestrator.graph(task)` as `dagorch graph` prints it. A test compares the page with
the patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dagorch import (
    BaseOrchestrator,
    ConditionalOrchestrator,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    SequentialOrchestrator,
)
from dagorch.exporters import to_mermaid

__all__ = ["PAGE", "drawn"]

PAGE: Final = Path(__file__).parents[1] / "docs" / "choosing.md"
_BLOCK: Final = re.compile(
    r"(<!-- drawn: (\w+) -->\n)```mermaid\n.*?^```$", re.DOTALL | re.MULTILINE
)
_PATTERNS: Final[dict[str, Callable[[], BaseOrchestrator]]] = {
    "sequential": lambda: SequentialOrchestrator(
        OrchestratorConfig(steps=["research", "analyze", "synthesize"])
    ),
    "conditional": lambda: ConditionalOrchestrator(
        condition="Is it about code?",
        true_branch=["List likely causes", "Advise"],
        false_branch="Reply",
    ),
    "iterative": lambda: IterativeOrchestrator(convergence_fn="Is it simple enough?"),
    "cascade": DreamCascadeOrchestrator,
    "swarm": lambda: DreamSwarmOrchestrator(
        DreamSwarmConfig(num_agents=2, domains=["arxiv", "wikipedia"])
    ),
}


def drawn(page: str) -> str:
    """Return the page with every block written again."""

    def block(found: re.Match[str]) -> str:
        graph = _PATTERNS[found[2]]().graph("the task")
        return f"{found[1]}```mermaid\n{to_mermaid(graph)}```"

    return _BLOCK.sub(block, page)


def main() -> None:
    """Draw and write the page."""
    PAGE.write_text(drawn(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
