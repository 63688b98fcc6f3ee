"""
Resources shared by the runs of an event loop: bounded, round robin, nobody forgotten, nothing
kept.
"""

from __future__ import annotations

import random
from collections import Counter, deque

import pytest

from dagorch import LLM, Graph
from dagorch.models.limits import Limits
from dagorch.models.usage import Usage
from dagorch.scheduler import stimuli
from dagorch.scheduler.admission import Admission, Permit, Refusal, Resource
from dagorch.scheduler.commands import WakeRun
from tests.unit.scheduler.by_hand import ByHand

GPU, DISK = Resource("gpu", 1), Resource("disk", 2)


def test_a_resource_is_held_up_to_its_capacity() -> None:
    admission = Admission()
    assert admission.acquire("a", [DISK])
    assert admission.acquire("a", [DISK])
    assert not admission.acquire("a", [DISK])
    assert admission.held("disk") == 2


def test_one_without_capacity_is_never_full() -> None:
    admission = Admission()
    endless = Resource("endless", None)
    permits = [admission.acquire("a", [endless]) for _ in range(100)]
    assert all(permits)
    assert admission.release(permits[0]) == []


def test_all_of_a_set_is_taken_or_nothing() -> None:
    admission = Admission()
    admission.acquire("a", [DISK])
    admission.acquire("a", [GPU])
    assert not admission.acquire("b", [DISK, GPU])
    assert (admission.held("disk"), admission.held("gpu")) == (1, 1)


def test_whoever_was_refused_first_is_woken_and_cannot_be_overtaken() -> None:
    admission = Admission()
    permit = admission.acquire("a", [GPU])
    assert permit
    assert not admission.acquire("b", [GPU])
    assert not admission.acquire("c", [GPU])
    assert admission.release(permit) == ["b"]
    assert not admission.acquire("a", [GPU]), "it is free, but b comes first"
    assert admission.acquire("b", [GPU])


def test_who_leaves_lets_the_next_go() -> None:
    admission = Admission()
    permit = admission.acquire("a", [GPU])
    admission.acquire("b", [GPU])
    admission.acquire("c", [GPU])
    admission.release(permit)
    assert admission.leave("b") == ["c"]
    assert admission.acquire("c", [GPU])


def test_who_takes_one_of_several_that_are_free_has_the_next_woken() -> None:
    admission = Admission()
    held = [admission.acquire("a", [DISK]) for _ in range(2)]
    admission.acquire("b", [DISK])
    admission.acquire("c", [DISK])
    assert [admission.release(permit) for permit in held] == [["b"], ["b"]]
    assert admission.acquire("b", [DISK]).wake == ("c",)


def tree() -> tuple[Resource, Resource, Resource]:
    """A service with room for two, a model of it with room for one, another without bound."""
    whole = Resource("service", 2)
    return whole, Resource("one", 1, within=whole), Resource("other", None, within=whole)


def test_one_of_a_model_is_one_of_its_service() -> None:
    admission = Admission()
    whole, one, other = tree()
    first, second = admission.acquire("a", [one]), admission.acquire("a", [other])
    assert admission.held("service") == 2
    refusal = admission.acquire("a", [whole])
    assert isinstance(refusal, Refusal)
    assert refusal.lacking == "service"
    admission.release(first)
    admission.release(second)
    assert admission.leave("a") == []
    assert not admission._queues


def test_a_full_model_holds_up_its_own_line_only() -> None:
    admission = Admission()
    _, one, other = tree()
    held = admission.acquire("a", [one])
    refusal = admission.acquire("b", [one])
    assert isinstance(refusal, Refusal)
    assert (refusal.name, refusal.lacking) == ("one", "one")
    elsewhere = admission.acquire("c", [other])
    assert elsewhere, "b waits for the model, not for the service"
    assert admission.release(held) == ["b"]
    assert not admission.acquire("c", [other]), "what is left of the service is for b"
    assert admission.acquire("b", [one])
    assert admission.release(elsewhere) == ["c"]


