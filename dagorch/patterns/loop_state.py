"""
What a pass of an Iterative came to, and how that is read from a model's reply. No graph here.

A pass is told what others gave by keyword, `told_1` and on, and by `names` what each is called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from dagorch.nodes.function import Context
from dagorch.nodes.template import as_text

__all__ = ["PREVIOUS", "VERDICT", "Keeper", "Pass", "by_name", "judged", "leave", "results_of"]

PREVIOUS: Final = "previous answer"
"""What a pass calls the one before, among the names of what it is told; the first has None."""
VERDICT: Final = "verdict"
"""What the check calls a model's verdict, `true` or `false`, among those names."""


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


@runtime_checkable
class Keeper(Protocol):
    """
    What a run's `deps` may be: it is left what steps of a pass gave.

    The run lets a pass's values go when that has ended.
    """

    def leave(self, path: str, given: Mapping[str, Any]) -> None:
        """Take what steps gave, by name, from the node run at `path` that read or made it."""
        ...


def leave(run: Context[Any], given: Mapping[str, Any]) -> None:
    """Leave what steps gave with the run's `deps`, if they want it."""
    if isinstance(run.deps, Keeper):
        run.deps.leave(run.path, given)


def by_name(names: Sequence[str], told: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give what a node is told by name.

    Example:
        >>> by_name(["draft", "verdict"], {"told_1": "Tea.", "told_2": "true"})
        {'draft': 'Tea.', 'verdict': 'true'}
    """
    return {name: told[f"told_{number}"] for number, name in enumerate(names, 1)}


def judged(run: Context[Any], names: Sequence[str], **told: Any) -> Pass:
    """Make the `Pass` of what a model's steps gave, which a model judged, or nobody."""
    known = by_name(names, told)
    leave(run, known)
    verdict, before = known.pop(VERDICT, ""), known[PREVIOUS]
    iteration = 1 if before is None else before.iteration + 1
    reply = list(known.values())[-1]
    return Pass(iteration, results_of(reply, iteration), converged=verdict == "true")


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
