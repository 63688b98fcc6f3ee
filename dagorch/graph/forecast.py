"""
How long a run will still take and what it will cost, from its plan and what has ended of it.

The clock is the caller's. How steps share slots is `makespan.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from dagorch.graph.makespan import Step, makespan
from dagorch.graph.observed import Mean, Observed, Place
from dagorch.graph.plan import Plan
from dagorch.models.events import Event
from dagorch.nodes.function import Function

__all__ = ["Forecast", "Forecaster"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is likely still to come of a run."""

    seconds: float
    """Until its end."""
    cost_usd: float
    """Of the whole run, what was spent included."""
    is_whole: bool
    """Whether all that is planned is counted; else more will come."""


class Forecaster:
    """
    Learns from a run's events, and forecasts its rest.

    A node is expected to take as long, and to cost as much, as its own node runs did on average,
    else those of all nodes of its kind (LLM, function). Averages, not medians: they add up. What
    there is no ground for is left out, and the forecast then is not whole: nodes of a kind of
    which none has completed, the ways of a branch that has not picked, the passes of a loop that
    a condition ends, the items of a map that has not opened, graphs made at run time, and people
    who are asked.

    It may be told in one thread and asked in another.

    Args:
        plan: What is run.
        max_parallel: The run's slots, at least 1.

    Example:
        >>> from dagorch import LLM, Graph
        >>> from dagorch.models.events import EventType
        >>> graph = Graph("talk")
        >>> idea = graph.add(LLM("idea", prompt="Tell a story."))
        >>> ref = graph.add(LLM("praise", prompt="{idea}"), idea=idea)
        >>> forecaster = Forecaster(graph.compile(), max_parallel=4)
        >>> forecaster.take(Event(1, 0.0, EventType.NODE_STARTED, "r", "idea"))
        >>> print(forecaster.forecast(1.0))
        None
        >>> bill = {"cost_usd": 0.25}
        >>> forecaster.take(Event(2, 3.0, EventType.NODE_COMPLETED, "r", "idea", data=bill))
        >>> forecaster.forecast(3.0)
        Forecast(seconds=3.0, cost_usd=0.5, is_whole=True)
    """

    def __init__(self, plan: Plan, max_parallel: int) -> None:
        self._max_parallel = max_parallel
        self._observed = Observed(plan)

    def take(self, event: Event) -> None:
        """Note what an event tells; as cheap in a large run as in a small one."""
        if event.path:
            self._observed.take(event)

    def forecast(self, now: float) -> Forecast | None:
        """
        Forecast the rest of the run; None while nothing that takes time has completed.

        Args:
            now: Seconds since the run's start.

        Cost: that of `makespan` over the nodes of the plan and of its bodies, not their runs.
        """
        if not self._observed.kinds:
            return None
        return _Rest(self._observed, now, self._max_parallel).forecast()


class _Rest:
    """What is to come, found in one walk over the places, containers before what is in them."""

    def __init__(self, observed: Observed, now: float, max_parallel: int) -> None:
        places = observed.places
        self._observed = observed
        self._now = now
        self._slots = max_parallel
        self._to_begin = [0] * len(places)
        """Per place, the node runs to come."""
        self._is_open = [False] * len(places)
        """Per place, whether a branch may still pick a way that leaves it out."""
        self._frames = [0] * len(places)
        """Per container, how often its body will have begun; 0 when nothing of it is to come."""
        self._at_once = [1] * len(places)
        """Per container, how many of its bodies may be under way together."""
        self._steps: list[Step] = []
        """One for each place, which ends it; then one for each container, which begins it."""
        containers = [place.number for place in places if place.is_container]
        self._begins = {number: len(places) + i for i, number in enumerate(containers)}
        self._cost_usd = observed.spent_usd
        self._is_whole = True

    def forecast(self) -> Forecast:
        places = self._observed.places
        inside: dict[int, list[int]] = {number: [] for number in self._begins}
        begins: list[Step] = []
        for place in places:
            before = place.sources
            if place.parent >= 0:
                inside[place.parent].append(place.number)
                before = (*before, self._begins[place.parent])
            self._expect(place)
            if place.is_container:
                self._open(place)
                begins.append(Step(0.0, before))
                before = (self._begins[place.number],)
                self._steps.append(Step(0.0, before))
            else:
                self._steps.append(self._leaf(place, before))
        for number, ends in inside.items():
            self._steps[number] = Step(0.0, (self._begins[number], *ends))
        seconds = makespan(self._steps + begins, self._slots)
        return Forecast(seconds, self._cost_usd, self._is_whole)

    def _expect(self, place: Place) -> None:
        """Find how many node runs of a place are to come, and whether that may change."""
        total = self._frames[place.parent] if place.parent >= 0 else 1
        to_begin = max(0, total - place.ended - len(place.running))
        if to_begin and not place.opened and not place.own.count:
            undecided = any(self._is_under_way(branch) for branch in place.branches)
            way = all if place.kind == "merge" else any
            if undecided or (place.sources and way(self._is_open[s] for s in place.sources)):
                self._is_open[place.number] = True
                self._is_whole = False
                to_begin = 0
        self._to_begin[place.number] = to_begin

    def _is_under_way(self, number: int) -> bool:
        return bool(self._to_begin[number] or self._observed.places[number].running)

    def _open(self, place: Place) -> None:
        """Find how often the body of a container will have begun."""
        if self._is_under_way(place.number):
            find = {"map": self._items, "loop": self._passes}.get(place.kind, self._bodies)
            self._frames[place.number] = find(place)
        around = self._at_once[place.parent] if place.parent >= 0 else 1
        most = (place.node.max_parallel or self._slots) if place.kind == "map" else 1
        self._at_once[place.number] = min(around * most, self._slots)

    def _bodies(self, place: Place) -> int:
        return place.opened + self._to_begin[place.number]

    def _items(self, place: Place) -> int:
        untold = min(len(place.running), place.opened - place.maps)
        unknown = self._to_begin[place.number] + untold
        if not unknown or place.constant_items is not None:
            return place.items + unknown * (place.constant_items or 0)
        self._is_whole = self._is_whole and place.maps > 0
        return place.items + round(unknown * place.items / max(1, place.maps))

    def _passes(self, place: Place) -> int:
        to_begin, running = self._to_begin[place.number], len(place.running)
        if place.node.until is None:
            return place.passes_ended + (to_begin + running) * int(place.node.max_iterations)
        begun = tuple(place.passes.values())
        if not place.ended:
            self._is_whole = False
            return sum(begun)
        each = place.passes_ended / place.ended
        more = sum(max(passes, each) for passes in begun)
        more += (to_begin + running - len(begun)) * each
        return place.passes_ended + round(more)

    def _leaf(self, place: Place, before: tuple[int, ...]) -> Step:
        count = self._to_begin[place.number]
        running = tuple(place.running.values())
        if place.kind in ("branch", "merge") or not (count or running):
            return Step(0.0, before)
        mean = self._mean(place)
        if mean is None:
            self._is_whole = False
            return Step(0.0, before)
        seconds = mean.seconds / mean.count
        self._cost_usd += (count + len(running)) * mean.cost_usd / mean.count
        left = tuple(max(0.0, seconds - (self._now - began)) for began in running)
        most = self._at_once[place.parent] if place.parent >= 0 else None
        return Step(seconds, before, count, most, left)

    def _mean(self, place: Place) -> Mean | None:
        if place.own.count:
            return place.own
        if isinstance(place.node, Function) and place.node.expand:
            return None  # it may take as long as a whole run
        return self._observed.kinds.get(place.kind)
