"""One workflow: who works in it, what they gave, what it came to. Running it is the engine's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagorch.graph.graph import Graph
from dagorch.ids import NodePath
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.result import NodeRun, Result
from dagorch.models.task import AgentResult, AgentType, TaskStatus
from dagorch.models.usage import NOTHING_USED, Usage

__all__ = ["Agent", "Workflow", "without_costs"]


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody whose part is told in the result."""

    id: str
    """The subtask's."""
    role: AgentType | str
    name: str
    """What it does, for people."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For the metadata of its result."""


@dataclass(slots=True)
class Workflow:
    """
    A task with the graph that does it. Two workflows share nothing.

    A run of the graph gets it as `deps`, so that its nodes can leave here what is known before
    the run ends.
    """

    task: str
    graph: Graph
    planning: str | None
    """
    Path of the node after which every agent is known; empty where all are before the run.

    None: each when its turn has come, and those whose turn never comes take no part.
    """
    synthesis: str
    """Path of the node that gives the answer; empty where that is the graph's own value."""
    answer: str = ""
    """Path of the node whose value is the result, where that is another one."""
    agents: dict[str, Agent] = field(default_factory=dict)
    """By the path of their node."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """What the run is given beside the defaults of the graph's inputs."""
    models: tuple[str, ...] = ()
    """What its functions call, as far as that is known before."""
    facts: Callable[[Result], Mapping[str, Any]] = lambda _: {}
    """What the pattern tells in the result's metadata."""
    adjust: Callable[[str, AgentResult, Result], AgentResult] = lambda _path, told, _result: told
    """What the pattern makes of an agent's result, by the path of its node."""
    steps: Mapping[str, str] = field(default_factory=dict)
    """In a loop: the id of each step's node in a pass, by the step's name."""
    given: dict[str, AgentResult] = field(default_factory=dict)
    """What agents gave, by path, where the run does not keep it."""

    def leave(self, path: str, given: Mapping[str, Any]) -> None:
        """Keep what steps of a pass gave; see `dagorch.patterns.loop_state.Keeper`."""
        frame = NodePath(path).frame
        for name in given.keys() & self.steps.keys():
            own = f"{frame}/{self.steps[name]}"
            if own in self.agents:
                id = self.agents[own].id
                self.given[own] = AgentResult(subtask_id=id, content=given[name])

    def outcome(self, result: Result, failure: BaseException | None = None) -> OrchestratorResult:
        """Say what a run came to; with a failure, what it had come to."""
        agents = []
        cost = float(result.cost_usd)
        for path, agent in self.agents.items():
            run = result.node_runs.get(path)
            if run is None or (run.end == "skipped" and self.planning is None):
                continue  # a pass or a branch that was not taken
            if run.end == "cancelled" and run.started_seconds is None:
                continue
            told = self.adjust(path, self._agent_result(path, agent, run, result), result)
            if not run.usage.calls:
                cost += told.cost  # what it paid for elsewhere
            agents.append(told)
        whole = (TaskStatus.COMPLETED, TaskStatus.SKIPPED)
        failed = [
            told.subtask_id for told in agents if told.status not in (*whole, TaskStatus.PARTIAL)
        ]
        is_partial = any(told.status not in whole for told in agents)
        return OrchestratorResult(
            task_id=result.run_id,
            status=_status(result, failure, is_partial),
            result=None if failure is not None else self._answer(result),
            agent_results=agents,
            total_cost=cost,
            execution_time=result.duration_seconds,
            metadata={
                "task": self.task,
                "run_id": result.run_id,
                "failed": failed,
                "tokens_used": result.usage.total_tokens,
                "cost_estimated": result.usage.estimated,
                "usage_by_model": {
                    name: _plain(usage) for name, usage in result.usage_by_model.items()
                },
                "usage_by_tier": {
                    role: _plain(usage) for role, usage in self._by_tier(result).items()
                },
                "dropped_events": result.dropped_events,
                **self.facts(result),
            },
            run=result,
        )

    def _answer(self, result: Result) -> Any:
        path = self.answer or self.synthesis
        return result.values.get(path) if path else result.output

    def _by_tier(self, result: Result) -> dict[str, Usage]:
        """What went to the agents of each role, and to the rest: planning and synthesis."""
        sums: dict[str, Usage] = {}
        for path, run in result.node_runs.items():
            if not run.bills:
                continue
            agents = [self.agents.get(run) for run in NodePath(path).with_containers()]
            outermost = next(filter(None, reversed(agents)), None)
            role = str(outermost.role) if outermost is not None else "orchestrator"
            sums[role] = sums.get(role, NOTHING_USED) + run.usage
        return sums

    def _agent_result(self, path: str, agent: Agent, run: NodeRun, result: Result) -> AgentResult:
        told = self.given.get(path)
        if told is None:
            content = result[path] if path in result else ""  # noqa: SIM401 - it is no dict
            told = AgentResult(subtask_id=agent.id, content=content)
        facts = {**agent.facts, "seconds": round(run.duration_seconds, 6), "attempts": run.attempts}
        why = run.reason or (f"{type(run.error).__name__}: {run.error}" if run.error else "")
        if why:
            facts["error"] = why
        metered = run.usage.calls > 0
        return told.model_copy(
            update={
                "status": told.status if run.end == "completed" else TaskStatus(run.end),
                "agent_type": told.agent_type or agent.role,
                "tokens_used": run.usage.total_tokens if metered else told.tokens_used,
                "cost": float(run.usage.cost_usd) if metered else told.cost,
                "metadata": {**facts, **told.metadata},
            }
        )


def without_costs(told: OrchestratorResult) -> OrchestratorResult:
    """Leave the dollars out of an outcome, for `enable_cost_tracking=False`; its run has them."""
    metadata = {name: value for name, value in told.metadata.items() if name != "cost_estimated"}
    for name in ("usage_by_model", "usage_by_tier"):
        metadata[name] = {
            whose: {what: count for what, count in usage.items() if what != "cost"}
            for whose, usage in metadata[name].items()
        }
    agents = [agent.model_copy(update={"cost": 0.0}) for agent in told.agent_results]
    return told.model_copy(
        update={"agent_results": agents, "total_cost": 0.0, "metadata": metadata}
    )


def _plain(usage: Usage) -> dict[str, Any]:
    return {
        "calls": usage.calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        **usage.parts,
        "cost": float(usage.cost_usd),
    }


def _status(result: Result, failure: BaseException | None, is_partial: bool) -> TaskStatus:
    if failure is not None:
        return TaskStatus.CANCELLED if result.status == "cancelled" else TaskStatus.FAILED
    return TaskStatus.PARTIAL if is_partial or result.status == "partial" else TaskStatus.COMPLETED
