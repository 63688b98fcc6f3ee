"""Errors that every call to a service would meet: they stop the run and are sent once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from dagorch import LLM, Context, Graph, Policy, Retry, RunError
from dagorch.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from dagorch.models.llm import LLMRequest
from dagorch.runner.loop_state import shared
from dagorch.testing import ScriptedProvider

KINDS = [AuthenticationError, PermissionDeniedError, NotFoundError]


class Account(ScriptedProvider):
    """A scripted provider with an account, as that of a service has."""

    account = "one"


def rejecting(kind: type[Exception] = AuthenticationError, **options: Any) -> ScriptedProvider:
    return ScriptedProvider(lambda request: kind("no"), **options)


def ask(graph: Graph, id: str = "ask", **policy: Any) -> Any:
    return graph.add(LLM(id, prompt="Well?", policy=Policy(**policy)))


async def failure(graph: Graph, provider: Any, **options: Any) -> RunError:
    with pytest.raises(RunError) as caught:
        await graph.run(provider=provider, **options)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "policy", [{"on_error": "continue"}, {"fallback": "plan B"}, {"fallback": LLM("b", prompt="?")}]
)
async def test_no_policy_continues_over_it(kind: Any, policy: dict[str, Any]) -> None:
    graph = Graph("g")
    ask(graph, **policy)
    graph.function(lambda: 1, id="beside")
    provider = rejecting(kind)
    error = await failure(graph, provider)
    assert isinstance(error.__cause__, kind)
    assert error.path == "ask"
    assert len(provider.requests) == 1


@pytest.mark.parametrize("on_item_error", ["skip", "collect"])
async def test_no_container_continues_over_it(on_item_error: Any) -> None:
    graph = Graph("g")
    items = graph.function(lambda: [1, 2, 3], id="items")
    node = LLM("each", prompt="{item}?", policy=Policy(on_error="continue"))
    graph.map(node, over=items, on_item_error=on_item_error, max_parallel=1)
    provider = rejecting()
    error = await failure(graph, provider)
    assert isinstance(error.__cause__, AuthenticationError)
    assert len(provider.requests) == 1


async def test_other_errors_are_left_to_the_policy() -> None:
    graph = Graph("g")
    ask(graph, fallback="plan B")
    assert (await graph.run(provider=rejecting(BadRequestError))).output == "plan B"


async def test_a_fallback_model_of_another_service_answers() -> None:
    graph = Graph("g")
    for id in ("a", "b"):
        ask(graph, id, fallback_models=("one:other", "two:large"), retry=Retry(attempts=3))
    one, two = rejecting(name="one"), ScriptedProvider("yes", name="two")
    result = await graph.run(provider={"one": one, "two": two}, max_parallel=1)
    assert result.output == {"a": "yes", "b": "yes"}
    assert len(one.requests) == 1  # neither its other model nor the second node is tried


async def test_an_unknown_model_says_nothing_of_another_model_of_the_service() -> None:
    def reply(request: LLMRequest) -> Any:
        return NotFoundError("no such model") if request.model == "old" else "yes"

    graph = Graph("g")
    policy = Policy(fallback_models=("new",))
    for id in ("a", "b"):
        graph.add(LLM(id, prompt="?", model="old", policy=policy))
    provider = ScriptedProvider(reply)
    result = await graph.run(provider=provider, max_parallel=1)
    assert result.output == {"a": "yes", "b": "yes"}
    assert [request.model for request in provider.requests] == ["old", "new", "new"]


async def test_a_function_that_catches_it_does_not_send_it_again() -> None:
    async def stubborn(run: Context) -> list[str]:
        errors = []
        for _ in range(3):
            try:
                await run.acomplete([{"role": "user", "content": "Hi"}])
            except AuthenticationError as error:
                errors.append(str(error))
        return errors

    graph = Graph("g")
    graph.function(stubborn)
    provider = rejecting()
    assert (await graph.run(provider=provider)).output == ["no"] * 3
    assert len(provider.requests) == 1


async def test_the_first_call_of_an_account_goes_ahead() -> None:
    graph = Graph("g")
    for n in range(5):
        ask(graph, f"ask_{n}", on_error="continue")
    provider = Account(lambda request: AuthenticationError("no"), latency_seconds=0.001)
    error = await failure(graph, provider)
    assert isinstance(error.__cause__, AuthenticationError)
    assert len(provider.requests) == 1


@pytest.mark.parametrize("ending", ["text", "error"])
async def test_the_others_follow_when_the_first_is_accepted_or_has_failed_alone(
    ending: str,
) -> None:
    together = anyio.Event()

    class Streaming(Account):
        account = f"streaming {ending}"

        async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> Any:
            if not self.requests:
                self.requests.append(request)
                if ending == "error":
                    raise BadRequestError("no")
                on_text("word")  # accepted: the others start before this one ends
                await together.wait()
            response = await super().exchange(request, on_text)
            if len(self.requests) >= 3:
                together.set()
            return response

    graph = Graph("g")
    for n in range(3):
        ask(graph, f"ask_{n}", on_error="continue", retry=Retry(attempts=1))
    provider = Streaming("yes")
    result = await graph.run(provider=provider)
    assert len(result.values) == (3 if ending == "text" else 2)


async def test_an_empty_account_is_none() -> None:
    class Nameless(ScriptedProvider):
        account = ""

    graph = Graph("g")
    ask(graph)
    await graph.run(provider=Nameless(lambda request: "well"))
    assert not shared().accepted_accounts
