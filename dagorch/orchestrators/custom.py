"""The graph of a subclass with three methods: plan, subtasks, synthesis. Nothing runs it here."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from pydantic import BaseModel

from dagorch.errors import DefinitionError, ExpansionError, OutputTypeError, RunError
from dagorch.graph.graph import Graph
from dagorch.models.policy import Policy
from dagorch.models.task import AgentResult, SubTask, TaskStatus
from dagorch.nodes.function import Context
from dagorch.orchestrators.metered import MeteredProvider, bound_to_node
from dagorch.orchestrators.workflow import Agent, Workflow
from dagorch.patterns.subtasks import node_ids, subtask_graph

__all__ = ["CustomGraph", "ThreeMethods"]


class ThreeMethods(Protocol):
    """What a subclass writes."""

    def decompose_task(self, task: str, context: dict[str, Any] | None = None) -> Any:
        """Make a plan: a list of `SubTask`s."""

    def execute_subtask(self, subtask: SubTask, context: dict[str, Any] | None = None) -> Any:
        """Do one of them: an `AgentResult`."""

    def synthesize_results(
        self, agent_results: list[AgentResult], context: dict[str, Any] | None = None
    ) -> Any:
        """Make the answer."""


class CustomGraph:
    """
    Builds the graph of a task: `decompose`, an expansion of a node a subtask, `synthesize`.

    Args:
        methods: The subclass's object.
        provider: Its `self.provider`; calls through it become those of the node at work.
        policy: How each step is tried.
    """

    def __init__(self, methods: ThreeMethods, provider: MeteredProvider, policy: Policy) -> None:
        self._methods = methods
        self._provider = provider
        self._policy = policy
        self._context: Mapping[str, Any] = {}

    def workflow(self, task: str, context: Mapping[str, Any], model: str) -> Workflow:
        """Give the graph of a task, and who is to be watched in it."""
        self._context = context
        policy = self._policy
        name = type(self._methods).__name__
        graph = Graph(name)
        plan = graph.function(self._decompose, id="decompose", policy=policy, task=task)
        results = graph.function(self._expand, id="subtasks", expand=True, plan=plan)
        graph.function(self._synthesize, id="synthesize", policy=policy, results=results)
        return Workflow(
            task,
            graph,
            planning="decompose",
            synthesis="synthesize",
            models=(model,) if model else (),
            facts=lambda _: {"orchestrator": name},
        )

    async def _decompose(self, task: str, run: Context[Any]) -> list[SubTask]:
        with bound_to_node(self._provider, run):
            given = await _awaited(self._methods.decompose_task(task, dict(self._context)))
        try:
            plan = _subtasks(given)
            subtask_graph(plan, self._work).compile()
        except DefinitionError as error:
            refused = ExpansionError(f"decompose_task gave no plan that can be run: {error}")
            refused.retry_at_once = True  # a model's next plan may be better; waiting is no help
            raise refused from error
        if isinstance(run.deps, Workflow):
            ids = node_ids(subtask.id for subtask in plan)
            run.deps.agents = {
                f"subtasks/{ids[subtask.id]}": Agent(
                    subtask.id, subtask.agent_type, subtask.description
                )
                for subtask in plan
            }
        return plan

    async def _expand(self, plan: list[SubTask]) -> Graph:
        return subtask_graph(plan, self._work, replace(self._policy, on_error="continue"))

    def _work(self, subtask: SubTask) -> Callable[..., Awaitable[AgentResult]]:
        async def execute(run: Context[Any], **results: AgentResult) -> AgentResult:
            known = {result.subtask_id: result for result in results.values()}
            with bound_to_node(self._provider, run):
                done = await _awaited(
                    self._methods.execute_subtask(subtask, {**self._context, "results": known})
                )
            if not isinstance(done, AgentResult):
                raise OutputTypeError(
                    f"execute_subtask gave a {type(done).__name__} for {subtask.id!r}: "
                    f"{done!r:.80}; give AgentResult({subtask.id!r}, content)",
                    path=run.path,
                )
            if done.subtask_id != subtask.id:
                done = done.model_copy(update={"subtask_id": subtask.id})
            if isinstance(run.deps, Workflow):
                run.deps.given[run.path] = done
            if done.status in (TaskStatus.FAILED, TaskStatus.CANCELLED):
                raise _reported(done)
            return done

        return execute

    async def _synthesize(self, run: Context[Any], results: Any) -> Any:
        alive = [results] if isinstance(results, AgentResult) else list(results.values())
        known = {result.subtask_id: result for result in alive}
        with bound_to_node(self._provider, run):
            return await _awaited(
                self._methods.synthesize_results(alive, {**self._context, "results": known})
            )


async def _awaited(outcome: Any) -> Any:
    return await outcome if inspect.isawaitable(outcome) else outcome


def _subtasks(plan: Any) -> list[SubTask]:
    if isinstance(plan, str | bytes | Mapping | BaseModel) or not hasattr(plan, "__iter__"):
        raise DefinitionError(f"it is a {type(plan).__name__}, not a list of SubTask")
    listed = list(plan)
    for item in listed:
        if not isinstance(item, SubTask):
            raise DefinitionError(f"it holds {item!r:.60}, which is no SubTask")
    return listed


def _reported(done: AgentResult) -> RunError:
    """The failure that a result tells of itself: it was decided, so it is not tried again."""
    why = done.metadata.get("error") or done.content or "no reason given"
    error = RunError(f"subtask {done.subtask_id!r} reports {done.status}: {why!s:.200}")
    error.retryable = False
    return error
