"""The Dream Cascade as an orchestrator: config to the pattern's graph, its agents to the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from dagorch.models.config import DreamCascadeConfig, OrchestratorConfig
from dagorch.models.result import Result
from dagorch.models.task import AgentType
from dagorch.orchestrators.base import BaseOrchestrator
from dagorch.orchestrators.routing import Place
from dagorch.orchestrators.workflow import Agent, Workflow
from dagorch.patterns.cascade import AMPLE, TIGHT, Cascade, Room, Tier, cascade_graph

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
        provider: Answers every model that is its own service's. None will do for drawing.
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
    unused_fields: ClassVar[frozenset[str]] = frozenset({"num_agents"})

    config: DreamCascadeConfig

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        config, routing = self.config, self._routing
        primary = routing.place(config.primary_model)
        places = {
            AgentType.PLANNER: primary,
            **{
                role: routing.place(model) if model is not None else primary
                for role, model in (
                    (AgentType.BELTER, config.belter_model),
                    (AgentType.DRUMMER, config.drummer_model),
                    (AgentType.CAMINA, config.camina_model),
                )
            },
        }
        counts = {
            AgentType.PLANNER: 1,
            AgentType.BELTER: config.belter_count,
            AgentType.DRUMMER: config.drummer_count,
            AgentType.CAMINA: config.camina_count,
        }
        tiers = {
            role: Tier(counts[role], place.provider, place.model, self._room(place))
            for role, place in places.items()
        }
        graph = cascade_graph(Cascade(*tiers.values()), task, self._policy)
        agents = dict(self._agents(counts, places))
        answer = "merge" if config.camina_count > 1 else "camina_1"

        def facts(result: Result) -> dict[str, Any]:
            return {
                "orchestrator": type(self).__name__,
                "belter_count": config.belter_count,
                "drummer_count": config.drummer_count,
                "camina_count": config.camina_count,
                "models": {str(role): self._model(place) for role, place in places.items()},
                "questions": result.values.get("questions", []),
                "planned": "decompose" in result and not result.get("decompose").recovered_from,
            }

        return Workflow(
            task,
            graph,
            planning="decompose",
            synthesis=answer,
            agents=agents,
            places=tuple(places.values()),
            facts=facts,
        )

    def _agents(
        self, counts: Mapping[AgentType, int], places: Mapping[AgentType, Place]
    ) -> Iterator[tuple[str, Agent]]:
        for role in (AgentType.BELTER, AgentType.DRUMMER, AgentType.CAMINA):
            model = self._model(places[role])
            for number in range(1, counts[role] + 1):
                id = f"{role}_{number}"
                yield id, Agent(id, role, id, {"tier": str(role), "model": model})

    def _model(self, place: Place) -> str:
        """The name of the model at a place, as far as it is known."""
        given = self._routing.given
        return place.model or (given.default_model if given is not None else "")

    def _room(self, place: Place) -> Room:
        """How much the model at a place can take; only the embedded one is known to be small."""
        given = self._routing.given
        name = place.provider or (given.name if given is not None else "")
        return TIGHT if name == "local" else AMPLE


BeltalowdaOrchestrator = DreamCascadeOrchestrator
"""The older name."""
