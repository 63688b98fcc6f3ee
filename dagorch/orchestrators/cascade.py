"""The orchestrator of a Dream Cascade."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from dagorch.errors import InvalidOutputError
from dagorch.models.config import DreamCascadeConfig, OrchestratorConfig
from dagorch.models.result import Result
from dagorch.models.task import AgentType, SubTask
from dagorch.orchestrators.builtin import BuiltinOrchestrator
from dagorch.orchestrators.model_lookup import model_name, token_limits
from dagorch.orchestrators.workflow import AgentInfo, Workflow
from dagorch.patterns.cascade import Cascade, Tier, cascade_graph, planner_node
from dagorch.patterns.planner import questions_of_plan

__all__ = ["BeltalowdaOrchestrator", "DreamCascadeOrchestrator"]


class DreamCascadeOrchestrator(BuiltinOrchestrator):
    """
    Split a question, search in parallel, analyse, and synthesise an answer.

    The plan has `belter_count` questions, and each belter answers one. Each of `drummer_count`
    drummers analyses its share of these answers. Each of `camina_count` caminas writes an answer
    from all analyses; several answers are merged. The counts are exact for any reply. The result
    is the text of the answer, and each belter, drummer and camina has an `AgentResult`.

    Args:
        config: A `DreamCascadeConfig`; None is the default.
        provider: Serves the models of its service. None is enough to draw the graph. May be a
            `Router`.
        providers: Further providers by name (`{"groq": ...}`), for the models of the tiers.

    Example:
        >>> from dagorch.providers import ScriptedProvider
        >>> import anyio
        >>> config = DreamCascadeConfig(belter_count=2, drummer_count=1)
        >>> cascade = DreamCascadeOrchestrator(config, ScriptedProvider("Because it is."))
        >>> result = anyio.run(cascade.execute_workflow, "Why is the sky blue?")
        >>> [agent.subtask_id for agent in result.agent_results], result.result
        (['belter_1', 'belter_2', 'drummer_1', 'camina_1'], 'Because it is.')
    """

    config_class: ClassVar[type[OrchestratorConfig]] = DreamCascadeConfig
    unused_fields: ClassVar[frozenset[str]] = frozenset({"num_agents", "steps"})

    missing_steps: ClassVar[Mapping[str, str]] = {}

    config: DreamCascadeConfig

    async def decompose_task(
        self, task: str, context: dict[str, Any] | None = None
    ) -> list[SubTask]:
        """Ask the model for `belter_count` questions; missing ones are derived from the task."""
        count = self.config.belter_count
        planner = planner_node(Tier(1, "", self._limits(context or {})), count)
        response = await self._exchange(planner.request({"task": task, "count": count}))
        try:
            plan = planner.parse(response)
        except InvalidOutputError:
            plan = []
        return [
            SubTask(f"belter_{n}", question, AgentType.BELTER)
            for n, question in enumerate(questions_of_plan(plan, task, count), 1)
        ]

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        config = self.config
        primary = config.primary_model or ""
        models = {
            AgentType.PLANNER: primary,
            AgentType.BELTER: config.belter_model or primary,
            AgentType.DRUMMER: config.drummer_model or primary,
            AgentType.CAMINA: config.camina_model or primary,
        }
        counts = {
            AgentType.PLANNER: 1,
            AgentType.BELTER: config.belter_count,
            AgentType.DRUMMER: config.drummer_count,
            AgentType.CAMINA: config.camina_count,
        }
        limits = {
            model: token_limits(self._router, model, context)
            for model in dict.fromkeys(models.values())
        }
        tiers = {role: Tier(counts[role], model, limits[model]) for role, model in models.items()}
        overrides = self._node_overrides({**context, "task": task}, _described)
        graph = cascade_graph(Cascade(*tiers.values()), task, self._policy, overrides)
        agents = dict(self._agents(counts, models))
        answer = "merge" if config.camina_count > 1 else "camina_1"
        if overrides.synthesize is not None:
            answer = "synthesize"

        def metadata(result: Result) -> dict[str, Any]:
            return {
                "orchestrator": type(self).__name__,
                "belter_count": config.belter_count,
                "drummer_count": config.drummer_count,
                "camina_count": config.camina_count,
                "models": {
                    str(role): model_name(self._router, model) for role, model in models.items()
                },
                "questions": result.values.get("questions", []),
                "planned": "decompose" in result and not result.get("decompose").recovered_from,
            }

        return Workflow(
            task,
            graph,
            planning_path="decompose",
            synthesis_path=answer,
            agents=agents,
            metadata=metadata,
        )

    def _agents(
        self, counts: Mapping[AgentType, int], models: Mapping[AgentType, str]
    ) -> Iterator[tuple[str, AgentInfo]]:
        for role in (AgentType.BELTER, AgentType.DRUMMER, AgentType.CAMINA):
            model = model_name(self._router, models[role])
            for number in range(1, counts[role] + 1):
                id = f"{role}_{number}"
                yield id, AgentInfo(id, role, id, {"tier": str(role), "model": model})


def _described(id: str, inputs: Any) -> tuple[str, dict[str, Any]]:
    role, _, number = id.partition("_")
    if role == AgentType.BELTER:
        return inputs["questions"][int(number) - 1], {}
    verb = "Analyse the findings" if role == AgentType.DRUMMER else "Write an answer"
    return verb, inputs


BeltalowdaOrchestrator = DreamCascadeOrchestrator
"""The old name."""
