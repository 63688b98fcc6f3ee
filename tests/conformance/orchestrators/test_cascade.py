"""A cascade from a config and a provider of the factory gives an `OrchestratorResult`."""

from __future__ import annotations

import pytest

from dagorch import (
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    OrchestratorResult,
    ProviderFactory,
)
from tests.servers import ModelServer, answer


async def test_as_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer(answer("It is so.")) as server:
        monkeypatch.setenv("XAI_API_KEY", "sk-test")
        monkeypatch.setenv("XAI_BASE_URL", server.url)
        o = DreamCascadeOrchestrator(
            config=DreamCascadeConfig(
                belter_count=3,
                drummer_count=2,
                camina_count=1,
                primary_model="grok-3",
                max_retries=0,
            ),
            provider=ProviderFactory.get_provider("xai"),
        )
        result = await o.execute_workflow(task="Why is it so?")
        assert isinstance(result, OrchestratorResult)
        assert result.result == "It is so."
        assert [agent.subtask_id for agent in result.agent_results] == [
            "belter_1", "belter_2", "belter_3", "drummer_1", "drummer_2", "camina_1",
        ]  # fmt: skip
        assert {seen.json["model"] for seen in server.requests} == {"grok-3"}
        await o.provider.aclose()
