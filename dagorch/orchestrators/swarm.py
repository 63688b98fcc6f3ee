"""The orchestrator of a Dream Swarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dagorch.errors import DefinitionError, Problem
from dagorch.models.config import DreamSwarmConfig, OrchestratorConfig
from dagorch.models.finding import Finding
from dagorch.models.result import Result
from dagorch.models.task import AgentResult, AgentType, TaskStatus
from dagorch.orchestrators.builtin import BuiltinOrchestrator
from dagorch.orchestrators.model_lookup import model_name, token_limits
from dagorch.orchestrators.search import SearchWorkflow, search_function
from dagorch.orchestrators.workflow import AgentInfo, Workflow
from dagorch.patterns.subtasks import node_ids
from dagorch.patterns.swarm import Swarm, assign_domains, swarm_graph
from dagorch.patterns.swarm_records import Notes, Report, SearchResult, make_answer
from dagorch.ports import Source
from dagorch.sources.registry import SOURCES, get_source

__all__ = ["DreamSwarmOrchestrator", "SwarmOrchestrator"]


class DreamSwarmOrchestrator(BuiltinOrchestrator):
    """
    Search several domains, let agents read and cite the findings, and synthesise an answer.

    Each domain is searched once. Domains are assigned to `num_agents` agents round robin. Each
    agent reads its share of the findings and reports on them with numbered citations. Duplicate
    findings are merged. The answer ends with the list of its sources. Citations that match no
    finding are removed and listed in `metadata["dropped_citations"]`. If a source fails, the
    result is partial.

    Args:
        config: A `DreamSwarmConfig`; None is the default.
        provider: Serves the models of its service. None is enough to draw the graph. May be a
            `Router`.
        providers: Further providers by name.
        sources: The sources of domains, by name: any object with a sync or async method
            `search(query, limit)` that returns `Finding`s. Other domains use dagorch's sources.

    Raises:
        DefinitionError: As for every orchestrator; also if a domain has no source.

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

    missing_steps: ClassVar[Mapping[str, str]] = {
        "decompose_task": "its agents share the domains of the config"
    }
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
        self._custom_sources = dict(sources or {})
        self._builtin_sources: dict[str, Source] = {}
        for name, source in self._custom_sources.items():
            if not callable(getattr(source, "search", None)):
                raise DefinitionError(
                    f"source {name!r}: {type(source).__name__} has no method search(query, limit)"
                )
        self._sources()

    def _domains(self) -> list[str]:
        if self._custom_sources and "domains" not in self.config.model_fields_set:
            return list(self._custom_sources)
        return list(self.config.domains)

    def _sources(self) -> dict[str, Source]:
        """Return the source of each domain; created ones are kept, as they track their pauses."""
        problems = []
        for name in self._domains():
            if name in self._custom_sources or name in self._builtin_sources:
                continue
            try:
                self._builtin_sources[name] = get_source(name)
            except DefinitionError as error:
                hint = f"; or pass sources={{{name!r}: ...}}" if name not in SOURCES else ""
                problems.append(Problem(f"domain {name!r}: {error}{hint}"))
        if problems:
            raise DefinitionError(problems, subject="config")
        return {
            name: self._custom_sources.get(name) or self._builtin_sources[name]
            for name in self._domains()
        }

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        config, model = self.config, self.config.primary_model or ""
        sources = self._sources()
        domains = list(sources)
        limits = token_limits(self._router, model, context)
        swarm = Swarm(config.num_agents, domains, config.findings_per_agent, model, limits)
        overrides = self._node_overrides(
            {**context, "task": task},
            lambda _id, inputs: (
                f"Answer from the findings: {task}",
                {"found": inputs["found"].render(limits.read_bytes)},
            ),
        )
        graph = swarm_graph(
            swarm, lambda name: search_function(name, sources[name]), task, self._policy, overrides
        )
        synthesizes = overrides.synthesize is not None
        ids = node_ids(domains)
        shown_model = model_name(self._router, model)
        agents = {
            f"agent_{n}": AgentInfo(
                f"agent_{n}",
                AgentType.RESEARCHER,
                f"agent_{n} ({', '.join(own)})",
                {"domains": own, "model": shown_model},
            )
            for n, own in enumerate(assign_domains(config.num_agents, domains), 1)
        }

        def adjust(path: str, agent: AgentResult, result: Result) -> AgentResult:
            report = result.values.get(f"report_{path.removeprefix('agent_')}")
            own = agents[path].metadata["domains"]
            failures = _failures(result, {name: ids[name] for name in own})
            return _with_citations(agent, report, failures)

        def metadata(result: Result) -> dict[str, Any]:
            return {
                "orchestrator": type(self).__name__,
                "num_agents": config.num_agents,
                "domains": domains,
                "models": {"researcher": shown_model},
                "sources": _source_summary(result, ids),
                **_citation_summary(result),
            }

        return SearchWorkflow(
            task,
            graph,
            planning_path="",
            synthesis_path="synthesize" if synthesizes else "synthesis",
            answer_path="synthesize" if synthesizes else "answer",
            agents=agents,
            metadata=metadata,
            adjust=adjust,
            sources=sources,
        )