def test_who_waits_for_the_whole_service_is_overtaken_by_nobody() -> None:
    admission = Admission()
    whole, one, other = tree()
    held = [admission.acquire("a", [whole]), admission.acquire("a", [other])]
    for run, wanted in (("b", one), ("c", other), ("d", whole)):
        refusal = admission.acquire(run, [wanted])
        assert isinstance(refusal, Refusal)
        assert refusal.lacking == "service"
    assert admission.release(held[0]) == ["b"]
    assert not admission.acquire("d", [whole])
    taken = admission.acquire("b", [one])
    assert taken
    assert admission.release(taken) == ["c"]


def test_nothing_is_kept_of_what_nobody_holds_or_waits_for() -> None:
    admission = Admission()
    first = admission.acquire("a", [GPU])
    admission.acquire("b", [GPU])
    admission.release(first)
    second = admission.acquire("b", [GPU])
    admission.release(second)
    assert not admission._queues


# -- limits that nobody gave ----------------------------------------------------------------------


def model(limits: Limits | None = None) -> Resource:
    whole = Resource("service", None, is_service=True, limits=limits)
    return Resource("model", None, is_service=True, within=whole)


def taken(admission: Admission, resource: Resource, now: float) -> list[Permit]:
    """As many as can be had."""
    permits = []
    while len(permits) < 100 and isinstance(
        permit := admission.acquire("a", [resource], now), Permit
    ):
        permits.append(permit)
    admission.leave("a", now)
    return permits


def test_refusals_that_belong_together_halve_what_is_under_way_once() -> None:
    admission, one = Admission(), model()
    permits = taken(admission, one, 0.0)
    assert len(permits) == 100, "there is no bound before a service refuses"
    for permit in permits[50:]:
        admission.reply_began(permit, 1.0, refused=True)
    for permit in permits:
        admission.release(permit, 2.0)
    assert len(taken(admission, one, 3.0)) == 50


def test_the_bound_grows_by_one_with_each_round_that_went_well() -> None:
    admission, one = Admission(), model()
    permits = taken(admission, one, 0.0)
    admission.reply_began(permits[0], 1.0, refused=True)
    for permit in permits:
        admission.release(permit, 1.0)
    for expected in (50, 50, 51, 52):
        permits = taken(admission, one, 2.0)
        assert len(permits) == expected
        for permit in permits:
            admission.release(permit, 2.0, Usage(5, 5, calls=1))


def test_where_one_at_a_time_is_too_much_the_waits_double_until_one_goes_well() -> None:
    admission, one = Admission(), model()
    now = 0.0
    waits = []
    for _ in range(5):
        permit = admission.acquire("a", [one], now)
        assert isinstance(permit, Permit)
        admission.reply_began(permit, now, refused=True)
        admission.release(permit, now)
        refusal = admission.acquire("a", [one], now)
        if isinstance(refusal, Refusal):
            waits.append(round(refusal.until - now, 3))
            now = refusal.until
            admission.leave("a", now)
        else:
            admission.release(refusal, now)
    assert waits == [0.1, 0.2, 0.4, 0.8]


def test_where_limits_are_known_nothing_is_guessed() -> None:
    admission, one = Admission(), model(Limits(requests=1_000))
    permits = taken(admission, one, 0.0)
    admission.reply_began(permits[0], 1.0, refused=True)
    for permit in permits:
        admission.release(permit, 1.0)
    assert len(taken(admission, one, 2.0)) == 100


def test_what_was_found_out_is_forgotten_when_nobody_asked_for_long() -> None:
    admission, one = Admission(), model()
    permits = taken(admission, one, 0.0)
    admission.reply_began(permits[0], 1.0, refused=True)
    for permit in permits:
        admission.release(permit, 1.0)
    admission.leave("a", 600.0)
    assert set(admission._queues) == {"service", "model"}
    admission.leave("a", 602.0)
    assert not admission._queues


# -- several runs ---------------------------------------------------------------------------------


