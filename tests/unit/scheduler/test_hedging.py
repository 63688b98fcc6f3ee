"""Hedges, step by step: when one starts, which response counts, its events and its bills."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dagorch import LLM, Graph, Policy, Ref, Retry
from dagorch.errors import DefinitionError
from dagorch.models.events import EventType
from dagorch.models.llm import LLMRequest
from dagorch.models.usage import Usage
from dagorch.scheduler import stimuli
from dagorch.scheduler.admission import Admission, Permit, Resource
from dagorch.scheduler.latencies import Latencies
from dagorch.scheduler.records import Prepared
from dagorch.scheduler.states import State
from dagorch.scheduler.story import story
from tests.unit.scheduler.by_hand import ByHand, cost

MODEL = Resource("s/m", None, is_service=True, within=Resource("s", None, is_service=True))


def asking(**options: Any) -> Graph:
    graph = Graph("hedged")
    policy = Policy(**{"hedge_after": 2.0, **options})
    graph.add(LLM("ask", prompt="?", policy=policy))
    return graph


def hedged(graph: Graph | None = None, **options: Any) -> ByHand:
    """A run whose node has been hedged."""
    run = ByHand(graph or asking(), resource=MODEL, **options).start().wait(2.0)
    assert set(run.running) == {"ask", "ask hedge"}
    return run


def told(run: ByHand, kind: EventType) -> list[Any]:
    return [event.data for event in run.core.events if event.type is kind]


# -- which answer counts ---------------------------------------------------------------------------


@pytest.mark.parametrize(("winner", "loser"), [("ask", "ask hedge"), ("ask hedge", "ask")])
def test_the_first_answer_counts_once_the_other_has_stopped(winner: str, loser: str) -> None:
    run = hedged().succeed(winner, "quick", cost("0.01"))
    assert run.cancelling == [loser]
    assert run.state("ask") is State.RUNNING
    assert run.core.dispatcher.slots_used == 1
    run.stopped(loser, cost("0.10"))
    assert run.value("ask") == "quick"
    assert run.core.finished
    assert run.core.usage.cost_usd == Decimal("0.11")
    assert [bill[0] for bill in run.root.node_details[0].bills] == [1, 1]


def test_the_first_answer_counts_where_the_other_answers_all_the_same() -> None:
    run = hedged().succeed("ask hedge", "quick").succeed("ask", "late")
    assert run.value("ask") == "quick"


def test_the_first_answer_counts_where_the_other_breaks_as_it_is_stopped() -> None:
    run = hedged().succeed("ask hedge", "quick").fail("ask")
    assert run.state("ask") is State.COMPLETED
    assert run.root.node_details[0].failures == 0


@pytest.mark.parametrize(("broken", "left"), [("ask", "ask hedge"), ("ask hedge", "ask")])
def test_where_one_fails_the_other_goes_on(broken: str, left: str) -> None:
    run = hedged().fail(broken, usage=cost("0.01"))
    assert not run.cancelling
    assert run.core.dispatcher.slots_used == 1
    run.wait(100.0).succeed(left, "done", cost("0.02"))
    assert run.value("ask") == "done"
    assert run.core.usage.cost_usd == Decimal("0.03")


def test_two_that_fail_are_one_failed_attempt() -> None:
    run = hedged(asking(retry=Retry(attempts=2, base_delay_seconds=0)), observed=True)
    run.fail("ask").fail("ask hedge")
    assert run.root.node_details[0].failures == 1
    assert run.running["ask"].number == 2
    assert len(told(run, EventType.ATTEMPT_FAILED)) == 1
    run.wait(2.0)
    assert run.running["ask hedge"].number == 2
    run.fail("ask hedge").fail("ask")
    assert run.state("ask") is State.FAILED


# -- when it ends otherwise ------------------------------------------------------------------------


def test_cancelling_stops_both() -> None:
    run = hedged()
    run.tell(stimuli.RunCancelled("enough", run.now))
    assert run.cancelling == ["ask", "ask hedge"]
    run.stopped("ask hedge")
    assert run.state("ask") is State.RUNNING
    run.stopped("ask")
    assert run.state("ask") is State.CANCELLED


@pytest.mark.parametrize(("broken", "left"), [("ask", "ask hedge"), ("ask hedge", "ask")])
def test_cancelling_stops_the_one_that_is_left(broken: str, left: str) -> None:
    run = hedged().fail(broken)
    run.tell(stimuli.RunCancelled("enough", run.now))
    assert run.cancelling == [left]


def test_an_attempts_timeout_runs_from_the_first_and_stops_both() -> None:
    graph = asking(attempt_timeout_seconds=5.0, retry=Retry(attempts=2, base_delay_seconds=0))
    run = hedged(graph).wait(2.9)
    assert not run.cancelling
    run.wait(0.2)
    assert run.cancelling == ["ask", "ask hedge"]
    run.stopped("ask").stopped("ask hedge")
    assert run.running["ask"].number == 2


def test_an_attempts_timeout_stops_the_hedge_that_is_left() -> None:
    run = hedged(asking(attempt_timeout_seconds=5.0)).fail("ask").wait(3.1)
    assert run.cancelling == ["ask hedge"]
    run.stopped("ask hedge")
    assert run.state("ask") is State.DELAYED
    assert run.root.node_details[0].failures == 1


def test_no_timeout_takes_away_what_has_been_answered() -> None:
    graph = asking(timeout_seconds=5.0, attempt_timeout_seconds=4.0)
    run = hedged(graph).succeed("ask hedge", "quick").wait(10.0)
    assert run.cancelling == ["ask"]
    run.stopped("ask")
    assert run.value("ask") == "quick"


def test_no_cancellation_takes_away_what_has_been_answered() -> None:
    run = hedged().succeed("ask hedge", "quick")
    run.tell(stimuli.RunCancelled("enough", run.now))
    run.stopped("ask")
    assert run.value("ask") == "quick"


# -- when there is none ----------------------------------------------------------------------------


def test_one_that_answers_in_time_is_not_hedged() -> None:
    graph = asking()
    graph.add(LLM("next", prompt="?"), after=Ref(graph, "ask"))
    run = ByHand(graph, resource=MODEL).start().wait(1.9).succeed("ask").wait(5.0)
    assert set(run.running) == {"next"}


def test_no_slot_no_hedge() -> None:
    run = ByHand(asking(), resource=MODEL, max_parallel=1).start().wait(5.0)
    assert set(run.running) == {"ask"}


def test_no_room_at_the_service_no_hedge() -> None:
    run = ByHand(asking(), resource=Resource("s", 1, is_service=True)).start().wait(5.0)
    assert set(run.running) == {"ask"}


def test_no_named_resource_no_hedge() -> None:
    run = ByHand(asking(resources=("gpu",)), resource=MODEL, limits={"gpu": 1}).start().wait(5.0)
    assert set(run.running) == {"ask"}


def test_nothing_is_taken_from_those_who_wait_for_the_service() -> None:
    admission, narrow = Admission(), Resource("s/wide", 1, within=Resource("s", 3))
    assert admission.acquire("a", [narrow])
    assert not admission.acquire("b", [narrow]), "so it stands in the service's line"
    other = Resource("s/m", None, is_service=True, within=Resource("s", 3))
    run = ByHand(asking(), resource=other, admission=admission).start().wait(5.0)
    assert set(run.running) == {"ask"}


def test_no_money_no_hedge() -> None:
    run = ByHand(asking(), resource=MODEL, price="0.30", max_cost=Decimal("0.50")).start()
    assert set(run.wait(5.0).running) == {"ask"}


def test_no_money_is_taken_from_those_who_wait_for_it() -> None:
    graph = asking()
    graph.add(LLM("dear", prompt="?"), after=graph.function(lambda: 1, id="first"))
    run = ByHand(graph, resource=MODEL, price="0.10", max_cost=Decimal("0.35")).start()
    run.price = Decimal("0.30")
    run.succeed("first").wait(5.0)
    assert set(run.running) == {"ask"}
    assert run.core.dispatcher.budget.reserved.cost_usd == Decimal("0.10")


def test_a_refused_hedge_leaves_nothing_reserved() -> None:
    narrow = Resource("s", 1, is_service=True)
    run = ByHand(asking(), resource=narrow, price="0.10", max_cost=Decimal("9")).start().wait(5.0)
    assert run.core.dispatcher.budget.reserved.cost_usd == Decimal("0.10")


def test_a_full_service_holds_up_no_hedge_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = asking()
    policy = Policy(hedge_after=2.0)
    for id in ("same", "other"):
        graph.add(LLM(id, prompt="?", policy=policy))
    run = ByHand(graph, resource=Resource("full", 2, is_service=True))
    asked: list[str] = []
    acquire_hedge = Admission.acquire_hedge

    def noted(admission: Admission, permit: Permit, now: float) -> Permit | None:
        asked.append(next(queue.name for queue, _ in permit))
        return acquire_hedge(admission, permit, now)

    monkeypatch.setattr(Admission, "acquire_hedge", noted)
    prepared = [run.resource, run.resource, MODEL]
    monkeypatch.setattr(
        run,
        "_evaluated",
        lambda ticket: stimuli.Evaluated(
            ticket, Prepared(LLMRequest(()), None, prepared.pop(0)), run.now
        ),
    )
    run.start().wait(2.0)
    assert set(run.running) == {"ask", "same", "other", "other hedge"}
    assert asked[:2] == ["full", MODEL.name], "the second of the full one is not asked for"


def test_one_that_is_being_stopped_is_not_hedged() -> None:
    run = ByHand(asking(), resource=MODEL).start()
    run.tell(stimuli.RunCancelled("enough", run.now))
    assert set(run.wait(5.0).running) == {"ask"}


def test_a_hedge_takes_the_next_slot_before_ready_nodes() -> None:
    graph = asking()
    for id in ("b", "c"):
        graph.add(LLM(id, prompt="?"))
    run = ByHand(graph, resource=MODEL, max_parallel=2).start().wait(5.0)
    assert set(run.running) == {"ask", "b"}
    run.succeed("b")
    assert set(run.running) == {"ask", "ask hedge"}
    run.succeed("ask").stopped("ask hedge")
    assert set(run.running) == {"c"}


def test_a_hedge_that_had_no_room_is_tried_when_there_is_some() -> None:
    graph = asking()
    graph.add(LLM("b", prompt="?"))
    run = ByHand(graph, resource=Resource("s", 2, is_service=True)).start().wait(5.0)
    assert set(run.running) == {"ask", "b"}
    run.succeed("b")
    assert set(run.running) == {"ask", "ask hedge"}


# -- the observed p95 ------------------------------------------------------------------------------


def answered(run: ByHand, seconds: float) -> None:
    """Let the next of many nodes take so long."""
    path = next(iter(run.running))
    run.wait(seconds).succeed(path, "", cost("0.01"))


def many(count: int) -> ByHand:
    graph = Graph("many")
    for number in range(count):
        graph.add(LLM(f"n{number}", prompt="?", policy=Policy(hedge_after="p95")))
    return ByHand(graph, resource=MODEL, max_parallel=1).start()


def test_p95_is_known_after_twenty_answers() -> None:
    run = many(22)
    for number in range(1, 21):
        assert not run.core.timers, "the next is never hedged"
        answered(run, float(number))
    assert run.core.timers.earliest - run.now == 19.0
    run.core.dispatcher.max_parallel = 2
    run.drain()
    assert len(run.core.timers) == len(run.running) == 2


def test_what_was_hedged_counts_as_long_as_it_was_borne() -> None:
    admission = Admission()
    permit = admission.acquire("a", [MODEL], now=0.0)
    assert permit
    assert admission.p95(permit) is None
    hedge = admission.acquire_hedge(permit, now=5.0)
    assert hedge is not None
    answer = Usage(1, 1, calls=1)
    admission.release(hedge, 6.0, answer)
    admission.release(permit, 7.0, Usage(1, 1, estimated=True, calls=1))
    queue = next(queue for queue, _ in permit)
    assert queue.latencies is not None
    assert list(queue.latencies._seconds) == [7.0]


def test_failures_and_guesses_say_nothing_of_how_long_answers_take() -> None:
    admission = Admission()
    for usage in (Usage(calls=1), Usage(5, 5, estimated=True, calls=1)):
        permit = admission.acquire("a", [MODEL], now=0.0)
        assert permit
        admission.p95(permit)
        admission.release(permit, 9.0, usage)
        queue = next(queue for queue, _ in permit)
        assert queue.latencies is not None
        assert queue.latencies.is_idle(9.0)


def test_the_newest_answers_count_and_are_forgotten_in_the_end() -> None:
    seen = Latencies()
    for _ in range(200):
        seen.add(100.0, now=0.0)
    for _ in range(200):
        seen.add(1.0, now=5.0)
    assert seen.p95 == 1.0
    assert not seen.is_idle(600.0)
    assert seen.is_idle(606.0)


# -- what is told ----------------------------------------------------------------------------------


def says(run: ByHand, name: str, text: str) -> None:
    run.tell(stimuli.TokensArrived(run.running[name], text, run.now))


def test_an_event_and_the_story_tell_of_it() -> None:
    run = hedged(observed=True).fail("ask")
    assert told(run, EventType.NODE_HEDGED) == [{"after_seconds": 2.0}]
    lines = story(run.root, 0, run.core.started)
    assert "2.000 s: attempt 1 is slow; hedged" in lines
    assert "2.000 s: attempt 1 failed: OSError: no; the other of the two goes on" in lines
    run.succeed("ask hedge")


def test_the_one_that_speaks_first_has_the_word() -> None:
    run = hedged(observed=True)
    says(run, "ask hedge", "one ")
    says(run, "ask", "eins ")
    says(run, "ask hedge", "two")
    run.succeed("ask hedge", "one two")
    says(run, "ask", "zwei")
    run.stopped("ask")
    assert told(run, EventType.NODE_TOKENS) == [{"text": "one "}, {"text": "two"}]


@pytest.mark.parametrize("fails", [False, True])
def test_what_takes_over_is_told_from_its_beginning(fails: bool) -> None:
    run = hedged(observed=True)
    says(run, "ask", "eins ")
    says(run, "ask hedge", "one ")
    if fails:
        run.fail("ask")
        says(run, "ask hedge", "two")
        run.succeed("ask hedge", "one two")
        wanted = [{"text": "one ", "replaces_text": True}, {"text": "two"}]
    else:
        run.succeed("ask hedge", "one")
        wanted = [{"text": "one ", "replaces_text": True}]
    assert told(run, EventType.NODE_TOKENS) == [{"text": "eins "}, *wanted]


# -- what may be asked for -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), "p99"])
def test_a_wrong_time_is_refused(value: Any) -> None:
    with pytest.raises(DefinitionError, match="hedge_after="):
        Policy(hedge_after=value)


def test_only_what_asks_a_model_can_be_hedged() -> None:
    graph = Graph("plain")
    graph.function(lambda: 1, id="plain", policy=Policy(hedge_after=1.0))
    with pytest.raises(DefinitionError, match="'plain' asks no model by itself"):
        graph.compile()
