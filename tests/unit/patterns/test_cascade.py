"""The cascade's graph, looked at and run by itself."""

from __future__ import annotations

import pytest

from dagorch.models.policy import Policy, Retry
from dagorch.patterns.cascade import Cascade, Tier, cascade_graph
from dagorch.patterns.token_limits import LARGE, SMALL, TokenLimits
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import PLAN


def test_it_compiles_without_a_provider_and_ends_in_one_place() -> None:
    for caminas in (1, 3):
        graph = cascade_graph(Cascade(caminas=Tier(caminas)), "Why?")
        assert graph.compile().single_output
        assert graph.sinks() == (["camina_1"] if caminas == 1 else ["merge"])


async def test_a_task_may_hold_anything() -> None:
    task = "What does {x} mean in '{}' and {{task}}?"
    graph = cascade_graph(Cascade(), task, Policy(retry=Retry(attempts=1)))
    provider = ScriptedProvider("ok")
    await graph.run(provider=provider)
    assert all(task in request.messages[-1].content for request in provider.requests)


async def test_what_flows_between_tiers_is_cut_to_the_readers_room() -> None:
    room = TokenLimits(100, 100, 1_000)
    cascade = Cascade(belters=Tier(8), drummers=Tier(1, room=room), caminas=Tier(1, room=room))
    graph = cascade_graph(cascade, "Why?", Policy(retry=Retry(attempts=1)))
    provider = ScriptedProvider(lambda request: PLAN if request.json_schema else "蜜蜂。" * 2_000)
    await graph.run(provider=provider)
    for request in provider.requests[9:]:
        assert len(request.messages[-1].content.encode()) < 1_500


@pytest.mark.parametrize(("room", "bounded"), [(LARGE, False), (SMALL, True)])
def test_only_a_small_model_is_held_to_the_number_by_its_schema(
    room: TokenLimits, bounded: bool
) -> None:
    graph = cascade_graph(Cascade(planner=Tier(room=room), belters=Tier(4, room=room)), "Why?")
    request = graph.node("decompose").request({"task": "Why?", "count": 4})
    assert ("maxItems" in request.json_schema["properties"]["questions"]) is bounded
    assert "4 smaller questions" in request.messages[-1].content
    belter = graph.node("belter_2").request({"task": "Why?", "questions": ["a?", "b?"]})
    assert "b?" in belter.messages[-1].content
    assert (belter.temperature is None) is not bounded
    assert belter.max_tokens == room.write_tokens


async def test_a_reply_that_breaks_off_or_is_a_list_gives_its_questions_at_once() -> None:
    broken = '{"questions": ["What is one?", "What is two?", "What is thr'
    provider = ScriptedProvider(lambda request: broken if request.json_schema else "ok")
    graph = cascade_graph(Cascade(belters=Tier(2)), "Why?")
    result = await graph.run(provider=provider)
    assert result["questions"] == ["What is one?", "What is two?"]
    assert result.get("decompose").attempts == 1


async def test_a_plan_that_is_no_plan_is_asked_for_again_and_then_done_without() -> None:
    provider = ScriptedProvider(lambda request: "no idea" if request.json_schema else "ok")
    graph = cascade_graph(Cascade(belters=Tier(2)), "Why?", Policy(retry=Retry(attempts=2)))
    result = await graph.run(provider=provider)
    assert sum(request.json_schema is not None for request in provider.requests) == 2
    assert result.get("decompose").recovered_from is not None
    assert result["questions"][0] == "Why?"
