"""`Policy(reserve=True)`: what a node sets aside from the start of a run."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dagorch import LLM, BudgetExceededError, Context, DefinitionError, Graph, Policy, Ref, Retry
from dagorch.errors import OverloadedError
from dagorch.files import dump_graph, parse_graph
from dagorch.models.llm import LLMRequest
from dagorch.nodes import Function
from dagorch.testing import ScriptedProvider
from tests.integration.runner.ceilings import worst_case

CENT = Decimal("0.01")
HI = [{"role": "user", "content": "Hi"}]
KEPT = Policy(reserve=True, reserve_input_tokens=300)


def service(script: Any = "a few words", **options: Any) -> ScriptedProvider:
    return ScriptedProvider(script, price_per_token=CENT, **options)


def worst(size: int, reply: int = 3) -> Decimal:
    return worst_case(service(), reply, prompt="x" * size)


CALL = worst(2)
"""The worst case of a question."""
SYNTHESIS = worst(300)
"""What the synthesis sets aside."""


def report(policy: Policy = KEPT, **options: Any) -> Graph:
    """Return a graph of five questions and the synthesis over what is alive."""
    graph = Graph("report")
    questions = [graph.add(LLM(f"q{place}", prompt="Hi", max_tokens=3)) for place in range(5)]
    joined = graph.merge("joined", questions)
    synthesis = LLM("synthesis", prompt="{joined}", policy=policy, **{"max_tokens": 3, **options})
    graph.add(synthesis, joined=joined)
    return graph


async def test_the_synthesis_runs_after_the_rest_is_spent() -> None:
    provider = service()
    ceiling = SYNTHESIS + CALL + 4 * CENT  # two questions, one after the other
    result = await report().run(
        provider=provider, max_cost=ceiling, on_budget="finish", max_parallel=1
    )
    assert result["synthesis"] == "a few words"
    assert result.over_budget == ("q2", "q3", "q4")
    assert result["joined"] == ["a few words"] * 2
    assert result.status == "partial"
    assert f"${SYNTHESIS} set aside" in result.get("q2").reason
    assert result.cost_usd <= ceiling


async def test_without_a_reserve_the_synthesis_is_skipped() -> None:
    ceiling = CALL + 4 * CENT
    result = await report(Policy()).run(
        provider=service(), max_cost=ceiling, on_budget="finish", max_parallel=1
    )
    assert "synthesis" in result.over_budget


async def test_a_reserve_that_does_not_fit_is_refused_with_the_least_ceiling() -> None:
    provider = service()
    with pytest.raises(DefinitionError) as caught:
        await report().run(provider=provider, max_cost=SYNTHESIS - CENT, on_budget="finish")
    assert (
        f"what 'synthesis' reserves does not fit under the ceiling; it needs max_cost={SYNTHESIS}"
        in str(caught.value)
    )
    assert not provider.requests
    await report().run(provider=provider, max_cost=SYNTHESIS, on_budget="finish")


async def test_tokens_are_set_aside_too() -> None:
    least = int(SYNTHESIS / CENT)
    with pytest.raises(DefinitionError, match=f"it needs max_tokens={least} at least"):
        await report().run(provider=service(), max_tokens=least - 1)
    result = await report().run(
        provider=service(), max_tokens=least + int(CALL / CENT), on_budget="finish", max_parallel=1
    )
    assert result["synthesis"] == "a few words"


async def test_a_reserve_holds_in_a_run_that_stops_too() -> None:
    with pytest.raises(BudgetExceededError, match=r"'q0' could cost .* set aside"):
        await report().run(provider=service(), max_cost=SYNTHESIS + CALL - CENT)


async def test_what_is_set_aside_is_free_when_the_node_is_not_run() -> None:
    graph = Graph("branch")
    chosen = graph.branch("chosen", lambda: "cheap", labels=["cheap", "dear"])
    graph.add(LLM("dear", prompt="Hi", policy=KEPT), after=chosen["dear"])
    cheap = graph.add(LLM("cheap", prompt="Hi", max_tokens=250), after=chosen["cheap"])
    result = await graph.run(
        provider=service(output_limit=3), max_cost=SYNTHESIS, on_budget="finish"
    )
    assert result.get(cheap).end == "completed"


async def test_a_retry_of_the_synthesis_has_what_is_left_of_its_own() -> None:
    busy = OverloadedError("busy", status=503)
    broken = OverloadedError("in the middle", status=500, answer_begun=True)
    retry = Policy(
        reserve=True, reserve_input_tokens=300, retry=Retry(attempts=3, base_delay_seconds=0)
    )
    for error, end in ((busy, "completed"), (broken, "skipped")):
        graph = Graph("retry")
        graph.add(LLM("synthesis", prompt="x" * 300, max_tokens=3, policy=retry))
        graph.add(LLM("other", prompt="Hi", max_tokens=3), after=Ref(graph, "synthesis"))
        provider = service([error, "yes", "other"])
        result = await graph.run(provider=provider, max_cost=SYNTHESIS, on_budget="finish")
        assert result.get("synthesis").end == end
        assert result.cost_usd <= SYNTHESIS


async def test_a_prompt_beyond_the_reserve_takes_from_the_reply() -> None:
    graph = Graph("long")
    graph.add(LLM("synthesis", prompt="x" * 400, policy=KEPT))
    provider = service("ok", output_limit=512)
    kept = worst(300, 512)
    await graph.run(provider=provider, max_cost=kept, on_budget="finish")
    assert [request.max_tokens for request in provider.requests] == [256]


async def test_a_prompt_far_beyond_the_reserve_is_refused() -> None:
    graph = Graph("too long")
    graph.add(LLM("synthesis", prompt="x" * 900, max_tokens=3, policy=KEPT))
    result = await graph.run(provider=service(), max_cost=SYNTHESIS, on_budget="finish")
    assert result.over_budget == ("synthesis",)


async def test_without_max_tokens_a_short_reply_is_set_aside() -> None:
    graph = Graph("open")
    graph.add(LLM("synthesis", prompt="Hi", policy=KEPT))
    with pytest.raises(DefinitionError, match=f"max_cost={worst(300, 4_096)} at least"):
        await graph.run(provider=service(output_limit=50_000), max_cost=1)


async def test_the_dearest_of_a_nodes_models_is_set_aside() -> None:
    class Two(ScriptedProvider):
        def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
            most = super().worst_case_usd(request)
            return most * 2 if most and request.model == "dear" else most

    policy = Policy(reserve=True, reserve_input_tokens=300, fallback_models=("dear",))
    provider = Two("ok", price_per_token=CENT)
    with pytest.raises(DefinitionError, match=f"max_cost={2 * worst(300)} at least|needs max_cost"):
        await report(policy).run(provider=provider, max_cost=SYNTHESIS + CENT)


async def test_a_function_reserves_for_a_call_of_its_own() -> None:
    async def synthesize(context: Context[None], joined: list[str]) -> str:
        return (await context.acomplete(HI)).content

    graph = Graph("own")
    questions = [graph.add(LLM(f"q{place}", prompt="Hi", max_tokens=3)) for place in range(3)]
    joined = graph.merge("joined", questions)
    graph.add(Function("synthesis", synthesize, policy=KEPT), joined=joined)
    kept = worst(300, 5)
    provider = service(output_limit=5)
    result = await graph.run(
        provider=provider, max_cost=kept + CALL, on_budget="finish", max_parallel=1
    )
    assert result["synthesis"] == "a few words"
    assert result.over_budget
    assert result.cost_usd <= kept + CALL


@pytest.mark.parametrize("place", ["function", "merge", "tools"])
def test_a_reserve_of_what_makes_no_single_call_is_refused(place: str) -> None:
    graph = Graph("wrong")
    if place == "function":
        graph.add(Function("f", lambda: 1, policy=KEPT))
    elif place == "merge":
        graph.merge("m", [graph.add(Function("f", lambda: 1))], policy=KEPT)
    else:

        def tool(word: str) -> str:
            """Look it up."""
            return word

        graph.add(LLM("t", prompt="Hi", tools=(tool,), policy=KEPT))
    with pytest.raises(DefinitionError, match="so reserve= would do nothing; set it on an LLM"):
        graph.compile()


async def test_a_reserve_inside_a_container_is_refused() -> None:
    inner = Graph("inner")
    inner.add(LLM("ask", prompt="Hi", policy=KEPT))
    graph = Graph("outer")
    graph.subgraph(inner, id="part")
    with pytest.raises(DefinitionError, match="'ask' has reserve=True in a container"):
        await graph.run(provider=service(), max_cost=9)
    await graph.run(provider=service())


def test_a_file_has_it_too() -> None:
    text = dump_graph(report())
    assert "reserve: true" in text
    node = next(node for node in parse_graph(text) if node.id == "synthesis")
    assert node.policy.reserve
    assert node.policy.reserve_input_tokens == 300


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reserve": 5_000}, "reserve=5000 must be True or False"),
        ({"reserve_input_tokens": 0}, "reserve_input_tokens=0 must be a whole number"),
        ({"reserve_input_tokens": 1.5}, "reserve_input_tokens=1.5 must be a whole number"),
    ],
)
def test_a_wrong_reserve_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Policy(**options)
