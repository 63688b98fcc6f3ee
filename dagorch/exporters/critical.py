"""
The critical path of a finished run: the chain of node runs that bounded its makespan.

Read off what happened. What can be said of a graph before it runs is `graph/analysis.py`'s.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dagorch.errors import DefinitionError
from dagorch.exporters.frames import frame_numbers
from dagorch.graph.graph import Graph
from dagorch.graph.plan import Plan
from dagorch.models.result import NodeRun, Result

__all__ = ["CriticalStep", "critical_path"]


@dataclass(frozen=True, slots=True)
class CriticalStep:
    """One node run of the chain."""

    path: str
    waited_seconds: float
    """Between the end of the step before, or the run's start, and its own start: for a slot,
    mostly."""
    seconds: float
    """From its start to its end, all attempts and what lies between them; of what went on into a
    frame (a fallback, an expansion), to that frame's opening."""


def critical_path(result: Result, graph: Graph | None = None) -> tuple[CriticalStep, ...]:
    """
    Find the chain of node runs that bounded the makespan of a finished run, first to last.

    Walked back from the node run that ended last: before each comes the one that it waited for,
    which of all its predecessors ended last. Of a loop, map or subgraph the chain holds the node
    runs inside; before a pass comes the pass before it, before an item that had to wait for room
    the one that made it. A branch or merge is in it, with 0 seconds; what was skipped is not.

    All seconds of all steps, those waited too, add up to the end of the last one, which is the
    run's, if nothing stopped it. Among node runs that ended at once, one that was not cancelled,
    then the one furthest from the graph's start.

    Args:
        result: Of a run that has ended, however it did. Nothing started: an empty chain.
        graph: What ran, for a result that was pickled, which leaves its graph behind.

    Raises:
        DefinitionError: There is no graph.

    Cost: O(V + E) of the frames on the chain, and O(node runs) to find these.
    Source: the critical path of a program's activity graph; Yang and Miller, 1988.

    Example:
        >>> import anyio
        >>> from dagorch import Graph
        >>> from dagorch.testing import run_virtual
        >>> graph = Graph("two before one")
        >>> @graph.function
        ... async def quick() -> None: await anyio.sleep(1)
        >>> @graph.function
        ... async def slow() -> None: await anyio.sleep(4)
        >>> @graph.function
        ... async def last(quick: None, slow: None) -> None: await anyio.sleep(2)
        >>> [(step.path, step.seconds) for step in critical_path(run_virtual(graph.run))]
        [('slow', 4.0), ('last', 2.0)]
    """
    graph = graph or result.graph
    if graph is None:
        raise DefinitionError(
            f"the result of run {result.run_id!r} has no graph: it was pickled, and the critical "
            "path is found by the graph's edges; give the graph, too"
        )
    return _Walk(result, graph.compile()).back()


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A plan that ran at a place."""

    plan: Plan
    prefix: str
    above: _Frame | None = None
    index: int = 0
    """Of the container in the frame above."""
    number: int = 0
    """Of the frames of one container, those that opened later have the higher ones."""

    def path(self, index: int) -> str:
        return self.prefix + self.plan.nodes[index].id


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A node run."""

    frame: _Frame
    index: int
    run: NodeRun


