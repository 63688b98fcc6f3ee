"""
Compares engine and reference: every node run's end, time and value, and every attempt. No rules
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.property.driver import Driven, drive
from tests.property.reference import Reference
from tests.property.spec import GraphSpec
from tests.property.world import World, shown

__all__ = ["Verdict", "compare", "differences"]


@dataclass
class Verdict:
    """The result of a comparison."""

    driven: Driven
    reference: Reference
    differences: list[str]
    instants: int
    """Node runs that ended at the instant something was stopped, where before and after are one."""


def compare(
    spec: GraphSpec, world: World, parallel: int, inputs: dict[str, Any], **options: Any
) -> Verdict:
    """Run a graph on both and compare everything observable."""
    driven = drive(spec, world, parallel, inputs, **options)
    for name in ("checked", "observed", "quick"):
        options.pop(name, None)
    order = [(attempt.path, attempt.number) for attempt in driven.started]
    reference = Reference(spec, world, parallel, inputs, order=order, **options).run()
    found, instants = differences(driven, reference)
    return Verdict(driven, reference, found, instants)


def differences(driven: Driven, reference: Reference) -> tuple[list[str], int]:
    """Return every difference, and how many node runs ended at an ambiguous instant."""
    found: list[str] = []
    instants = 0
    for path in sorted({*driven.ends, *reference.all}):
        ending, run = driven.ends.get(path), reference.all.get(path)
        if ending is None or run is None:
            if _opened_as_it_stopped(
                path, ending.time if ending else run.ended if run else 0.0, reference
            ):
                instants += 1
            else:
                found.append(f"{path}: {ending or 'no such node run'}, expected {run and run.end}")
            continue
        value = shown(run.value) if "/" not in path and run.end == "completed" else None
        error = type(run.error).__name__ if run.end == "failed" else ""
        if (
            error == "RunError"
        ):  # of a frame without an output: the rules do not say which error caused it
            error = ending.error
        actual, expected = (
            (ending.end, ending.time, ending.value, ending.error),
            (run.end, run.ended, value, error),
        )
        if actual == expected:
            continue
        cancelled = "cancelled" in (ending.end, run.end)
        at_once = run.ended in run.frame.instants or run.unwanted_since == run.deadline is not None
        if cancelled and ending.time == run.ended and at_once:
            instants += 1
        else:
            found.append(f"{path}: {actual}, expected {expected}")
    seen = [(a.path, a.number, a.time, a.inputs) for a in driven.started]
    found += [
        f"attempt {a}, expected {b}"
        for a, b in zip(seen, reference.started, strict=False)
        if a != b
    ]
    if len(seen) != len(reference.started):
        found.append(f"{len(seen)} attempts, expected {len(reference.started)}")
    if driven.time != reference.now:
        found.append(f"ended at {driven.time}, expected {reference.now}")
    return found, instants


def _opened_as_it_stopped(path: str, time: float, reference: Reference) -> bool:
    """Whether a node run that one side alone knows is in a frame opened and stopped at once."""
    while "/" in path:
        path = path.rpartition("/")[0]
        owner = reference.all.get(path.rpartition("[")[0] if path.endswith("]") else path)
        if owner is not None and time in owner.frame.instants:
            return True
    return False