class Loop:
    """Some runs of one event loop; each is looked after only when a real runner would."""

    def __init__(self, sizes: list[int], capacity: int, slots: int) -> None:
        self.admission = Admission()
        self.resource = Resource("service", capacity)
        self.runs: dict[str, ByHand] = {}
        self.grants: list[str] = []
        self.woken: deque[str] = deque()
        for place, size in enumerate(sizes):
            graph = Graph(f"graph{place}")
            for number in range(size):
                graph.add(LLM(f"n{number}", prompt="Hello"))
            name = f"run{place}"
            self.runs[name] = ByHand(
                graph,
                run_id=name,
                admission=self.admission,
                max_parallel=slots,
                resource=self.resource,
            )
        for name, hand in self.runs.items():
            hand.start()
            self.look(name)

    def look(self, name: str) -> None:
        """Wake the runs that a run names, until none names another."""
        self._collect(name)
        while self.woken:
            other = self.runs[self.woken.popleft()]
            other.core.handle(stimuli.ResourceFreed(other.now))
            if other.core.has_work:
                other.drain()
            self._collect(other.core.run_id)
        assert self.admission.held("service") == sum(len(h.running) for h in self.runs.values())
        assert self.admission.held("service") <= (self.resource.capacity or 0)

    def _collect(self, name: str) -> None:
        hand = self.runs[name]
        self.woken.extend(c.run for c in hand.others if isinstance(c, WakeRun))
        hand.others.clear()

    def under_way(self) -> list[tuple[str, str]]:
        return [(name, path) for name, hand in self.runs.items() for path in hand.running]

    def end(self, name: str, path: str) -> None:
        self.runs[name].succeed(path, "hi")
        self.look(name)


@pytest.mark.parametrize("seed", range(100))
def test_runs_that_share_a_service_all_finish_whatever_happens(seed: int) -> None:
    chance = random.Random(seed)
    sizes = [chance.randint(1, 6) for _ in range(chance.randint(2, 6))]
    loop = Loop(sizes, chance.randint(1, 4), chance.randint(1, 3))
    while under_way := loop.under_way():
        name, path = chance.choice(under_way)
        hand = loop.runs[name]
        draw = chance.random()
        if draw < 0.05 and not hand.core.root.stopping:  # type: ignore[union-attr]
            hand.tell(stimuli.RunCancelled("enough", hand.now))
            for stopping in list(hand.cancelling):
                hand.stopped(stopping)
            loop.look(name)
        elif draw < 0.2:
            hand.fail(path, OSError("no"))
            loop.look(name)
            hand.wait(100)
            loop.look(name)
        else:
            loop.end(name, path)
    assert all(hand.core.finished for hand in loop.runs.values())
    assert not loop.admission._queues


def test_runs_take_turns() -> None:
    loop = Loop([12, 12, 12], 1, 4)
    ended: list[str] = []
    while under_way := loop.under_way():
        [(name, path)] = under_way
        ended.append(name)
        loop.end(name, path)
    assert ended[0] == "run0", "when the others were not even there"
    turns = [ended[place : place + 3] for place in range(1, 34, 3)]
    assert turns == [["run0", "run1", "run2"]] * 11
    assert Counter(ended) == {"run0": 12, "run1": 12, "run2": 12}


def test_a_run_that_no_longer_wants_what_it_is_offered_passes_it_on() -> None:
    loop = Loop([1, 1, 1], 1, 1)
    waiting = loop.runs["run1"]
    waiting.tell(stimuli.RunCancelled("enough", waiting.now))
    loop.look("run1")
    loop.end("run0", "n0")
    assert loop.under_way() == [("run2", "n0")]


def test_an_offer_that_comes_when_all_slots_are_taken_is_passed_on() -> None:
    admission, one = Admission(), Resource("service", 1)

    async def work() -> int: ...

    graph = Graph("both")
    graph.add(LLM("asks", prompt="Hello"))
    graph.function(work)
    first = ByHand(graph, run_id="first", admission=admission, resource=one, max_parallel=1)
    holder, third = (
        ByHand(graph, run_id=name, admission=admission, resource=one, max_parallel=1)
        for name in ("holder", "third")
    )
    holder.start()
    assert list(holder.running) == ["asks"]
    first.start()
    assert list(first.running) == ["work"], "it asked, was refused, and went on with what is free"
    third.start()
    holder.succeed("asks", "hi")
    assert [c.run for c in holder.others if isinstance(c, WakeRun)] == ["first"]
    first.core.handle(stimuli.ResourceFreed(first.now))
    assert first.core.has_work
    first.drain()
    assert [c.run for c in first.others if isinstance(c, WakeRun)] == ["third"]