class _Walk:
    """From the end of a run to its start."""

    def __init__(self, result: Result, plan: Plan) -> None:
        self._runs: Mapping[str, NodeRun] = result.node_runs
        self._expansions: Mapping[str, Any] = result.expansions
        self._numbers = frame_numbers(self._runs)
        self._lasts: dict[str, list[tuple[float, int, _Place]]] = {}
        """Per container, of each frame in which something started: its end, number, last."""
        self._root = _Frame(plan, "")
        self._found: list[tuple[str, float, float]] = []
        """Paths, starts and ends; the last first."""

    def back(self) -> tuple[CriticalStep, ...]:
        place = self._last(self._root)
        while place is not None:
            run = place.run
            inside = self._lasts_under(place)
            if inside:
                place = inside[-1][2]
                continue
            self._found.append((run.path, _start(run), run.ended_seconds))
            place = self._before(place)
        steps: list[CriticalStep] = []
        before = 0.0
        for path, start, end in reversed(self._found):
            steps.append(CriticalStep(path, start - before, end - start))
            before = end
        return tuple(steps)

    def _before(self, place: _Place) -> _Place | None:
        """What a node run waited for; None if only for the run's start."""
        while True:
            at = _ready(place.run)
            source = self._source(place, at)
            if source is not None:
                if _took_part(source.run):
                    return source
                place = source  # skipped or blocked: it waited for something, too
                continue
            above = place.frame.above
            if above is None:
                return None
            holder = _Place(above, place.frame.index, self._runs[above.path(place.frame.index)])
            opened = _start(holder.run)
            others = self._lasts_under(holder)
            earlier = bisect_left(others, (at, place.frame.number), key=lambda last: last[:2])
            if earlier and others[earlier - 1][0] > opened:
                return others[earlier - 1][2]
            if place.frame.plan is not above.plan.bodies.get(place.frame.index):
                # It came to a fallback or an expansion by work of its own.
                self._found.append((holder.run.path, opened, at))
            place = holder

    def _source(self, place: _Place, at: float) -> _Place | None:
        """The predecessor that ended last, no later than at a moment."""
        plan, index = place.frame.plan, place.index
        edges = range(plan.in_start[index], plan.in_start[index + 1])
        sources = {plan.edge_source[edge] for edge in edges}
        return self._latest(place.frame, sources, at)

    def _last(self, frame: _Frame) -> _Place | None:
        """Of what took part in a frame, the node run that ended last."""
        return self._latest(frame, range(frame.plan.size), float("inf"), took_part=True)

    def _latest(
        self, frame: _Frame, indices: Iterable[int], at: float, *, took_part: bool = False
    ) -> _Place | None:
        best: _Place | None = None
        best_key: tuple[Any, ...] = ()
        for index in indices:
            run = self._runs.get(frame.path(index))
            if run is None or run.ended_seconds > at or (took_part and not _took_part(run)):
                continue
            key = (
                run.ended_seconds,
                run.end in ("completed", "failed"),  # a cancelled one made nothing ready
                frame.plan.neg_rank[index],
                -index,
            )
            if best is None or key > best_key:
                best, best_key = _Place(frame, index, run), key
        return best

    def _lasts_under(self, place: _Place) -> list[tuple[float, int, _Place]]:
        """The last node run of each frame that a node run opened, by their ends."""
        path = place.run.path
        found = self._lasts.get(path)
        if found is None:
            found = []
            for frame in self._frames(place):
                last = self._last(frame)
                if last is not None:
                    found.append((last.run.ended_seconds, frame.number, last))
            found.sort(key=lambda last: last[:2])
            self._lasts[path] = found
        return found

    def _frames(self, place: _Place) -> Iterator[_Frame]:
        path, plan, index = place.run.path, place.frame.plan, place.index
        numbers = self._numbers.get(path, [])
        body = self._expansions.get(path) or plan.bodies.get(index)
        if body is not None:
            for number in numbers:
                prefix = f"{path}/" if number < 0 else f"{path}[{number}]/"
                yield _Frame(body, prefix, place.frame, index, number)
        if index in plan.fallbacks and -1 in numbers:
            last = len(numbers)  # it opens after all others
            yield _Frame(plan.fallbacks[index], f"{path}/", place.frame, index, last)


def _took_part(run: NodeRun) -> bool:
    return run.started_seconds is not None or run.end == "failed"


def _start(run: NodeRun) -> float:
    return run.ended_seconds if run.started_seconds is None else run.started_seconds


def _ready(run: NodeRun) -> float:
    return run.ended_seconds if run.ready_seconds is None else run.ready_seconds
