"""The suites, one module each with `run(options)`, and what they share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.report import SuiteResult
from benchmarks.shapes import Shape
from benchmarks.subjects import Subject
from benchmarks.subjects.verify import verify

VERIFY_NODES = 50


@dataclass(frozen=True, slots=True)
class Options:
    """
    The options of the command line.

    Attributes:
        quick: Whether to use small sizes and few rounds, for about a minute in all.
        seed: The seed of random shapes.
        peers: Whether other engines take part, if they are installed.
        max_nodes: The largest graph; None for no bound.
    """

    quick: bool = False
    seed: int = 0
    peers: bool = True
    max_nodes: int | None = None

    def bounded(self, sizes: Iterable[int]) -> list[int]:
        """Return the sizes that `max_nodes` allows."""
        return [size for size in sizes if self.max_nodes is None or size <= self.max_nodes]


def installed(subjects: Iterable[Subject], result: SuiteResult) -> list[Subject]:
    """Return the subjects that can be imported, and note the others."""
    usable = []
    for subject in subjects:
        missing = subject.missing()
        if missing is None:
            usable.append(subject)
        elif subject.name == "dagorch":
            result.errors.append(f"dagorch skipped: {missing}")
        else:
            result.notes.append(f"{subject.name} skipped: {missing}")
    return usable


def is_correct(subject: Subject, shape: Shape, result: SuiteResult) -> bool:
    """Whether the subject runs the shape correctly. If not, note the reason."""
    problem = asyncio.run(verify(subject, shape))
    if problem is None:
        return True
    text = f"{subject.name} skipped for {shape.name}: with {shape.node_count} nodes, {problem}"
    (result.errors if subject.name == "dagorch" else result.notes).append(text)
    return False