SwarmOrchestrator = DreamSwarmOrchestrator
"""The old name."""


def _failures(result: Result, ids: Mapping[str, str]) -> dict[str, str]:
    """Return the reason for each domain whose search did not complete."""
    runs = {name: result.node_runs.get(f"search_{id}") for name, id in ids.items()}
    return {
        name: run.reason or f"it was {run.end}"
        for name, run in runs.items()
        if run is not None and run.end != "completed"
    }


def _with_citations(agent: AgentResult, report: Any, failures: Mapping[str, str]) -> AgentResult:
    """Add the citations of an agent's report and the failures of its domains to its result."""
    metadata: dict[str, Any] = dict(agent.metadata)
    changes: dict[str, Any] = {}
    if failures:
        metadata["failed_domains"] = dict(failures)
        if agent.status in (TaskStatus.COMPLETED, TaskStatus.SKIPPED):
            changes["status"] = TaskStatus.PARTIAL
        elif agent.status is TaskStatus.BLOCKED:
            reasons = (f"{name}: {reason}" for name, reason in failures.items())
            metadata["error"] = "; ".join(reasons)
    if isinstance(report, Report):
        changes["content"] = report.text
        metadata |= {
            "findings": len(report.findings),
            "citations": _citations(report.numbers, report.cited),
            "dropped_citations": list(report.dropped),
        }
        if not report.findings:
            metadata["error"] = "nothing was found"
    return agent.model_copy(update={**changes, "metadata": metadata})


def _source_summary(result: Result, ids: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the number of findings or the error of each domain."""
    failures = _failures(result, ids)
    summary: dict[str, dict[str, Any]] = {}
    for name, id in ids.items():
        found = result.values.get(f"search_{id}")
        if isinstance(found, SearchResult):
            summary[name] = {"found": len(found.findings), "skipped": found.skipped}
            if found.problems:
                summary[name]["problems"] = list(found.problems)
        elif name in failures:
            summary[name] = {"found": 0, "error": failures[name]}
    return summary


def _citation_summary(result: Result) -> dict[str, Any]:
    """Return the citations of the answer, and the citations that were removed."""
    dropped = {
        path.replace("report_", "agent_"): list(report.dropped)
        for path, report in result.values.items()
        if isinstance(report, Report) and report.dropped
    }
    notes, synthesis = result.values.get("notes"), result.values.get("synthesis")
    if not isinstance(notes, Notes) or synthesis is None:
        return {"citations": [], "dropped_citations": dropped}
    answer = make_answer(notes, synthesis)
    if answer.dropped:
        dropped["synthesis"] = list(answer.dropped)
    citations = _citations(answer.numbers, answer.findings)
    return {
        "citations": citations if answer.cites else [],
        "read": [] if answer.cites else citations,
        "dropped_citations": dropped,
        "duplicates": notes.duplicates,
    }


def _citations(numbers: Sequence[int], findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {"number": number, **finding.model_dump(mode="json", exclude={"text"})}
        for number, finding in zip(numbers, findings, strict=True)
    ]
