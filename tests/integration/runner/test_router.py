"""One graph on several services: each model finds its service, before the run starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import anyio
import pytest

from dagorch import (
    LLM,
    BaseOrchestrator,
    Context,
    Graph,
    OrchestratorConfig,
    Policy,
    Retry,
    SubTask,
)
from dagorch.errors import DefinitionError, RunError
from dagorch.providers import Router
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import HI, Plain, by_tier, cascade
from tests.fake_services import FAKE_SERVICES
from tests.servers import ModelServer, reply

pytestmark = pytest.mark.anyio

MODELS = {"openai": "gpt-4", "anthropic": "claude-3.5", "gemini": "gemini-2.5-flash"}
ONCE = Retry(attempts=1)
BUSY = reply(503, {"error": {"message": "busy"}})


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModelServer]]:
    """A server for each dialect, found through the environment alone."""
    with ExitStack() as stack:
        servers = {}
        for speech in FAKE_SERVICES:
            server = stack.enter_context(ModelServer(speech.answers(f"answer by {speech.name}")))
            monkeypatch.setenv(f"{speech.name.upper()}_BASE_URL", server.url)
            monkeypatch.setenv(f"{speech.name.upper()}_API_KEY", f"sk-{speech.name}")
            servers[speech.name] = server
        yield servers


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("XAI", "MISTRAL", "OPENAI"):
        monkeypatch.delenv(f"{service}_API_KEY", raising=False)
        monkeypatch.delenv(f"{service}_BASE_URL", raising=False)


def closed(servers: dict[str, ModelServer]) -> None:
    """Check that no connection is left open."""
    for server in servers.values():
        server.wait_until(lambda s: s.open == 0)


def mixed() -> Graph:
    graph = Graph("mixed")
    views = [
        graph.add(LLM(name, prompt="Well?", model=model, policy=Policy(retry=ONCE)))
        for name, model in MODELS.items()
    ]
    graph.output(graph.merge("all", views))
    return graph


async def test_three_services_answer_in_one_graph(services: dict[str, ModelServer]) -> None:
    router = Router()
    for turn in (1, 2):
        result = await mixed().run(provider=router)
        assert result.output == [f"answer by {name}" for name in MODELS]
        assert sorted(result.usage_by_model) == sorted(f"{s}:{m}" for s, m in MODELS.items())
        closed(services)  # the router made them, so the run's end closes them
        assert {len(server.requests) for server in services.values()} == {turn}
    for speech in FAKE_SERVICES:
        seen = services[speech.name].requests[0]
        assert f"sk-{speech.name}" in seen.headers[speech.key_header.lower()]


async def test_concurrent_runs_share_connections_until_the_last_ends(
    services: dict[str, ModelServer],
) -> None:
    router, results = Router(), []

    async def run() -> None:
        results.append((await mixed().run(provider=router)).output)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(run)
    assert results == [[f"answer by {name}" for name in MODELS]] * 5
    closed(services)


def test_one_router_serves_two_event_loops_one_after_the_other(
    services: dict[str, ModelServer], anyio_backend_name: str
) -> None:
    router = Router()

    async def run() -> Any:
        return (await mixed().run(provider=router)).output

    for _ in range(2):
        assert len(anyio.run(run, backend=anyio_backend_name)) == 3
        closed(services)


async def test_a_fallback_model_may_be_another_services(services: dict[str, ModelServer]) -> None:
    services["openai"].handlers[:] = [BUSY]
    graph = Graph("fallback")
    policy = Policy(retry=ONCE, fallback_models=("claude-3.5",))
    graph.add(LLM("ask", prompt="Well?", model="gpt-4", policy=policy))
    result = await graph.run(provider=Router())
    assert result["ask"] == "answer by anthropic"
    assert [bill.service for bill in result.get("ask").bills] == ["openai", "anthropic"]
    closed(services)


async def test_calls_through_a_context_find_their_provider_at_the_call(
    services: dict[str, ModelServer],
) -> None:
    async def ask(context: Context[Any]) -> list[str]:
        replies = [await context.acomplete(HI, model=model) for model in MODELS.values()]
        return [reply.content for reply in replies]

    def wait(context: Context[Any]) -> str:
        return context.complete(HI, model="gemini:my-tuned").content

    graph = Graph("calls")
    graph.function(ask)
    graph.function(wait)
    result = await graph.run(provider=Router())
    assert result["ask"] == [f"answer by {name}" for name in MODELS]
    assert result["wait"] == "answer by gemini"
    assert result.usage.calls == 4
    closed(services)


async def test_a_call_with_an_unknown_model_fails_its_node(
    services: dict[str, ModelServer],
) -> None:
    async def ask(context: Context[Any]) -> str:
        return (await context.acomplete(HI, model="gork-3")).content

    graph = Graph("calls")
    graph.function(ask)
    with pytest.raises(RunError, match="'ask': no provider is known for model 'gork-3'; did you"):
        await graph.run(provider=Router())


async def test_a_cancelled_run_closes_its_connections_too(services: dict[str, ModelServer]) -> None:
    for speech in FAKE_SERVICES:
        services[speech.name].handlers[:] = [speech.answers(hold=True)]

    def all_asked() -> None:
        for server in services.values():
            server.wait_until(lambda s: bool(s.requests))

    async def run() -> None:
        await mixed().run(provider=Router())

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await anyio.to_thread.run_sync(all_asked)
        group.cancel_scope.cancel()
    closed(services)


async def test_an_expansion_is_checked_before_any_of_it_runs(
    services: dict[str, ModelServer],
) -> None:
    plans = iter(["gork-3", "claude-3.5"])

    async def plan() -> Graph:
        inner = Graph("inner")
        first = inner.add(LLM("first", prompt="Well?", model="gpt-4"))
        inner.add(LLM("then", prompt="{first}", model=next(plans)), first=first)
        return inner

    graph = Graph("outer")
    retry = Retry(attempts=2, base_delay_seconds=0)
    graph.function(plan, expand=True, policy=Policy(retry=retry))
    result = await graph.run(provider=Router())
    assert result.output == "answer by anthropic"
    assert len(services["openai"].requests) == 1, (
        "the plan that named no model is made again for free"
    )


# -- before the run -------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_keys")
async def test_unknown_models_and_missing_keys_are_reported_before_any_request(
    services: dict[str, ModelServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(context: Context[Any]) -> str:
        raise AssertionError

    graph = mixed()
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    for n in range(5):
        graph.add(LLM(f"bad_{n}", prompt="Well?", model="gork-3"))
    policy = Policy(fallback_models=("mistral-small",))
    graph.add(LLM("falls", prompt="Well?", model="claude-3.5", policy=policy))
    graph.function(ask, policy=Policy(fallback_models=("clod",)))
    with pytest.raises(DefinitionError) as raised:
        await graph.run(provider=Router())
    problems = [str(problem) for problem in raised.value.problems]
    assert problems[0].startswith(
        "node 'openai': model 'gpt-4' belongs to openai: openai: no API key"
    )
    assert "OPENAI_API_KEY" in problems[0]
    assert problems[1].startswith(
        "nodes 'bad_0', 'bad_1', 'bad_2' and 2 more: no provider is known for model 'gork-3'; "
        "did you mean 'grok-3'"
    )
    assert "MISTRAL_API_KEY" in problems[2]
    assert problems[3].startswith("node 'ask': no provider is known for model 'clod'")
    assert len(problems) == 4
    assert not any(server.requests for server in services.values())


async def test_one_problem_of_thousands_of_nodes_is_looked_up_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = Router()
    asked: list[str] = []
    find = router.find
    monkeypatch.setattr(router, "find", lambda model, home="": asked.append(model) or find(model))
    graph = Graph("wide")
    for n in range(2_000):
        graph.add(LLM(f"bad_{n}", prompt="Well?", model="gork-3"))
    with pytest.raises(DefinitionError, match="'bad_2' and 1997 more: no provider is known"):
        await graph.run(provider=router)
    assert asked == ["gork-3"]


async def test_a_node_without_a_model_needs_a_default() -> None:
    graph = Graph("bare")
    graph.add(LLM("ask", prompt="Well?"))
    with pytest.raises(DefinitionError, match="node 'ask': no provider: a call that names no mod"):
        await graph.run(provider=Router())
    house = ScriptedProvider("yes")
    assert (await graph.run(provider=Router(house)))["ask"] == "yes"


async def test_an_unknown_provider_name_is_an_error_with_a_suggestion() -> None:
    graph = Graph("named")
    graph.add(LLM("ask", prompt="Well?", provider="fst"))
    with pytest.raises(DefinitionError, match="'ask': no provider is named 'fst'; did you mean"):
        await graph.run(provider={"fast": ScriptedProvider("yes")})
    with pytest.raises(DefinitionError, match="no provider is called 'fst'; did you mean 'fast'"):
        await graph.run(provider=Router(providers={"fast": ScriptedProvider("yes")}))
    bare = Graph("bare")
    bare.add(LLM("ask", prompt="Well?", model="any"))
    with pytest.raises(DefinitionError, match=r"'ask': no provider to call a model with; pass run"):
        await bare.run()
    assert (await bare.run(provider=ScriptedProvider("yes", name="xai")))["ask"] == "yes"


async def test_a_node_may_name_its_provider(services: dict[str, ModelServer]) -> None:
    graph = Graph("named")
    policy = Policy(retry=ONCE, fallback_models=("other-model", "claude-3.5"))
    graph.add(LLM("ask", prompt="Well?", provider="openai", model="tuned", policy=policy))
    services["openai"].handlers[:] = [BUSY]
    result = await graph.run(provider=Router())
    assert result["ask"] == "answer by anthropic"
    assert [seen.json["model"] for seen in services["openai"].requests] == ["tuned", "other-model"]
    closed(services)


async def test_under_a_ceiling_every_model_needs_a_price(services: dict[str, ModelServer]) -> None:
    graph = Graph("priced")
    graph.add(LLM("known", prompt="Well?", model="gpt-4", max_tokens=9))
    graph.add(LLM("unknown", prompt="Well?", model="openai:my-tuned", max_tokens=9))
    with pytest.raises(DefinitionError, match="node 'unknown': the price of 'my-tuned' of openai"):
        await graph.run(provider=Router(), max_cost=1)
    assert not services["openai"].requests


# -- orchestrators --------------------------------------------------------------------------------


async def test_an_orchestrator_accepts_a_router(services: dict[str, ModelServer]) -> None:
    house = ScriptedProvider(by_tier, name="house")
    router = Router(house, {"groq": house})
    o = cascade(router, belter_model="groq-llama", camina_model="anthropic:claude-3.5")
    result = await o.execute_workflow("Why?")
    assert result.result == "answer by anthropic"
    assert result.metadata["models"]["camina"] == "claude-3.5"
    closed(services)
    with pytest.raises(DefinitionError, match="providers= cannot be combined with a Router"):
        Plain(None, router, providers={"x": house}, plan=[])


async def test_a_subclass_may_call_any_services_model(services: dict[str, ModelServer]) -> None:
    class Asking(Plain):
        async def execute_subtask(self, subtask: Any, context: Any = None) -> Any:
            done = await super().execute_subtask(subtask, context)
            response = await self.provider.acomplete(HI, model="gemini-2.5-flash")
            return done.model_copy(update={"content": response.content})

    o: BaseOrchestrator = Asking(
        OrchestratorConfig(max_retries=0), ScriptedProvider("never"), plan=[SubTask("a", "x")]
    )
    result = await o.execute_workflow("Why?")
    assert result.result == {"said": ["answer by gemini"]}
    closed(services)
    outside = await o.provider.acomplete(HI, model="claude-3.5")
    assert outside.content == "answer by anthropic"
    await o.provider.aclose()
    closed(services)


@pytest.mark.usefixtures("no_keys")
async def test_the_fallback_model_of_a_subclass_is_found_before_its_plan() -> None:
    planned: list[str] = []

    class Planning(Plain):
        async def decompose_task(self, task: str, context: Any = None) -> Any:
            planned.append(task)
            return self.plan

    for wrong in ({"fallback_model": "mistral-small"}, {"primary_model": "mistral-small"}):
        o = Planning(OrchestratorConfig(**wrong), ScriptedProvider("yes", name="xai"), plan=[])
        with pytest.raises(DefinitionError, match="MISTRAL_API_KEY"):
            await o.execute_workflow("Why?")
    assert not planned
