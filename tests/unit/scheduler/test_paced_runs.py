"""
Several runs at one service with rates, driven by hand on a time of the test's own.

Each core has its timer and its slots; what it says to others is passed on at once. Invariants
are checked at every step.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import Any

import pytest

from dagorch import LLM, Graph, Policy
from dagorch.models.limits import Demand, Limits
from dagorch.models.rates import RateLimits, RateWindow
from dagorch.models.usage import Amount
from dagorch.scheduler import stimuli
from dagorch.scheduler.admission import Admission, Resource
from dagorch.scheduler.commands import Evaluate, StartAttempt, WakeRun
from dagorch.scheduler.records import Prepared
from tests.unit.scheduler.by_hand import ByHand
from tests.unit.scheduler.services import SERVICES, Service

NEVER = float("inf")
LATENCY = 0.02


class Asking(ByHand):
    """A run whose LLM nodes ask what `demands` says: their resource and their tokens."""

    def __init__(
        self, graph: Graph, asks: Callable[[str], tuple[Resource | None, Demand]], **options: Any
    ) -> None:
        super().__init__(graph, **options)
        self.asks = asks

    def _evaluated(self, ticket: Evaluate) -> stimuli.Stimulus:
        resource, demand = self.asks(ticket.path)
        prepared = Prepared("request", None, resource, Amount(self.price), demand)
        return stimuli.Evaluated(ticket, prepared, self.now)


class World:
    """
    Runs, services and what is between them.

    Args:
        latency: Of a reply's beginning, and again of its end.
    """

    def __init__(self, latency: Callable[[], float] = lambda: LATENCY) -> None:
        self.admission = Admission()
        self.runs: dict[str, Asking] = {}
        self.now = 10.0
        self.latency = latency
        self.services: dict[str, Service] = {}
        """Per resource; one without admits all."""
        self.started: list[tuple[float, str, str]] = []
        """When, run, path."""
        self.refused = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self._seen: set[StartAttempt] = set()

    def add(
        self,
        name: str,
        demands: dict[str, tuple[Resource | None, Demand]],
        slots: int = 16,
        priorities: dict[str, int] | None = None,
    ) -> Asking:
        graph = Graph(name)
        for path in demands:
            policy = Policy(priority=(priorities or {}).get(path))
            graph.add(LLM(path, prompt="Hello", policy=policy))
        hand = self.runs[name] = Asking(
            graph,
            demands.__getitem__,
            run_id=name,
            admission=self.admission,
            max_parallel=slots,
        )
        hand.now = self.now
        hand.start()
        self.look(name)
        return hand

    def happens(self, after: float, what: Callable[[], None]) -> None:
        heappush(self._events, (self.now + after, next(self._serial), what))

    def look(self, name: str) -> None:
        """Wake the runs that a run names and note what it started, until none names another."""
        todo = deque([name])
        while todo:
            hand = self.runs[todo.popleft()]
            for command in hand.others:
                if isinstance(command, WakeRun):
                    other = self.runs[command.run]
                    if not other.core.finished:
                        other.now = self.now
                        other.tell(stimuli.ResourceFreed(self.now))
                        todo.append(command.run)
            hand.others.clear()
            for path, attempt in list(hand.running.items()):
                if attempt not in self._seen:
                    self._seen.add(attempt)
                    self._begin(hand, path, attempt)

    def _begin(self, hand: Asking, path: str, attempt: StartAttempt) -> None:
        self.started.append((self.now, hand.core.run_id, path))
        prepared = attempt.prepared
        assert prepared is not None
        service = self.services.get(prepared.resource.name) if prepared.resource else None

        def arrive() -> None:
            if hand.running.get(path) is not attempt:  # cancelled on its way
                return
            if service is not None and not service.admits(
                prepared.demand.prompt_bytes + prepared.demand.output_tokens, self.now
            ):
                self.refused += 1

        def reply() -> None:
            self.tell(hand, stimuli.ReplyBegan(attempt, self.now))

        def end() -> None:
            hand.now = self.now
            if hand.running.get(path) is attempt:
                hand.succeed(path, "hi")
                self.look(hand.core.run_id)

        there, back, rest = self.latency(), self.latency(), self.latency()
        self.happens(there, arrive)
        self.happens(there + back, reply)
        self.happens(there + back + rest, end)

    def tell(self, hand: Asking, stimulus: stimuli.Stimulus) -> None:
        hand.now = self.now
        hand.tell(stimulus)
        self.look(hand.core.run_id)

    def go(self, until: float = NEVER) -> None:
        """Let time pass."""
        while True:
            alarm, late = min(
                (
                    (h.core.next_timer_at, name)
                    for name, h in self.runs.items()
                    if not h.core.finished
                ),
                default=(NEVER, ""),
            )
            when = self._events[0][0] if self._events else NEVER
            if min(alarm, when) > until or min(alarm, when) == NEVER:
                break
            self.now = max(self.now, min(alarm, when))
            if alarm <= when:
                self.tell(self.runs[late], stimuli.TimerFired(self.now))
            else:
                heappop(self._events)[2]()
        if until < NEVER:
            self.now = until

    @property
    def finished(self) -> bool:
        return all(hand.core.finished for hand in self.runs.values())

    def times(self, run: str = "") -> list[float]:
        return [when for when, name, _ in self.started if run in ("", name)]


def paced(requests: int | None = None, tokens: int | None = None, **more: Any) -> Resource:
    limits = Limits(requests=requests, tokens=tokens, window_seconds=1.0)
    return Resource(more.pop("name", "service"), None, limits=limits, **more)


def nodes(
    number: int, resource: Resource | None, tokens: int = 0
) -> dict[str, tuple[Resource | None, Demand]]:
    return {f"n{n:03}": (resource, Demand(output_tokens=tokens)) for n in range(number)}


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("runs", [1, 20])
def test_the_permitted_is_used_and_never_exceeded(kind: str, runs: int) -> None:
    world = World()
    world.services["service"] = SERVICES[kind](10, 10**9, 1.0, 9.7)
    for number in range(runs):
        world.add(f"run{number}", nodes(100 // runs, paced(10)), slots=50)
    world.go()
    assert world.finished
    assert world.refused == 0
    # Ten at once, then ten a window: the last ten begin nine windows later at the earliest.
    assert world.times()[-1] - 10.0 <= 9.0 / 0.95


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("seed", range(30))
def test_random_worlds_finish_without_a_refusal(kind: str, seed: int) -> None:
    chance = random.Random(seed)
    world = World(lambda: chance.choice([0.0, 0.01, 0.3, 1.5]) * chance.random())
    requests, tokens = chance.randint(1, 8), chance.randint(50, 200)
    whole = paced(requests, tokens)
    parts = [whole, None]
    for name in ("small", "large"):
        parts.append(
            paced(chance.randint(1, 5), None, name=name, within=whole)
            if chance.random() < 0.5
            else Resource(name, chance.randint(1, 3), within=whole)
        )
    service = SERVICES[kind](requests, tokens, 1.0, chance.uniform(8, 10))
    for part in parts:
        if part is not None:
            world.services[part.name] = service
    for number in range(chance.randint(1, 6)):
        world.add(
            f"run{number}",
            {
                f"n{n}": (chance.choice(parts), Demand(output_tokens=chance.randint(0, 50)))
                for n in range(chance.randint(1, 12))
            },
            slots=chance.randint(1, 5),
        )
        world.go(world.now + chance.random())
        if chance.random() < 0.2:
            name = chance.choice(list(world.runs))
            hand = world.runs[name]
            if not hand.core.finished:
                world.tell(hand, stimuli.RunCancelled("enough", world.now))
                for path in list(hand.cancelling):
                    hand.stopped(path)
                world.look(name)
    world.go()
    assert world.finished
    assert world.refused == 0
    world.admission.leave("nobody", world.now + 1e6)
    assert all(not queue.held and not queue.waiters for queue in world.admission._queues.values())


def test_a_node_that_waits_for_a_rate_holds_no_slot_and_holds_up_no_other_service() -> None:
    world = World()
    slow, quick = paced(1, name="slow"), paced(100, name="quick")
    demands = {**nodes(5, slow), **{f"q{n}": (quick, Demand()) for n in range(20)}}
    hand = world.add("run", demands, slots=2, priorities={f"n{n:03}": 9 for n in range(5)})
    assert set(hand.running) == {"n000", "q0"}
    world.go(10.9)
    quick_ends = [when for when, _, path in world.started if path.startswith("q")]
    assert len(quick_ends) == 20
    assert quick_ends[-1] < 11.0, "while four wait for the slow service"
    world.go()
    slow_starts = [when for when, _, path in world.started if path.startswith("n")]
    assert all(after - before >= 1.0 for before, after in pairwise(slow_starts))


def test_runs_take_turns_at_a_rate() -> None:
    world = World()
    resource = paced(1)
    for name in ("a", "b", "c"):
        world.add(name, nodes(4, resource), slots=4)
    world.go()
    order = [name for _, name, _ in world.started]
    assert order[0] == "a"
    assert [sorted(order[at : at + 3]) for at in (1, 4, 7)] == [["a", "b", "c"]] * 3


def test_a_large_call_is_not_overtaken_by_small_ones_of_its_run_or_of_others() -> None:
    world = World()
    resource = paced(None, 100)
    small = {f"s{n}": (resource, Demand(output_tokens=10)) for n in range(30)}
    world.add("small", small, slots=1)
    world.go(10.5)
    large = {"large": (resource, Demand(output_tokens=95)), **small}
    world.add("large", large, slots=4, priorities={"large": 1})
    world.go()
    begun = next(when for when, _, path in world.started if path == "large")
    assert begun < 12.1, "as soon as what was there before it has left the window"


def test_in_one_of_two_models_of_a_service_a_large_call_is_not_overtaken_by_the_others() -> None:
    world = World()
    whole = paced(None, 100)
    one, other = (Resource(name, None, within=whole) for name in ("one", "other"))
    demands = {
        "first": (one, Demand(output_tokens=60)),
        "large": (one, Demand(output_tokens=60)),
        "small": (other, Demand(output_tokens=10)),
    }
    hand = world.add("run", demands, priorities={"first": 3, "large": 2, "small": 1})
    assert set(hand.running) == {"first"}
    world.go()
    assert [path for _, _, path in world.started] == ["first", "large", "small"]


def test_a_full_model_does_not_hold_up_another_of_the_same_service() -> None:
    world = World()
    whole = paced(100)
    one = Resource("one", 1, within=whole)
    other = Resource("other", None, within=whole)
    demands = {**nodes(3, one), "else": (other, Demand())}
    hand = world.add("run", demands)
    assert set(hand.running) == {"n000", "else"}


def test_a_pause_holds_up_every_run_and_only_that_service() -> None:
    world = World()
    paused, open_ = paced(100, name="paused"), paced(100, name="open")
    one = world.add("one", nodes(3, paused), slots=1)
    world.tell(one, stimuli.ReplyBegan(one.running["n000"], world.now, None, 5.0))
    world.add("two", {**nodes(3, paused), "open": (open_, Demand())}, slots=1)
    world.go(14.9)
    assert [(name, path) for _, name, path in world.started] == [("one", "n000"), ("two", "open")]
    # It is extended when the first in line has set its timer.
    assert min(hand.core.next_timer_at for hand in world.runs.values()) == 15.0
    world.admission._queues["paused"].window.pause(3.0, 14.9)  # type: ignore[union-attr]
    world.go(17.8)
    assert len(world.started) == 2
    world.go()
    assert world.finished
    assert world.started[2][0] == pytest.approx(17.9)


def test_what_a_service_says_is_left_holds_for_all() -> None:
    world = World()
    resource = Resource("service", None, is_service=True)
    hand = world.add("run", nodes(8, resource), slots=1)
    rates = RateLimits(requests=RateWindow(5, 2, 3.0))
    world.tell(hand, stimuli.ReplyBegan(hand.running["n000"], world.now, rates))
    world.go(12.9)
    assert len(world.started) == 3
    world.go()
    assert world.times()[3] == pytest.approx(13.0)


def test_who_is_cancelled_while_it_waits_lets_the_next_go() -> None:
    world = World()
    resource = paced(None, 100)
    large = {"first": (resource, Demand(output_tokens=60)), "huge": (resource, Demand(0, 100))}
    first = world.add("first", large, priorities={"first": 1})
    world.add("second", {"small": (resource, Demand(output_tokens=30))})
    assert [path for _, _, path in world.started] == ["first"], "huge is before small"
    first.core.cancel(first.root, first.index("huge"))
    first.drain()
    world.look("first")
    assert [path for _, _, path in world.started] == ["first", "small"]


def test_an_attempt_whose_run_was_cancelled_stays_charged() -> None:
    world = World()
    resource = paced(1)
    one = world.add("one", nodes(1, resource))
    world.add("two", nodes(1, resource))
    world.tell(one, stimuli.RunCancelled("enough", world.now))
    one.stopped("n000")
    world.look("one")
    world.go()
    assert world.times("two") == [11.0]
