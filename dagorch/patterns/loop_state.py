"""The state of an Iterative's loop, and how it is read from a model's reply."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from dagorch.nodes.function import Context
from dagorch.nodes.template import as_text

__all__ = [
    "PREVIOUS", "VERDICT", "OutputRecorder", "Pass", "check_model_pass", "iteration_of",
    "json_fields", "model_results", "record_outputs",
]  # fmt: skip

PREVIOUS: Final = "previous answer"
"""The name of the pass before among the results that a step reads; None in the first pass."""
_MAX_BRACES: Final = 300
_MAX_READ: Final = 1_000_000
VERDICT: Final = "verdict"
"""The name of a model's verdict, `true` or `false`, among the results that the check reads."""


class Pass:
    """
    The outcome of one pass, which is the state of the loop.

    As text, it is its results and the reason of the judge.
    """

    __slots__ = ("converged", "iteration", "missing", "reason", "results")

    def __init__(
        self,
        iteration: int = 0,
        results: Any = None,
        *,
        converged: bool = False,
        missing: Sequence[str] = (),
        reason: str = "",
    ) -> None:
        self.iteration = iteration
        """From 1; 0 is the state before the first pass."""
        self.results = results
        self.converged = converged
        self.missing = tuple(missing)
        """The fields that the convergence function reads and the results do not have."""
        self.reason = reason
        """The reason of the judge; empty if no judge was asked."""

    @property
    def text(self) -> str:
        """The results as text."""
        results = self.results
        return as_text(results.get("content", results) if isinstance(results, dict) else results)

    def __str__(self) -> str:
        return f"{self.text}\n\nA judge of it: {self.reason}" if self.reason else self.text

    def __repr__(self) -> str:
        return f"<Pass {self.iteration}{' converged' if self.converged else ''}>"


@runtime_checkable
class OutputRecorder(Protocol):
    """The `deps` of a run that record the outputs of steps, which a pass releases at its end."""

    def record_outputs(self, path: str, outputs: Mapping[str, Any]) -> None:
        """Record step outputs by name, from the node run at `path` that read or made them."""
        ...


def record_outputs(run: Context[Any], outputs: Mapping[str, Any]) -> None:
    """Pass step outputs to the `deps` of a run if they record them."""
    if isinstance(run.deps, OutputRecorder):
        run.deps.record_outputs(run.path, outputs)


def iteration_of(results: Mapping[str, Any]) -> int:
    """Return the number of the running pass, from the results that its nodes read."""
    return (results[PREVIOUS] or Pass()).iteration + 1


def check_model_pass(run: Context[Any], results: dict[str, Any]) -> Pass:
    """Make a `Pass` of a model's reply; it has converged if the verdict, if any, is `true`."""
    record_outputs(run, results)
    steps = dict(results)
    verdict, iteration = steps.pop(VERDICT, ""), iteration_of(results)
    reply = list(steps.values())[-1]
    return Pass(iteration, model_results(reply, iteration), converged=verdict == "true")


def model_results(reply: str, iteration: int) -> dict[str, Any]:
    """
    Return the results of a pass by a model: its text, and the fields of a JSON object in it.

    Example:
        >>> model_results('Better now. {"score": 0.9}', 2)
        {'score': 0.9, 'content': 'Better now. {"score": 0.9}', 'iteration': 2}
    """
    return {**json_fields(reply), "content": reply, "iteration": iteration}


def json_fields(reply: str) -> dict[str, Any]:
    """
    Parse the first JSON object in a text.

    Cost: bounded, because a reply may be all braces: it stops after a million characters that are
        no JSON, or 300 braces that start none, or at JSON that is nested too deeply.
    """
    decoder = json.JSONDecoder()
    start, read = reply.find("{"), 0
    for _ in range(_MAX_BRACES):
        if start < 0 or read > _MAX_READ:
            break
        try:
            found, _ = decoder.raw_decode(reply, start)
        except json.JSONDecodeError as error:
            read += error.pos - start
            start = reply.find("{", start + 1)
        except (ValueError, RecursionError):  # a number of over 4,300 digits
            break
        else:
            return dict(found)
    return {}
