"""
The makespan of steps that wait for each other and share slots, found by simulation.

`forecast.py` decides what the steps are and how long each takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil
from typing import Final

__all__ = ["Step", "makespan"]

_MAX_PIECES: Final = 10_000
"""Pieces of one step that are simulated one by one; of more, several are taken as one."""


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work, or several equal ones."""

    seconds: float
    """How long each piece holds a slot; a piece of 0 seconds holds none."""
    after: tuple[int, ...] = ()
    """The numbers of the steps that must end first."""
    count: int = 1
    """Pieces that have not begun."""
    max_at_once: int | None = None
    """Pieces that may run at the same time; None: as many as there are slots."""
    running: tuple[float, ...] = ()
    """The seconds that are left to each piece that has begun."""


def makespan(steps: Sequence[Step], max_parallel: int) -> float:
    """
    Return the seconds until all steps have ended, started in the order in which a run does.

    A free slot goes at once to the ready step with the longest chain behind it; among equals, to
    the first. A run makes the same list schedule. It is never shorter than work divided by slots,
    nor than the longest chain, and never longer than the sum of the two.

    Args:
        steps: Steps without a cycle.
        max_parallel: Slots, at least 1.

    Cost: O((S + E) log S) for S steps and E of their `after`, and O(log S) for each time that
    pieces start. A step of more than 10,000 pieces counts as 10,000 longer ones.
    Source: Graham, Bounds on multiprocessing timing anomalies, 1969; Hu, 1961, for the order.

    Example:
        >>> makespan([Step(2.0, count=5), Step(1.0, after=(0,))], max_parallel=2)
        7.0
    """
    return _Simulation(steps, max_parallel).seconds()


class _Simulation:
    """The state of a simulated schedule."""

    def __init__(self, steps: Sequence[Step], max_parallel: int) -> None:
        self._steps = steps
        self._piece = [ceil(step.count / _MAX_PIECES) if step.count else 1 for step in steps]
        """Per step, the pieces that are simulated as one."""
        self._left = [ceil(s.count / n) for s, n in zip(steps, self._piece, strict=True)]
        self._active = [len(step.running) for step in steps]
        self._waits = [len(step.after) for step in steps]
        self._targets: list[list[int]] = [[] for _ in steps]
        for number, step in enumerate(steps):
            for before in step.after:
                self._targets[before].append(number)
        self._slots = max_parallel
        self._free = max_parallel - sum(self._active)
        self._rank = self._ranks()
        self._ready: list[tuple[float, int]] = []
        self._ends: list[tuple[float, int, int]] = []

    def _ranks(self) -> list[float]:
        """Return the seconds of the longest chain from each step on, the step included."""
        order = [number for number, step in enumerate(self._steps) if not step.after]
        waits = self._waits.copy()
        for number in order:  # Kahn, 1962; grows while it is walked
            for target in self._targets[number]:
                waits[target] -= 1
                if not waits[target]:
                    order.append(target)
        ranks = [0.0] * len(self._steps)
        for number in reversed(order):
            step = self._steps[number]
            turns = ceil(step.count / min(step.max_at_once or self._slots, self._slots))
            own = max([step.seconds * turns, *step.running])
            ranks[number] = own + max((ranks[t] for t in self._targets[number]), default=0.0)
        return ranks

    def seconds(self) -> float:
        now = 0.0
        for number, step in enumerate(self._steps):
            self._ends += [(left, number, 1) for left in step.running]
        heapify(self._ends)
        for number, step in enumerate(self._steps):
            if not step.after:
                self._open(number)
        self._start(now)
        while self._ends:
            now, number, pieces = heappop(self._ends)
            self._end(number, pieces)
            while self._ends and self._ends[0][0] <= now:
                _, number, pieces = heappop(self._ends)
                self._end(number, pieces)
            self._start(now)
        return now

    def _open(self, number: int) -> None:
        """Make a step ready that waits for nothing; a step without duration ends at once."""
        opened = [number]
        for each in opened:
            if self._left[each] and self._steps[each].seconds > 0:
                heappush(self._ready, (-self._rank[each], each))
                continue
            self._left[each] = 0
            if not self._active[each]:
                opened += self._release(each)

    def _release(self, number: int) -> list[int]:
        free = []
        for target in self._targets[number]:
            self._waits[target] -= 1
            if not self._waits[target]:
                free.append(target)
        return free

    def _end(self, number: int, pieces: int) -> None:
        full = self._active[number] >= (self._steps[number].max_at_once or self._slots)
        self._active[number] -= pieces
        self._free += pieces
        if self._left[number]:
            if (
                full and not self._waits[number]
            ):  # it was left out of the heap while at its own bound
                heappush(self._ready, (-self._rank[number], number))
        elif not self._active[number] and not self._waits[number]:
            for target in self._release(number):
                self._open(target)

    def _start(self, now: float) -> None:
        while self._ready and self._free > 0:
            _, number = heappop(self._ready)
            step = self._steps[number]
            room = (step.max_at_once or self._slots) - self._active[number]
            pieces = min(self._free, self._left[number], room)
            if pieces > 0:
                self._left[number] -= pieces
                self._active[number] += pieces
                self._free -= pieces
                ends = now + step.seconds * self._piece[number]
                heappush(self._ends, (ends, number, pieces))
                if self._left[number] and pieces < room:
                    heappush(self._ready, (-self._rank[number], number))
