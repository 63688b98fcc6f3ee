"""What a pass of an Iterative came to, and how that is read from a model's reply. No graph here."""

from __future__ import annotations

import json
from typing import Any

from dagorch.nodes.template import as_text

__all__ = ["Pass", "results_of"]


class Pass:
    """What one pass came to; the state of the loop. As text, what it gave."""

    __slots__ = ("converged", "iteration", "results")

    def __init__(self, iteration: int = 0, results: Any = None, *, converged: bool = False) -> None:
        self.iteration = iteration
        """1 for the first; 0 is what was before it."""
        self.results = results
        self.converged = converged

    def __str__(self) -> str:
        results = self.results
        return as_text(results.get("content", results) if isinstance(results, dict) else results)

    def __repr__(self) -> str:
        return f"<Pass {self.iteration}{' converged' if self.converged else ''}>"


def results_of(reply: str, iteration: int) -> dict[str, Any]:
    """
    Give what a pass of a model's came to: its text, and the fields of a JSON object in it.

    Example:
        >>> results_of('Better now. {"score": 0.9}', 2)
        {'score': 0.9, 'content': 'Better now. {"score": 0.9}', 'iteration': 2}
    """
    return {**_fields(reply), "content": reply, "iteration": iteration}


def _fields(reply: str) -> dict[str, Any]:
    """Read the first JSON object in a text, whatever stands around it."""
    decoder = json.JSONDecoder()
    start = reply.find("{")
    while start >= 0:
        try:
            found, _ = decoder.raw_decode(reply, start)
        except (ValueError, RecursionError):
            start = reply.find("{", start + 1)
            continue
        return dict(found)
    return {}
