"""
Hedged attempts in random worlds, on virtual time: ends, times and bills as a model that knows
nothing of the core says, and no bound broken where there are bounds.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import inf
from typing import Any

import pytest

from dagorch import LLM, Graph, Policy, Retry
from dagorch.errors import OverloadedError
from dagorch.models.events import Event, EventType
from dagorch.models.limits import Demand, Limits
from dagorch.models.llm import LLMRequest
from dagorch.models.usage import Amount, Usage
from dagorch.runner.outcome import result_of
from dagorch.scheduler import stimuli
from dagorch.scheduler.admission import Resource
from dagorch.scheduler.commands import (
    CancelAttempt,
    Continue,
    Evaluate,
    StartAttempt,
)
from dagorch.scheduler.core import Core
from dagorch.scheduler.invariants import check
from dagorch.scheduler.records import Prepared

WORST = Usage(90, 10, Decimal("0.10"), estimated=True, calls=1)


@dataclass(frozen=True)
class Act:
    """What one exchange does: when and how it ends, and how long it takes to stop."""

    seconds: float
    good: bool
    linger: float
    usage: Usage

    @classmethod
    def drawn(cls, chance: random.Random) -> Act:
        cents = Decimal(chance.randint(1, 10)) / 100
        usage = Usage(chance.randint(1, 90), chance.randint(1, 10), cents, calls=1)
        slow = chance.random() < 0.3
        seconds = chance.uniform(5, 30) if slow else chance.uniform(0.1, 5)
        linger = chance.choice((0.0, chance.uniform(0, 3)))
        return cls(seconds, chance.random() < 0.7, linger, usage)


class World:
    """Draws an act for each exchange, always the same one for the same exchange."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def act(self, id: str, number: int, *, hedge: bool) -> Act:
        return Act.drawn(random.Random(f"{self._seed} {id} {number} {hedge}"))


@dataclass
class Expected:
    end: str
    at: float
    value: str | None
    usages: list[Usage]
    hedges: int


def expected(world: World, id: str, start: float, policy: Policy) -> Expected:
    """Return the expected end of a node run with unlimited slots."""
    assert policy.retry is not None
    assert isinstance(policy.hedge_after, float)
    now, usages, hedges = start, [], 0
    for number in range(1, policy.retry.attempts + 1):
        stop = now + (policy.attempt_timeout_seconds or inf)
        first = world.act(id, number, hedge=False)
        under_way = [(now + first.seconds, first, "first")]
        late = now + policy.hedge_after
        if late < min(stop, now + first.seconds):
            hedges += 1
            hedge = world.act(id, number, hedge=True)
            under_way.append((late + hedge.seconds, hedge, "hedge"))
        stop = min([stop, *(natural for natural, act, _ in under_way if act.good)])
        ends, answers = [], []
        for natural, act, name in under_way:
            by_itself = natural <= stop + act.linger
            ends.append(min(natural, stop + act.linger))
            usages.append(act.usage if by_itself else WORST)
            if by_itself and act.good:
                answers.append((natural, f"{id} {number} {name}"))
        now = max(ends)
        if answers:
            return Expected("completed", now, min(answers)[1], usages, hedges)
    return Expected("failed", now, None, usages, hedges)


class Driver:
    """Carries a core's commands out on virtual time, with the invariants checked at each step."""

    def __init__(self, graph: Graph, world: World, prepared: Prepared, **options: Any) -> None:
        self.core = Core(graph.compile(), observed=True, **options)
        self.world = world
        self.prepared = prepared
        self.now = 100.0
        self.events: list[Event] = []
        self.hedged: Counter[tuple[str, int]] = Counter()
        self.most_slots = 0
        self.sent: list[float] = []
        """When each exchange was."""
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._ends: dict[StartAttempt, int] = {}
        self._count = 0

    def run(self) -> Driver:
        self._tell(stimuli.RunStarted({}, self.now))
        while not self.core.finished:
            when = self._heap[0][0] if self._heap else inf
            if self.core.next_timer_at < when:
                self.now = self.core.next_timer_at
                self._tell(stimuli.TimerFired(self.now))
            else:
                self.now, _, happen = heapq.heappop(self._heap)
                happen()
        assert not self.core.dispatcher.slots_used
        assert not self.core.dispatcher.budget.reserved
        assert self.core.dispatcher.admission.at_rest
        return self

    def _tell(self, stimulus: stimuli.Stimulus) -> None:
        core = self.core
        core.handle(stimulus)
        check(core)
        while (command := core.next()) is not None:
            check(core)
            if isinstance(command, StartAttempt):
                self._start(command)
            elif isinstance(command, CancelAttempt):
                act = self._act(command.attempt)
                self._schedule(command.attempt, act.linger, stopped=True)
            elif isinstance(command, Evaluate):
                core.handle(stimuli.Evaluated(command, self.prepared, self.now))
            elif isinstance(command, Continue):
                core.handle(stimuli.Continued(self.now))
        check(core)
        self.events.extend(core.events)
        core.events.clear()

    def _act(self, attempt: StartAttempt) -> Act:
        return self.world.act(attempt.path, attempt.number, hedge=attempt.is_hedge)

    def _start(self, attempt: StartAttempt) -> None:
        if attempt.is_hedge:
            self.hedged[attempt.path, attempt.number] += 1
        self.sent.append(self.now)
        self.most_slots = max(self.most_slots, self.core.dispatcher.slots_used)
        self._schedule(attempt, self._act(attempt).seconds, stopped=False)

    def _schedule(self, attempt: StartAttempt, seconds: float, *, stopped: bool) -> None:
        """Schedule the stop of an attempt, unless it ends by itself before."""
        self._count += 1

        def happen() -> None:
            if self._ends.pop(attempt, None) is not None:
                self._end(attempt, stopped=stopped)

        self._ends.setdefault(attempt, self._count)
        heapq.heappush(self._heap, (self.now + seconds, self._count, happen))

    def _end(self, attempt: StartAttempt, *, stopped: bool) -> None:
        act = self._act(attempt)
        if stopped:
            self._tell(stimuli.AttemptCancelled(attempt, self.now, WORST))
        elif act.good:
            value = f"{attempt.path} {attempt.number} {'hedge' if attempt.is_hedge else 'first'}"
            self._tell(stimuli.AttemptSucceeded(attempt, value, self.now, act.usage))
        else:
            error = OverloadedError("busy", service="s", model="m", status=529)
            self._tell(stimuli.AttemptFailed(attempt, error, self.now, act.usage))


