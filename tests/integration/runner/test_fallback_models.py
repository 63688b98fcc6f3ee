"""Fallback models, called one after another when the one before has failed for good."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import LLM, Context, Event, Graph, Policy, Retry
from dagorch.errors import (
    BadRequestError,
    DefinitionError,
    NodeTimeoutError,
    OverloadedError,
    RunError,
)
from dagorch.models.llm import LLMRequest
from dagorch.testing import ScriptedProvider

QUICK = Retry(attempts=2, base_delay_seconds=0)


def asking(**options: Any) -> Graph:
    graph = Graph("fallback")
    policy = Policy(**{"retry": QUICK, **options})
    graph.add(LLM("ask", prompt="Well?", model="first", policy=policy))
    return graph


def service(name: str, *failing: str) -> ScriptedProvider:
    def reply(request: LLMRequest) -> Any:
        if request.model in failing:
            return OverloadedError(f"{request.model} is busy", status=503)
        return f"{request.model} of {name}"

    return ScriptedProvider(reply, name=name)


async def test_each_model_gets_all_its_attempts_before_the_next() -> None:
    provider = service("one", "first", "second")
    result = await asking(fallback_models=("second", "third")).run(provider=provider)
    assert result["ask"] == "third of one"
    assert [request.model for request in provider.requests] == [
        "first", "first", "second", "second", "third",
    ]  # fmt: skip
    assert [(bill.model, bill.attempt) for bill in result.get("ask").bills][-2:] == [
        ("second", 4),
        ("third", 5),
    ]


async def test_an_error_without_a_retry_moves_on_to_the_next_model() -> None:
    answers = [BadRequestError("too odd", status=400), "yes"]
    provider = ScriptedProvider(answers)
    assert (await asking(fallback_models=("second",)).run(provider=provider))["ask"] == "yes"
    assert [request.model for request in provider.requests] == ["first", "second"]


async def test_a_model_may_be_another_services() -> None:
    one, two = service("one", "first"), service("two")
    result = await asking(fallback_models=("two:large",)).run(provider={"one": one, "two": two})
    assert result["ask"] == "large of two"
    assert [bill.service for bill in result.get("ask").bills] == ["one", "one", "two"]


async def test_an_invalid_reply_is_not_shown_to_the_next_model() -> None:
    graph = Graph("typed")
    policy = Policy(retry=QUICK, fallback_models=("b",))
    graph.add(LLM("ask", prompt="Well?", output=int, policy=policy))
    provider = ScriptedProvider(["one", "two", "3"])
    assert (await graph.run(provider=provider))["ask"] == 3
    assert [len(request.messages) for request in provider.requests] == [1, 3, 1]


async def test_events_and_the_story_name_the_next_model() -> None:
    events: list[Event] = []
    provider = service("one", "first", "second")
    with pytest.raises(RunError) as caught:
        await asking(fallback_models=("second",)).run(provider=provider, on_event=events.append)
    retries = [event.data for event in events if event.type == "node_retrying"]
    assert [data.get("model") for data in retries] == [None, "second", None]
    assert any("with model 'second'" in line for line in caught.value.story)
    assert "second is busy" in str(caught.value)


def test_no_model_is_called_after_the_deadline(virtual: Any) -> None:
    slow = ScriptedProvider("late", latency_seconds=10)
    graph = asking(fallback_models=("second",), timeout_seconds=5)

    async def main() -> None:
        with pytest.raises(RunError) as caught:
            await graph.run(provider=slow)
        assert isinstance(caught.value.__cause__, NodeTimeoutError)

    virtual(main)
    assert len(slow.requests) == 1


async def test_a_fallback_value_is_used_after_the_last_model() -> None:
    provider = service("one", "first", "second")
    graph = asking(fallback_models=("second",), retry=Retry(attempts=1), fallback="none")
    result = await graph.run(provider=provider)
    assert result["ask"] == "none"
    assert len(provider.requests) == 2


async def test_a_fallback_model_without_a_price_is_refused_before_the_run() -> None:
    provider = ScriptedProvider("yes")
    provider.worst_case_usd = lambda request: None if request.model == "b" else 0  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(DefinitionError, match="the price of 'b'"):
        await asking(fallback_models=("b",)).run(provider=provider, max_cost=1)
    assert provider.requests == []


async def test_a_functions_calls_go_to_the_fallback_model_too() -> None:
    async def ask(context: Context[None]) -> str:
        reply = await context.acomplete([{"role": "user", "content": "Well?"}], model="first")
        return reply.content

    graph = Graph("function")
    graph.function(ask, id="ask", policy=Policy(retry=QUICK, fallback_models=("two:large",)))
    one, two = service("one", "first"), service("two")
    result = await graph.run(provider={"one": one, "two": two})
    assert result["ask"] == "large of two"
    assert result.get("ask").attempts == 3


async def test_a_conversation_with_tools_goes_on_with_the_fallback_model() -> None:
    def weather(city: str) -> str:
        return f"rain in {city}"

    graph = Graph("tools")
    policy = Policy(retry=QUICK, fallback_models=("second",))
    graph.add(LLM("ask", prompt="Weather?", model="first", tools=(weather,), policy=policy))
    assert (await graph.run(provider=service("one", "first")))["ask"] == "second of one"


def test_a_node_without_attempts_takes_no_fallback_models() -> None:
    graph = Graph("branch")
    graph.branch("road", lambda: True, policy=Policy(fallback_models=("b",)))
    with pytest.raises(DefinitionError, match="fallback_models"):
        graph.compile()


def test_one_fallback_model_is_one_model() -> None:
    assert Policy(fallback_models="second").fallback_models == ("second",)
