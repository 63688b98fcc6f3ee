"""
The critical path of a finished run: the chain of node runs that bounded its makespan.

It is read from recorded times. `graph/analysis.py` estimates it before a run.
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
from dagorch.ids import FALLBACK
from dagorch.models.result import NodeRun, Result

__all__ = ["CriticalStep", "critical_path"]


@dataclass(frozen=True, slots=True)
class CriticalStep:
    """One node run of the chain."""

    path: str
    waited_seconds: float
    """From the end of the step before, or the run's start, to its own start. Mostly the wait for a
    slot."""
    seconds: float
    """From its start to its end, with all attempts and the delays between them. If it opened a
    fallback or an expansion, to the opening of that frame."""


def critical_path(result: Result, graph: Graph | None = None) -> tuple[CriticalStep, ...]:
    """
    Find the chain of node runs that bounded the makespan of a finished run, first to last.

    The walk starts at the node run that ended last and goes back: before each comes the predecessor
    that ended last. A loop, map or subgraph is represented by the node runs inside. Before a pass
    comes the previous pass; before an item that waited for its turn, the item that ended then. A
    branch or merge counts 0 seconds. Skipped node runs are left out.

    All seconds of all steps, with those waited, add up to the end of the last step. That is the end
    of the run unless something stopped the run. Among node runs with the same end time, those that
    were not cancelled win, then the one furthest from the graph's start.

    Args:
        result: Of a run that has ended in any way. If nothing started, the chain is empty.
        graph: The graph that ran. Needed for a result that was pickled, which has no graph.

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
            f"the result of run {result.run_id!r} has no graph, because it was pickled; the "
            "critical path needs the graph's edges: pass the graph as well"
        )
    return _Walk(result, graph.compile()).steps()


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A frame that the run opened."""

    plan: Plan
    prefix: str
    """Of the paths of its node runs."""
    parent: _Frame | None = None
    container: int = 0
    """The index of the container in the parent's plan."""
    number: int = 0
    """Among the frames of one container; later frames have higher numbers."""

    def path(self, index: int) -> str:
        return self.prefix + self.plan.nodes[index].id


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A node run and where it is in its frame."""

    frame: _Frame
    index: int
    run: NodeRun


class _Walk:
    """The way from the end of a run back to its start."""

    def __init__(self, result: Result, plan: Plan) -> None:
        self._runs: Mapping[str, NodeRun] = result.node_runs
        self._expansions: Mapping[str, Any] = result.expansions
        self._numbers = frame_numbers(self._runs)
        self._frame_ends: dict[str, list[tuple[float, int, _Place]]] = {}
        """Of each container: the end, number and last node run of its frames, by end."""
        self._root = _Frame(plan, "")
        self._found: list[tuple[str, float, float]] = []
        """Paths, starts and ends, from the last step to the first."""

    def steps(self) -> tuple[CriticalStep, ...]:
        place = self._last_of(self._root)
        while place is not None:
            run = place.run
            inside = self._ends_of_frames(place)
            if inside:
                place = inside[-1][2]
                continue
            self._found.append((run.path, _start(run), run.ended_seconds))
            place = self._before(place)
        steps: list[CriticalStep] = []
        previous_end = 0.0
        for path, start, end in reversed(self._found):
            steps.append(CriticalStep(path, start - previous_end, end - start))
            previous_end = end
        return tuple(steps)

    def _before(self, place: _Place) -> _Place | None:
        """The node run that a node run waited for; None if it waited for the run's start only."""
        while True:
            ready = _ready(place.run)
            source = self._last_predecessor(place, ready)
            if source is not None:
                if _took_part(source.run):
                    return source
                stopper = self._stopper(source)
                if stopper is not None:
                    return stopper
                place = source  # skipped or blocked, so it waited for another one
                continue
            parent, container = place.frame.parent, place.frame.container
            if parent is None:
                return None
            owner = _Place(parent, container, self._runs[parent.path(container)])
            opened = _start(owner.run)
            ends = self._ends_of_frames(owner)
            earlier = bisect_left(ends, (ready, place.frame.number), key=lambda end: end[:2])
            if earlier and ends[earlier - 1][0] > opened:
                return ends[earlier - 1][2]
            if place.frame.plan is not parent.plan.bodies.get(container):
                # A fallback or an expansion opens only after work of the owner itself.
                self._found.append((owner.run.path, opened, ready))
            place = owner

    def _stopper(self, place: _Place) -> _Place | None:
        """The failure that stopped a frame, and so ended a node run that had not started."""
        if place.run.end != "cancelled":
            return None
        at, frame = place.run.ended_seconds, place.frame
        runs = [self._runs.get(frame.path(index)) for index in range(frame.plan.size)]
        failed = [
            index
            for index, run in enumerate(runs)
            if run is not None and run.end == "failed" and run.ended_seconds == at
        ]
        return self._latest(frame, failed, at)

    def _last_predecessor(self, place: _Place, at: float) -> _Place | None:
        """The predecessor that ended last, no later than at a moment."""
        plan, index = place.frame.plan, place.index
        edges = range(plan.in_start[index], plan.in_start[index + 1])
        return self._latest(place.frame, {plan.edge_source[edge] for edge in edges}, at)

    def _last_of(self, frame: _Frame) -> _Place | None:
        """The node run of a frame that ended last, of those that took part."""
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
                run.end in ("completed", "failed"),  # a cancelled node run makes no other ready
                frame.plan.neg_rank[index],
                -index,
            )
            if best is None or key > best_key:
                best, best_key = _Place(frame, index, run), key
        return best

    def _ends_of_frames(self, place: _Place) -> list[tuple[float, int, _Place]]:
        """The end, number and last node run of each frame that a node run opened, by end."""
        path = place.run.path
        ends = self._frame_ends.get(path)
        if ends is None:
            ends = []
            for frame in self._frames(place):
                last = self._last_of(frame)
                if last is not None:
                    ends.append((last.run.ended_seconds, frame.number, last))
            ends.sort(key=lambda end: end[:2])
            self._frame_ends[path] = ends
        return ends

    def _frames(self, place: _Place) -> Iterator[_Frame]:
        path, plan, index = place.run.path, place.frame.plan, place.index
        numbers = self._numbers.get(path, [])
        body = self._expansions.get(path) or plan.bodies.get(index)
        if body is not None:
            for number in numbers:
                prefix = f"{path}/" if number < 0 else f"{path}[{number}]/"
                yield _Frame(body, prefix, place.frame, index, number)
        fallback = plan.fallbacks.get(index)
        prefix = f"{path}{FALLBACK}/"
        if fallback is not None and prefix + fallback.nodes[0].id in self._runs:
            number = len(numbers)  # it opens after all other frames
            yield _Frame(fallback, prefix, place.frame, index, number)


def _took_part(run: NodeRun) -> bool:
    return run.started_seconds is not None or run.end == "failed"


def _start(run: NodeRun) -> float:
    return run.ended_seconds if run.started_seconds is None else run.started_seconds


def _ready(run: NodeRun) -> float:
    return run.ended_seconds if run.ready_seconds is None else run.ready_seconds