def graph_of(chance: random.Random, count: int, *, chained: bool) -> tuple[Graph, Policy]:
    policy = Policy(
        retry=Retry(attempts=chance.randint(1, 3), base_delay_seconds=0),
        hedge_after=chance.uniform(0.2, 10),
        attempt_timeout_seconds=chance.choice((None, chance.uniform(1, 30))),
        on_error="continue",
    )
    graph = Graph("hedged")
    refs: list[Any] = []
    for number in range(count):
        after = [ref for ref in refs if chained and chance.random() < 0.3]
        refs.append(graph.add(LLM(f"n{number}", prompt="?", policy=policy), after=after))
    return graph, policy


@pytest.mark.parametrize("block", range(10))
def test_ends_times_and_bills_equal_the_models(block: int) -> None:
    for seed in range(50 * block, 50 * block + 50):
        chance, world = random.Random(seed), World(seed)
        graph, policy = graph_of(chance, count := chance.randint(1, 6), chained=False)
        free = Prepared(LLMRequest(()), None, Resource("s", None, is_service=True))
        driver = Driver(graph, world, free, max_parallel=2 * count).run()
        result = result_of(driver.core, graph, 0)
        total = Usage()
        for id, run in result.node_runs.items():
            wanted = expected(world, id, 100.0, policy)
            assert run.end == wanted.end, (seed, id)
            assert driver.core.started + run.ended_seconds == pytest.approx(wanted.at, abs=1e-9)
            value = result.values[id] if run.end == "completed" else None
            assert value == wanted.value, (seed, id)
            assert Counter(bill.usage for bill in run.bills) == Counter(wanted.usages), (seed, id)
            assert run.usage == sum(wanted.usages, Usage())
            total += run.usage
            hedged = [e for e in driver.events if e.path == id and e.type is EventType.NODE_HEDGED]
            assert len(hedged) == wanted.hedges
        assert result.usage == total


@pytest.mark.parametrize("block", range(10))
def test_a_hedge_never_exceeds_a_bound(block: int) -> None:
    hedges = 0
    for seed in range(50 * block, 50 * block + 50):
        chance, world = random.Random(-seed), World(seed)
        graph, _ = graph_of(chance, chance.randint(1, 12), chained=True)
        window = chance.choice((3.0, 20.0))
        requests, most = chance.choice((None, 2, 6)), chance.choice((None, 1, 3))
        limits = Limits(requests=requests, window_seconds=window)
        resource = Resource("s", most, is_service=True, limits=limits)
        worst = Amount(WORST.cost_usd, WORST.total_tokens)
        ceiling = chance.choice((None, Decimal(chance.randint(1, 30)) / 10))
        prepared = Prepared(LLMRequest(()), None, resource, worst, Demand(90, 10))
        parallel = chance.randint(1, 8)
        driver = Driver(graph, world, prepared, max_parallel=parallel, max_cost=ceiling).run()
        assert driver.most_slots <= parallel
        assert all(count == 1 for count in driver.hedged.values())
        for begin in driver.sent if requests else ():
            assert sum(begin <= sent < begin + window for sent in driver.sent) <= requests
        assert ceiling is None or driver.core.usage.cost_usd <= ceiling
        result = result_of(driver.core, graph, 0)
        assert sum((run.usage for run in result.node_runs.values()), Usage()) == result.usage
        hedges += len(driver.hedged)
    assert hedges, "no world in which a hedge was possible"
