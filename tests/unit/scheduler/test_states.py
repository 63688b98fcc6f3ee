"""The table of states: some run takes each legal step, every other step raises with the story."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from dagorch import LLM, Graph, Policy, Retry
from dagorch.errors import InvariantError
from dagorch.nodes import Function
from dagorch.scheduler import stimuli
from dagorch.scheduler.core import STEPS, Core
from dagorch.scheduler.records import Frame
from dagorch.scheduler.states import ENDS, TRANSITIONS, State
from tests.property.circumstances import INPUTS, options, parallel, spec_of, world_of
from tests.property.driver import drive
from tests.unit.scheduler.by_hand import ByHand

Steps = dict[tuple[State, State], int]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """How often each step was taken; the core takes no short cuts while somebody listens."""
    taken: Steps = {}
    move = Core.move

    def counted(self: Core, frame: Frame, index: int, to: State) -> None:
        step = State(frame.state[index]), State(to)
        taken[step] = taken.get(step, 0) + 1
        move(self, frame, index, to)

    monkeypatch.setattr(Core, "move", counted)
    return taken


async def work() -> int: ...


def test_every_legal_step_is_taken_and_no_other(steps: Steps) -> None:
    for seed in range(120):
        chosen = options(seed) | {"observed": True, "quick": False, "checked": False}
        drive(spec_of(seed), world_of(seed), parallel(seed), INPUTS, **chosen)
    _quorum_with_a_fallback_value()
    _question_with_a_deadline(Function("stand_in", work))
    _question_with_a_deadline("nothing")
    _question_with_a_deadline(None)
    _retry_that_waits_for_a_slot()
    _cancelled_while_delayed()
    _over_budget()
    assert set(steps) == set(TRANSITIONS)


def _quorum_with_a_fallback_value() -> None:
    graph = Graph("quorum")
    sources = [
        graph.function(work, id=id, policy=Policy(on_error="continue")) for id in ("a", "b", "c")
    ]
    graph.merge("two", sources, wait=2, policy=Policy(fallback=7))
    hand = ByHand(graph, observed=True).start()
    hand.succeed("a", 1).fail("b").fail("c")
    assert hand.value("two") == 7


def _question_with_a_deadline(fallback: object) -> None:
    graph = Graph("question")
    policy = (
        Policy(timeout_seconds=5)
        if fallback is None
        else Policy(timeout_seconds=5, fallback=fallback)
    )
    graph.ask("asked", "Well?", policy=policy)
    hand = ByHand(graph, observed=True).start()
    assert hand.state("asked") is State.PARKED
    hand.wait(6)
    if isinstance(fallback, Function):
        assert hand.state("asked") is State.OPEN
        hand.succeed("asked[fallback]/stand_in", 1)
    assert hand.state("asked") is (State.FAILED if fallback is None else State.COMPLETED)


def _retry_that_waits_for_a_slot() -> None:
    graph = Graph("retry")
    graph.function(work, id="late", policy=Policy(retry=Retry(attempts=2), timeout_seconds=5))
    graph.function(work, id="long")
    hand = ByHand(graph, observed=True, max_parallel=1).start()
    hand.fail("late").wait(2)
    assert (hand.state("late"), hand.state("long")) == (State.READY, State.RUNNING)
    hand.wait(4)
    assert hand.state("late") is State.FAILED


def _cancelled_while_delayed() -> None:
    graph = Graph("delayed")
    graph.add(LLM("ask", prompt="Hello"))
    hand = ByHand(graph, observed=True).start()
    hand.fail("ask")
    assert hand.state("ask") is State.DELAYED
    hand.tell(stimuli.RunCancelled("enough", hand.now))
    assert hand.state("ask") is State.CANCELLED


def _over_budget() -> None:
    graph = Graph("over budget")
    graph.function(work, id="calls")
    graph.add(LLM("ask", prompt="Hello"))
    options = {"max_cost": Decimal(1), "finishes": True, "observed": True}
    hand = ByHand(graph, price="2", **options).start()
    assert hand.state("ask") is State.SKIPPED
    error = hand.core.dispatcher.over_budget
    assert error is not None
    hand.fail("calls", error)
    assert hand.state("calls") is State.SKIPPED


def test_an_illegal_step_raises_and_tells_the_story() -> None:
    graph = Graph("story")
    first = graph.function(work, id="first")
    graph.function(work, id="second", after=first)
    hand = ByHand(graph).start()
    with pytest.raises(InvariantError) as caught:
        hand.core.move(hand.root, hand.index("second"), State.RUNNING)
    assert str(caught.value) == (
        "node run 'second' cannot go from PENDING to RUNNING\n"
        "second (function)\n"
        "pending: waits for first"
    )


@pytest.mark.parametrize(("old", "new"), list(product(State, State)))
def test_a_step_is_in_the_cores_table_if_it_is_legal(old: State, new: State) -> None:
    assert (STEPS[old * len(State) + new] is not None) == ((old, new) in TRANSITIONS)


def test_from_an_end_there_is_no_step_and_each_end_is_reached() -> None:
    assert ENDS == (State.COMPLETED, State.FAILED, State.SKIPPED, State.BLOCKED, State.CANCELLED)
    assert not any(old.is_end for old, _ in TRANSITIONS)
    assert {new for _, new in TRANSITIONS} == set(State) - {State.PENDING}


def test_every_state_is_reached_from_the_first_and_leads_to_an_end() -> None:
    for goal in set(State) - {State.PENDING}:
        assert goal in _reachable({State.PENDING})
    for state in set(State) - set(ENDS):
        assert _reachable({state}) & set(ENDS)


def _reachable(states: set[State]) -> set[State]:
    while more := {new for old, new in TRANSITIONS if old in states} - states:
        states = states | more
    return states
