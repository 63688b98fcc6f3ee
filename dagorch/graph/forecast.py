"""
Forecasts: how long a run will still take and what it will cost, from its plan and its events.

The caller supplies the time. `makespan.py` simulates how steps share slots.
"""

from __future__ import annotations

from dataclasses import dataclass

from dagorch.graph.makespan import Step, makespan
from dagorch.graph.observed import Mean, NodeStats, Observed
from dagorch.graph.plan import Plan
from dagorch.models.events import Event
from dagorch.nodes.function import Function

__all__ = ["Forecast", "Forecaster"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected rest of a run."""

    seconds: float
    """Until the run's end."""
    cost_usd: float
    """Of the whole run, including what is spent already."""
    is_whole: bool
    """Whether everything planned is counted; if not, the run takes longer and costs more."""


class Forecaster:
    """
    Observes a run's events and forecasts the rest of the run.

    A node is expected to take as long, and to cost as much, as its own node runs did on average,
    else as those of all nodes of its kind (LLM, function). Averages can be added up, medians
    cannot.

    The forecast leaves out what it cannot estimate, and is then not whole: nodes of a kind of
    which none has completed, nodes behind a branch that has not picked, the passes of a loop that
    a condition ends, the items of a map that has not opened, graphs made at run time, and answers
    of people.

    One thread may call `observe` while another calls `forecast`.

    Args:
        plan: The plan of the run.
        max_parallel: The run's slots, at least 1.

    Example:
        >>> from dagorch import LLM, Graph
        >>> from dagorch.models.events import EventType
        >>> graph = Graph("talk")
        >>> idea = graph.add(LLM("idea", prompt="Tell a story."))
        >>> ref = graph.add(LLM("praise", prompt="{idea}"), idea=idea)
        >>> forecaster = Forecaster(graph.compile(), max_parallel=4)
        >>> forecaster.observe(Event(1, 0.0, EventType.NODE_STARTED, "r", "idea"))
        >>> print(forecaster.forecast(1.0))
        None
        >>> bill = {"cost_usd": 0.25}
        >>> forecaster.observe(Event(2, 3.0, EventType.NODE_COMPLETED, "r", "idea", data=bill))
        >>> forecaster.forecast(3.0)
        Forecast(seconds=3.0, cost_usd=0.5, is_whole=True)
    """

    def __init__(self, plan: Plan, max_parallel: int) -> None:
        self._max_parallel = max_parallel
        self._observed = Observed(plan)

    def observe(self, event: Event) -> None:
        """Take an event into account. Cost: O(depth), whatever the size of the run."""
        if event.path:
            self._observed.add(event)

    def forecast(self, now: float) -> Forecast | None:
        """
        Return the forecast; None until a node that takes time has completed.

        Args:
            now: Seconds since the run's start.

        Cost: that of `makespan` with a step per node of the plan and of its bodies.
        """
        if not self._observed.kinds:
            return None
        return _Remainder(self._observed, now, self._max_parallel).forecast()


class _Remainder:
    """The rest of a run, found in one walk over the nodes, containers before their content."""

    def __init__(self, observed: Observed, now: float, max_parallel: int) -> None:
        nodes = observed.nodes
        self._observed = observed
        self._now = now
        self._slots = max_parallel
        self._to_begin = [0] * len(nodes)
        """Per node, the node runs to come."""
        self._is_undecided = [False] * len(nodes)
        """Per node, whether a branch may still pick a label that skips it."""
        self._frames = [0] * len(nodes)
        """Per container, how often its body begins in total; 0 if it has ended for good."""
        self._at_once = [1] * len(nodes)
        """Per container, how many of its bodies may be open at the same time."""
        self._steps: list[Step] = []
        """A step per node, which ends it; then a step per container, which begins it."""
        containers = [stats.number for stats in nodes if stats.is_container]
        self._begins = {number: len(nodes) + i for i, number in enumerate(containers)}
        self._cost_usd = observed.spent_usd
        self._is_whole = True

    def forecast(self) -> Forecast:
        nodes = self._observed.nodes
        inside: dict[int, list[int]] = {number: [] for number in self._begins}
        begins: list[Step] = []
        for stats in nodes:
            before = stats.sources
            if stats.parent >= 0:
                inside[stats.parent].append(stats.number)
                before = (*before, self._begins[stats.parent])
            self._expect(stats)
            if stats.is_container:
                self._open(stats)
                begins.append(Step(0.0, before))
                before = (self._begins[stats.number],)
                self._steps.append(Step(0.0, before))
            else:
                self._steps.append(self._leaf(stats, before))
        for number, ends in inside.items():
            self._steps[number] = Step(0.0, (self._begins[number], *ends))
        seconds = makespan(self._steps + begins, self._slots)
        return Forecast(seconds, self._cost_usd, self._is_whole)

    def _expect(self, stats: NodeStats) -> None:
        """Find how many node runs of a node are to come, and whether that is undecided."""
        total = self._frames[stats.parent] if stats.parent >= 0 else 1
        to_begin = max(0, total - stats.ended - len(stats.running))
        if to_begin and not stats.opened and not stats.own.count:
            undecided = any(self._is_under_way(branch) for branch in stats.branches)
            way = all if stats.kind == "merge" else any
            if undecided or (stats.sources and way(self._is_undecided[s] for s in stats.sources)):
                self._is_undecided[stats.number] = True
                self._is_whole = False
                to_begin = 0
        self._to_begin[stats.number] = to_begin

    def _is_under_way(self, number: int) -> bool:
        return bool(self._to_begin[number] or self._observed.nodes[number].running)

    def _open(self, stats: NodeStats) -> None:
        """Find how often the body of a container begins in total."""
        if self._is_under_way(stats.number):
            find = {"map": self._items, "loop": self._passes}.get(stats.kind, self._bodies)
            self._frames[stats.number] = find(stats)
        around = self._at_once[stats.parent] if stats.parent >= 0 else 1
        most = (stats.node.max_parallel or self._slots) if stats.kind == "map" else 1
        self._at_once[stats.number] = min(around * most, self._slots)

    def _bodies(self, stats: NodeStats) -> int:
        return stats.opened + self._to_begin[stats.number]

    def _items(self, stats: NodeStats) -> int:
        untold = min(len(stats.running), stats.opened - stats.maps)
        unknown = self._to_begin[stats.number] + untold
        if not unknown or stats.constant_items is not None:
            return stats.items + unknown * (stats.constant_items or 0)
        self._is_whole = self._is_whole and stats.maps > 0
        return stats.items + round(unknown * stats.items / max(1, stats.maps))

    def _passes(self, stats: NodeStats) -> int:
        to_begin, running = self._to_begin[stats.number], len(stats.running)
        if stats.node.until is None:
            return stats.passes_ended + (to_begin + running) * int(stats.node.max_iterations)
        begun = tuple(stats.passes.values())
        if not stats.ended:
            self._is_whole = False
            return sum(begun)
        each = stats.passes_ended / stats.ended
        more = sum(max(passes, each) for passes in begun)
        more += (to_begin + running - len(begun)) * each
        return stats.passes_ended + round(more)

    def _leaf(self, stats: NodeStats, before: tuple[int, ...]) -> Step:
        count = self._to_begin[stats.number]
        running = tuple(stats.running.values())
        if stats.kind in ("branch", "merge") or not (count or running):
            return Step(0.0, before)
        mean = self._mean(stats)
        if mean is None:
            self._is_whole = False
            return Step(0.0, before)
        seconds = mean.seconds / mean.count
        self._cost_usd += (count + len(running)) * mean.cost_usd / mean.count
        left = tuple(max(0.0, seconds - (self._now - began)) for began in running)
        most = self._at_once[stats.parent] if stats.parent >= 0 else None
        return Step(seconds, before, count, most, left)

    def _mean(self, stats: NodeStats) -> Mean | None:
        if stats.own.count:
            return stats.own
        if isinstance(stats.node, Function) and stats.node.expand:
            return None  # its graph may take as long as a whole run
        return self._observed.kinds.get(stats.kind)
