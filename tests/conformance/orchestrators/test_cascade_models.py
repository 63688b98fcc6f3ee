"""One model per tier, each routed to its own provider by name."""

from __future__ import annotations

import pytest

from dagorch import DefinitionError, DreamCascadeConfig, DreamCascadeOrchestrator, ProviderFactory
from dagorch.models.llm import LLMRequest
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import PLAN, by_tier, calls, cascade, talking
from tests.servers import ModelServer, answer


def models(provider: ScriptedProvider) -> list[str]:
    return sorted({request.model for request in provider.requests})


async def test_three_services_in_one_run() -> None:
    xai, groq, anthropic = (
        ScriptedProvider(by_tier, name=name) for name in ("xai", "groq", "anthropic")
    )
    config = DreamCascadeConfig(
        belter_model="groq-llama",
        drummer_model="grok-3",
        camina_model="claude-3.5",
        primary_model="grok-3-mini",
        camina_count=2,
        max_retries=0,
    )
    o = DreamCascadeOrchestrator(config, xai, providers={"groq": groq, "anthropic": anthropic})
    result = await o.execute_workflow("Why?")
    assert models(groq) == ["groq-llama"]
    assert models(anthropic) == ["claude-3.5"]
    assert models(xai) == ["grok-3", "grok-3-mini"]
    assert calls(xai) == {"plan": 1, "grok-3": 2, "grok-3-mini": 1}, "xai plans and merges"
    assert result.result == "said by grok-3-mini"


async def test_an_unset_tier_uses_the_primary_model_then_the_providers_default() -> None:
    provider = ScriptedProvider(by_tier, default_model="house-model")
    await DreamCascadeOrchestrator(DreamCascadeConfig(max_retries=0), provider).execute_workflow(
        "Why?"
    )
    assert models(provider) == [""], "without a name the provider uses its default"
    named = talking(by_tier)
    config = DreamCascadeConfig(max_retries=0, primary_model="first", drummer_model="second")
    await DreamCascadeOrchestrator(config, named).execute_workflow("Why?")
    assert calls(named) == {"plan": 1, "first": 4, "second": 2}


async def test_a_model_of_the_same_service_runs_on_the_same_provider() -> None:
    with ModelServer(answer(PLAN), answer("yes")) as server:
        provider = ProviderFactory.get_provider("openai", api_key="sk-mine", base_url=server.url)
        config = DreamCascadeConfig(
            belter_count=1, drummer_count=1, primary_model="gpt-4", belter_model="gpt-4o",
            max_retries=0,
        )  # fmt: skip
        await DreamCascadeOrchestrator(config, provider).execute_workflow("Why?")
        await provider.aclose()
        assert [seen.json["model"] for seen in server.requests] == [
            "gpt-4",
            "gpt-4o",
            "gpt-4",
            "gpt-4",
        ]
        assert {seen.headers["authorization"] for seen in server.requests} == {"Bearer sk-mine"}


async def test_a_model_of_another_service_gets_a_provider_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ModelServer(answer("from openai")) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        provider = ScriptedProvider(by_tier, name="xai")
        config = DreamCascadeConfig(camina_model="gpt-4o", max_retries=0)
        o = DreamCascadeOrchestrator(config, provider)
        for _ in range(2):
            assert (await o.execute_workflow("Why?")).result == "from openai"
        assert [seen.json["model"] for seen in server.requests] == ["gpt-4o", "gpt-4o"]
        server.wait_until(
            lambda s: s.open == 0
        )  # the orchestrator closes the provider that it created


async def test_a_missing_key_is_reported_before_any_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    provider = ScriptedProvider(by_tier, name="xai")
    o = DreamCascadeOrchestrator(DreamCascadeConfig(camina_model="claude-3.5"), provider)
    with pytest.raises(DefinitionError, match="ANTHROPIC_API_KEY"):
        await o.execute_workflow("Why?")
    assert not provider.requests


@pytest.mark.parametrize("field", ["primary_model", "belter_model", "camina_model"])
async def test_an_unknown_model_fails_before_the_run_with_the_nearest_name(field: str) -> None:
    provider = ScriptedProvider(by_tier, name="xai")
    config = DreamCascadeConfig(**{field: "gork-3"})

    async def run() -> None:
        await DreamCascadeOrchestrator(config, provider).execute_workflow("Why?")

    with pytest.raises(DefinitionError, match="'gork-3'; did you mean 'grok-3'"):
        await run()
    assert not provider.requests


async def test_a_drummer_continues_with_the_rest_of_its_share() -> None:
    def reply(request: LLMRequest) -> str:
        text = request.messages[-1].content
        if request.json_schema is not None:
            return PLAN
        if request.model == "b" and "What is three?" in text:
            raise OSError("no network")
        return f"found {text}" if request.model == "b" else "fine"

    provider = talking(reply)
    o = cascade(provider, belter_count=3, drummer_count=1)
    result = await o.execute_workflow("Why?")
    read = next(r.messages[-1].content for r in provider.requests if r.model == "d")
    assert "What is one?" in read
    assert "What is two?" in read
    assert "What is three?" not in read
    assert result.status == "partial"
    assert result.metadata["failed"] == ["belter_3"]
