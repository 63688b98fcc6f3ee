"""One workflow: its graph, its agents, and its outcome. The engine runs it."""

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

__all__ = ["AgentInfo", "Workflow", "with_usage", "without_costs"]


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """A node run that has an `AgentResult` of its own."""

    id: str
    """The subtask's id."""
    role: AgentType | str
    description: str
    """For people."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Added to the metadata of its result."""


@dataclass(slots=True)
class Workflow:
    """
    A task and its graph. Two workflows share nothing.

    It is the `deps` of the run, so that nodes can record here what is known before the run ends.
    """

    task: str
    graph: Graph
    planning_path: str | None
    """
    The path of the node after which all agents are known; empty if they are known before the run.

    None: an agent is known when its node run is ready, and skipped ones are left out.
    """
    synthesis_path: str
    """The path of the synthesis; empty if the answer is the value of the graph."""
    answer_path: str = ""
    """The path of the node whose value is the result, if it is not the synthesis."""
    agents: dict[str, AgentInfo] = field(default_factory=dict)
    """By the path of their node run."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The inputs of the run."""
    models: tuple[str, ...] = ()
    """The models that functions call, as far as they are known before the run."""
    metadata: Callable[[Result], Mapping[str, Any]] = lambda _: {}
    """Returns the pattern's metadata of the result."""
    adjust: Callable[[str, AgentResult, Result], AgentResult] = lambda _path, agent, _result: agent
    """Returns the pattern's version of an agent's result, by the path of its node run."""
    step_node_ids: Mapping[str, str] = field(default_factory=dict)
    """In a loop: the node id of each step, by the step's name."""
    recorded: dict[str, AgentResult] = field(default_factory=dict)
    """Agent results by path, for values that the run does not keep."""

    def record_outputs(self, path: str, outputs: Mapping[str, Any]) -> None:
        """Record outputs of a pass; see `dagorch.patterns.loop_state.OutputRecorder`."""
        frame = NodePath(path).frame
        for name in outputs.keys() & self.step_node_ids.keys():
            step_path = f"{frame}/{self.step_node_ids[name]}"
            if step_path in self.agents:
                id = self.agents[step_path].id
                self.recorded[step_path] = _result_of(id, outputs[name])

    def outcome(self, result: Result, failure: BaseException | None = None) -> OrchestratorResult:
        """Return the outcome of a run, or of the part that finished before a failure."""
        agents = []
        cost = float(result.cost_usd)
        for path, info in self.agents.items():
            run = result.node_runs.get(path)
            if run is None or (run.end == "skipped" and self.planning_path is None):
                continue  # a pass or a branch that was not taken
            if run.end == "cancelled" and run.started_seconds is None:
                continue
            agent = self.adjust(path, self._agent_result(path, info, run, result), result)
            if not run.usage.calls:
                cost += agent.cost  # reported by the agent, for calls outside of the run
            agents.append(agent)
        complete = (TaskStatus.COMPLETED, TaskStatus.SKIPPED)
        failed = [
            agent.subtask_id
            for agent in agents
            if agent.status not in (*complete, TaskStatus.PARTIAL)
        ]
        is_partial = any(agent.status not in complete for agent in agents)
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
                **_budget_metadata(result),
                **_item_metadata(result),
                **self.metadata(result),
            },
            run=result,
        )

    def _answer(self, result: Result) -> Any:
        path = self.answer_path or self.synthesis_path
        return result.values.get(path) if path else result.output

    def _by_tier(self, result: Result) -> dict[str, Usage]:
        """Sum the usage by role; planning and synthesis count as the orchestrator's."""
        sums: dict[str, Usage] = {}
        for path, run in result.node_runs.items():
            if not run.bills:
                continue
            agents = [self.agents.get(run) for run in NodePath(path).with_containers()]
            outermost = next(filter(None, reversed(agents)), None)
            role = str(outermost.role) if outermost is not None else "orchestrator"
            sums[role] = sums.get(role, NOTHING_USED) + run.usage
        return sums

    def _agent_result(
        self, path: str, info: AgentInfo, run: NodeRun, result: Result
    ) -> AgentResult:
        agent = self.recorded.get(path)
        if agent is None:
            content = result[path] if path in result else ""  # noqa: SIM401 - not a dict
            agent = _result_of(info.id, content)
        metadata = {
            **info.metadata,
            "seconds": round(run.duration_seconds, 6),
            "attempts": run.attempts,
        }
        reason = run.reason or (f"{type(run.error).__name__}: {run.error}" if run.error else "")
        if reason:
            metadata["error"] = reason
        return with_usage(agent, run.usage).model_copy(
            update={
                "status": agent.status if run.end == "completed" else TaskStatus(run.end),
                "agent_type": agent.agent_type or info.role,
                "metadata": {**metadata, **agent.metadata},
            }
        )


def _result_of(id: str, output: Any) -> AgentResult:
    """Return the result of a step: the output itself if a handler returns an `AgentResult`."""
    if isinstance(output, AgentResult):
        return output.model_copy(update={"subtask_id": id})
    return AgentResult(subtask_id=id, content=output)


def with_usage(agent: AgentResult, usage: Usage) -> AgentResult:
    """Return a result with the tokens and the cost of its calls, if they were metered."""
    if not usage.calls:
        return agent
    amounts = {"tokens_used": usage.total_tokens, "cost": float(usage.cost_usd)}
    return agent.model_copy(update=amounts)


def without_costs(outcome: OrchestratorResult) -> OrchestratorResult:
    """Remove the dollars from an outcome, for `enable_cost_tracking=False`; its run keeps them."""
    metadata = {name: value for name, value in outcome.metadata.items() if name != "cost_estimated"}
    for name in ("usage_by_model", "usage_by_tier"):
        metadata[name] = {
            key: {count: value for count, value in usage.items() if count != "cost"}
            for key, usage in metadata[name].items()
        }
    agents = [agent.model_copy(update={"cost": 0.0}) for agent in outcome.agent_results]
    return outcome.model_copy(
        update={"agent_results": agents, "total_cost": 0.0, "metadata": metadata}
    )


def _budget_metadata(result: Result) -> dict[str, Any]:
    """Return the budget error and the node runs over budget; empty if there are none."""
    if result.budget_error is None:
        return {}
    return {"budget_error": str(result.budget_error), "over_budget": list(result.over_budget)}


def _item_metadata(result: Result) -> dict[str, Any]:
    """Return the failed items that their maps continued without; empty if there are none."""
    if not result.item_errors:
        return {}
    return {"failed_items": {path: str(error) for path, error in result.item_errors.items()}}


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
