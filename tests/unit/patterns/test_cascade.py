"""The graph of a cascade, inspected and run on its own."""

from __future__ import annotations

import pytest

from dagorch.models.policy import Policy, Retry
from dagorch.patterns.cascade import Cascade, Tier, cascade_graph
from dagorch.patterns.token_limits import LARGE, SMALL, TokenLimits
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import PLAN


def test_it_compiles_without_a_provider_and_has_one_output() -> None:
    for caminas in (1, 3):
        graph = cascade_graph(Cascade(caminas=Tier(caminas)), "Why?")
        assert graph.compile().single_output
        assert graph.sinks() == (["camina_1"] if caminas == 1 else ["merge"])


async def test_a_task_may_contain_braces() -> None:
    task = "What does {x} mean in '{}' and {{task}}?"
    graph = cascade_graph(Cascade(), task, Policy(retry=Retry(attempts=1)))
    provider = ScriptedProvider("ok")
    await graph.run(provider=provider)
    assert all(task in request.messages[-1].content for request in provider.requests)


async def test_texts_between_tiers_are_cut_to_the_readers_limits() -> None:
    limits = TokenLimits(100, 100, 1_000)
    cascade = Cascade(
        belters=Tier(8), drummers=Tier(1, limits=limits), caminas=Tier(1, limits=limits)
    )
    graph = cascade_graph(cascade, "Why?", Policy(retry=Retry(attempts=1)))
    provider = ScriptedProvider(lambda request: PLAN if request.json_schema else "蜜蜂。" * 2_000)
    await graph.run(provider=provider)
    for request in provider.requests[9:]:
        assert len(request.messages[-1].content.encode()) < 1_500


@pytest.mark.parametrize(("limits", "exact"), [(LARGE, False), (SMALL, True)])
def test_only_a_small_model_has_the_count_in_its_schema(limits: TokenLimits, exact: bool) -> None:
    graph = cascade_graph(
        Cascade(planner=Tier(limits=limits), belters=Tier(4, limits=limits)), "Why?"
    )
    request = graph.node("decompose").request({"task": "Why?", "count": 4})
    assert ("maxItems" in request.json_schema["properties"]["questions"]) is exact
    assert "4 smaller questions" in request.messages[-1].content
    belter = graph.node("belter_2").request({"task": "Why?", "questions": ["a?", "b?"]})
    assert "b?" in belter.messages[-1].content
    assert (belter.temperature is None) is not exact
    assert belter.max_tokens == limits.write_tokens


async def test_questions_are_read_from_a_reply_that_is_cut_off() -> None:
    broken = '{"questions": ["What is one?", "What is two?", "What is thr'
    provider = ScriptedProvider(lambda request: broken if request.json_schema else "ok")
    graph = cascade_graph(Cascade(belters=Tier(2)), "Why?")
    result = await graph.run(provider=provider)
    assert result["questions"] == ["What is one?", "What is two?"]
    assert result.get("decompose").attempts == 1


async def test_a_reply_without_a_plan_is_retried_and_then_ignored() -> None:
    provider = ScriptedProvider(lambda request: "no idea" if request.json_schema else "ok")
    graph = cascade_graph(Cascade(belters=Tier(2)), "Why?", Policy(retry=Retry(attempts=2)))
    result = await graph.run(provider=provider)
    assert sum(request.json_schema is not None for request in provider.requests) == 2
    assert result.get("decompose").recovered_from is not None
    assert result["questions"][0] == "Why?"


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```", "Here you are: {}"])
async def test_a_plain_list_is_a_plan(fence: str) -> None:
    reply = fence.format('["History of tea", {"topic": "Price of coffee"}]')
    provider = ScriptedProvider([reply, *["ok"] * 4])
    cascade = Cascade(belters=Tier(2), drummers=Tier(1))
    result = await cascade_graph(cascade, "Tea?").run(provider=provider)
    assert result["questions"] == ["History of tea", "Price of coffee"]
    assert result.get("decompose").attempts == 1
