"""The Dream Cascade as an orchestrator: config to the pattern's graph, its agents to the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from dagorch.models.config import DreamCascadeConfig, OrchestratorConfig
from dagorch.models.result import Result
from dagorch.models.task import AgentType
from dagorch.orchestrators.base import BaseOrchestrator
from dagorch.orchestrators.models import model_name, room_of
from dagorch.orchestrators.workflow import Agent, Workflow
from dagorch.patterns.cascade import Cascade, Tier, cascade_graph

__all__ = ["BeltalowdaOrchestrator", "DreamCascadeOrchestrator"]


class DreamCascadeOrchestrator(BaseOrchestrator):
    """
    A question taken apart, searched in parallel, analysed, and put together again.

    A plan of `belter_count` questions; as many belters, each answering one; `drummer_count`
    drummers, each analysing its share of the answers; `camina_count` caminas, each making an
    answer of its share of the analyses; a merge of those if there are several. The counts are
    exact, whatever the replies look like. The result is the answer's text; there is an
    `AgentResult` for each belter, drummer and camina.

    Args:
        config: A `DreamCascadeConfig`; None is the default one.
        provider: Answers every model that is its own service's. None will do for drawing. A
            `Router` may stand here as well.
        providers: Further ones by name (`{"groq": ...}`), for the tiers' models.

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

    config: DreamCascadeConfig

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
        tiers = {
            role: Tier(counts[role], model, room_of(self._router, model))
            for role, model in models.items()
        }
        graph = cascade_graph(Cascade(*tiers.values()), task, self._policy)
        agents = dict(self._agents(counts, models))
        answer = "merge" if config.camina_count > 1 else "camina_1"

        def facts(result: Result) -> dict[str, Any]:
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
            planning="decompose",
            synthesis=answer,
            agents=agents,
            facts=facts,
        )

    def _agents(
        self, counts: Mapping[AgentType, int], models: Mapping[AgentType, str]
    ) -> Iterator[tuple[str, Agent]]:
        for role in (AgentType.BELTER, AgentType.DRUMMER, AgentType.CAMINA):
            model = model_name(self._router, models[role])
            for number in range(1, counts[role] + 1):
                id = f"{role}_{number}"
                yield id, Agent(id, role, id, {"tier": str(role), "model": model})


BeltalowdaOrchestrator = DreamCascadeOrchestrator
"""The older name."""
