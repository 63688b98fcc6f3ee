"""A real cascade on the embedded model: small, on topic, with correct counts."""

from __future__ import annotations

import pytest

from dagorch import DreamCascadeConfig, DreamCascadeOrchestrator, ProviderFactory


@pytest.fixture
def anyio_backend() -> str:
    """Use one backend: the model takes a minute on each."""
    return "asyncio"


@pytest.mark.local
@pytest.mark.full  # a minute of the model; the README's first command runs the same by default
async def test_a_small_cascade_on_the_embedded_model() -> None:
    config = DreamCascadeConfig(belter_count=2, drummer_count=1, camina_count=1)
    async with ProviderFactory.get_provider("local") as provider:
        o = DreamCascadeOrchestrator(config, provider)
        result = await o.execute_workflow("How do bees find their way home?")
    assert result.status == "completed"
    assert result.metadata["planned"]
    assert len(set(result.metadata["questions"])) == 2
    assert [a.subtask_id for a in result.agent_results] == [
        "belter_1", "belter_2", "drummer_1", "camina_1",
    ]  # fmt: skip
    assert "bees" in result.result.lower()
    assert len(result.result) > 300
    assert result.total_cost == 0
    assert all(agent.tokens_used > 0 for agent in result.agent_results)
