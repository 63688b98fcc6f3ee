"""The graph of a task is known before the run, and needs no provider."""

from __future__ import annotations

from dagorch import DreamCascadeConfig, DreamCascadeOrchestrator, SubTask
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import HI, Plain, by_tier, cascade, once, talking


def test_a_cascade_is_drawn_without_a_provider_or_a_key() -> None:
    config = DreamCascadeConfig(belter_count=4, primary_model="grok-3", belter_model="my-own")
    graph = DreamCascadeOrchestrator(config).graph("Why?")
    assert sum(node.id.startswith("belter_") for node in graph) == 4
    assert graph.node("camina_1").model == "grok-3"
    assert graph.node("belter_1").model == "my-own"


async def test_a_run_executes_that_graph() -> None:
    o = cascade(talking(by_tier))
    drawn = [node.id for node in o.graph("Why?")]
    result = await o.execute_workflow("Why?")
    assert list(result.run.node_runs) == drawn


async def test_the_graph_also_runs_on_its_own() -> None:
    class Asking(Plain):
        async def execute_subtask(self, subtask, context=None):
            await self.provider.acomplete(HI)
            return await super().execute_subtask(subtask, context)

    o = Asking(once(), ScriptedProvider("never asked"), plan=[SubTask("a", "x")])
    provider = ScriptedProvider("yes")
    result = await o.graph("Why?").run(provider=provider)
    assert result.output == {"said": ["X"]}
    assert result.usage.calls == len(provider.requests) == 1


async def test_a_finished_run_has_a_node_run_for_each_subtask() -> None:
    o = Plain(once(), plan=[SubTask("a", "x"), SubTask("b", "y")])
    result = await o.execute_workflow("Why?")
    assert list(result.run.node_runs) == [
        "decompose", "subtasks", "synthesize", "subtasks/a", "subtasks/b",
    ]  # fmt: skip
