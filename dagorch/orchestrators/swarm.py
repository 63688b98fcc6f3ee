"""The Dream Swarm as an orchestrator: config and sources to the pattern's graph, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dagorch.errors import DefinitionError, Problem
from dagorch.models.config import DreamSwarmConfig, OrchestratorConfig
from dagorch.models.finding import Finding
from dagorch.models.result import Result
from dagorch.models.task import AgentResult, AgentType, TaskStatus
from dagorch.orchestrators.base import BaseOrchestrator
from dagorch.orchestrators.searching import Searching, searching
from dagorch.orchestrators.workflow import Agent, Workflow
from dagorch.patterns.subtasks import node_ids
from dagorch.patterns.swarm import Swarm, deal_domains, swarm_graph
from dagorch.patterns.swarm_notes import Notes, Report, Searched, answered
from dagorch.patterns.token_limits import LARGE, SMALL, TokenLimits
from dagorch.ports import Source
from dagorch.sources.registry import SOURCES, get_source

__all__ = ["DreamSwarmOrchestrator", "SwarmOrchestrator"]


class DreamSwarmOrchestrator(BaseOrchestrator):
    """
    A question searched in several places at once, read by agents that cite, and answered.

    Each domain's source is searched once; `num_agents` agents, to whom the domains are dealt
    round robin, each read their share of what was found and write what it says, with numbers
    that stand for it; what several found is put to one; a synthesis makes the answer, which ends
    with the list of what it cites. Citations of anything that was not found are taken out, and
    are in `metadata["dropped_citations"]`. A source that fails makes the result partial.

    Args:
        config: A `DreamSwarmConfig`; None is the default one.
        provider: Answers every model that is its own service's. None will do for drawing. A
            `Router` may stand here as well.
        providers: Further ones by name.
        sources: What stands behind the domains, by name: any object with a method
            `search(query, limit)`, async or not, that gives `Finding`s. A domain that is not
            among them is one that dagorch knows.

    Raises:
        DefinitionError: As every orchestrator; and a domain has no source.

    Example:
        >>> from dagorch.models.finding import Finding
        >>> from dagorch.providers import ScriptedProvider
        >>> import anyio
        >>> class Shelf:
        ...     name = "shelf"
        ...     def search(self, query, limit):
        ...         return [Finding("Waggle dance", text="Bees dance.")][:limit]
        >>> swarm = DreamSwarmOrchestrator(
        ...     DreamSwarmConfig(num_agents=1), ScriptedProvider("They dance [1]."),
        ...     sources={"shelf": Shelf()})
        >>> print(anyio.run(swarm.execute_workflow, "How do bees talk?").result)
        They dance [1].
        <BLANKLINE>
        Sources:
        <BLANKLINE>
        [1] Waggle dance
    """

    config_class: ClassVar[type[OrchestratorConfig]] = DreamSwarmConfig

    config: DreamSwarmConfig

    def __init__(
        self,
        config: OrchestratorConfig | None = None,
        provider: Any = None,
        *,
        providers: Mapping[str, Any] | None = None,
        sources: Mapping[str, Source] | None = None,
    ) -> None:
        super().__init__(config, provider, providers=providers)
        self._given = dict(sources or {})
        self._made: dict[str, Source] = {}
        for name, source in self._given.items():
            if not callable(getattr(source, "search", None)):
                raise DefinitionError(
                    f"source {name!r}: {type(source).__name__} has no method search(query, limit)"
                )
        self._sources()

    def _domains(self) -> list[str]:
        if self._given and "domains" not in self.config.model_fields_set:
            return list(self._given)
        return list(self.config.domains)

    def _sources(self) -> dict[str, Source]:
        """The source of each domain; one that was made is kept, with the pauses it owes."""
        problems = []
        for name in self._domains():
            if name in self._given or name in self._made:
                continue
            try:
                self._made[name] = get_source(name)
            except DefinitionError as error:
                hint = f"; or give sources={{{name!r}: ...}}" if name not in SOURCES else ""
                problems.append(Problem(f"domain {name!r}: {error}{hint}"))
        if problems:
            raise DefinitionError(problems, subject="config")
        return {name: self._given.get(name) or self._made[name] for name in self._domains()}

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        config, model = self.config, self.config.primary_model or ""
        sources = self._sources()
        domains = list(sources)
        swarm = Swarm(
            config.num_agents, domains, config.findings_per_agent, model, self._room(model)
        )
        graph = swarm_graph(swarm, lambda name: searching(name, sources[name]), task, self._policy)
        ids = node_ids(domains)
        agents = {
            f"agent_{n}": Agent(
                f"agent_{n}",
                AgentType.RESEARCHER,
                f"agent_{n} ({', '.join(own)})",
                {"domains": own, "model": self._called(model)},
            )
            for n, own in enumerate(deal_domains(config.num_agents, domains), 1)
        }

        def adjust(path: str, told: AgentResult, result: Result) -> AgentResult:
            report = result.values.get(f"report_{path.removeprefix('agent_')}")
            own = agents[path].facts["domains"]
            return _told(told, report, _failures(result, {name: ids[name] for name in own}))

        def facts(result: Result) -> dict[str, Any]:
            return {
                "orchestrator": type(self).__name__,
                "num_agents": config.num_agents,
                "domains": domains,
                "models": {"researcher": self._called(model)},
                "sources": _searched(result, ids),
                **_cited(result),
            }

        return Searching(
            task,
            graph,
            planning="",
            synthesis="synthesis",
            answer="answer",
            agents=agents,
            facts=facts,
            adjust=adjust,
            sources=sources,
        )

    def _called(self, model: str) -> str:
        """The name of a model at its provider, as far as it is known."""
        found, default = self._router.route(model), self._router.default
        name = model if found is None else found.model
        return name or (default.default_model if default is not None else "")

    def _room(self, model: str) -> TokenLimits:
        """How much a model can take; only the embedded one is known to be small."""
        found = self._router.route(model)
        return SMALL if found is not None and found.provider == "local" else LARGE


SwarmOrchestrator = DreamSwarmOrchestrator
"""The older name."""


def _failures(result: Result, ids: Mapping[str, str]) -> dict[str, str]:
    """Why a domain gave nothing, for those whose search did not complete."""
    runs = {name: result.node_runs.get(f"search_{id}") for name, id in ids.items()}
    return {
        name: run.reason or f"it was {run.end}"
        for name, run in runs.items()
        if run is not None and run.end != "completed"
    }


def _told(told: AgentResult, report: Any, failures: Mapping[str, str]) -> AgentResult:
    """An agent's result with what it cites, and true of the domains that failed."""
    facts: dict[str, Any] = dict(told.metadata)
    changes: dict[str, Any] = {}
    if failures:
        facts["failed_domains"] = dict(failures)
        if told.status in (TaskStatus.COMPLETED, TaskStatus.SKIPPED):
            changes["status"] = TaskStatus.PARTIAL
        elif told.status is TaskStatus.BLOCKED:
            facts["error"] = "; ".join(f"{name}: {why}" for name, why in failures.items())
    if isinstance(report, Report):
        changes["content"] = report.text
        facts |= {
            "findings": len(report.findings),
            "citations": _listed(report.numbers, report.cited),
            "dropped_citations": list(report.dropped),
        }
        if not report.findings:
            facts["error"] = "nothing was found"
    return told.model_copy(update={**changes, "metadata": facts})


