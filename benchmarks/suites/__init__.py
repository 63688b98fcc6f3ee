"""One module per suite, each with `run(options)`; here what they share."""

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
    What the command line asks for.

    Attributes:
        quick: Small sizes and few rounds: the whole in about a minute.
        seed: Of the random shapes.
        peers: Whether other engines take part, where installed.
        max_nodes: No graph is larger; None for no bound.
    """

    quick: bool = False
    seed: int = 0
    peers: bool = True
    max_nodes: int | None = None

    def bounded(self, sizes: Iterable[int]) -> list[int]:
        """Give the sizes that `max_nodes` allows."""
        return [size for size in sizes if self.max_nodes is None or size <= self.max_nodes]


def installed(subjects: Iterable[Subject], result: SuiteResult) -> list[Subject]:
    """Give the subjects that can be imported, and note the others."""
    usable = []
    for subject in subjects:
        missing = subject.missing()
        if missing is None:
            usable.append(subject)
        elif subject.name == "dagorch":
            result.errors.append(f"dagorch left out: {missing}")
        else:
            result.notes.append(f"{subject.name} left out: {missing}")
    return usable


def correct(subject: Subject, shape: Shape, result: SuiteResult) -> bool:
    """Tell whether the subject runs a small shape as it should, and report it if not."""
    problem = asyncio.run(verify(subject, shape))
    if problem is None:
        return True
    text = f"{subject.name} left out of {shape.name}: of {shape.node_count} nodes, {problem}"
    (result.errors if subject.name == "dagorch" else result.notes).append(text)
    return False