def _searched(result: Result, ids: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """How each domain's search went."""
    failures = _failures(result, ids)
    told: dict[str, dict[str, Any]] = {}
    for name, id in ids.items():
        searched = result.values.get(f"search_{id}")
        if isinstance(searched, Searched):
            told[name] = {"found": len(searched.findings), "skipped": searched.skipped}
            if searched.problems:
                told[name]["problems"] = list(searched.problems)
        elif name in failures:
            told[name] = {"found": 0, "error": failures[name]}
    return told


def _cited(result: Result) -> dict[str, Any]:
    """What the answer cites, and every citation that was taken out on the way to it."""
    dropped = {
        path.replace("report_", "agent_"): list(report.dropped)
        for path, report in result.values.items()
        if isinstance(report, Report) and report.dropped
    }
    notes, synthesis = result.values.get("notes"), result.values.get("synthesis")
    if not isinstance(notes, Notes) or synthesis is None:
        return {"citations": [], "dropped_citations": dropped}
    answer = answered(notes, synthesis)
    if answer.dropped:
        dropped["synthesis"] = list(answer.dropped)
    listed = _listed(answer.numbers, answer.findings)
    return {
        "citations": listed if answer.cites else [],
        "read": [] if answer.cites else listed,
        "dropped_citations": dropped,
        "duplicates": notes.duplicates,
    }


def _listed(numbers: Sequence[int], findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {"number": number, **finding.model_dump(mode="json", exclude={"text"})}
        for number, finding in zip(numbers, findings, strict=True)
    ]
