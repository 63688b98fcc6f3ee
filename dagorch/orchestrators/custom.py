"""The graph of a user's orchestrator with three methods: plan, subtasks, synthesis."""

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
from dagorch.orchestrators.workflow import AgentInfo, Workflow, with_usage
from dagorch.patterns.subtasks import node_ids, subtask_graph

__all__ = [
    "CustomGraph", "ThreeMethods", "call_method", "check_reported", "perform_subtask",
    "validated_plan",
]  # fmt: skip


class ThreeMethods(Protocol):
    """The methods that a subclass implements."""

    def decompose_task(self, task: str, context: dict[str, Any] | None = None) -> Any:
        """Return a plan: a list of `SubTask`s."""

    def execute_subtask(self, subtask: SubTask, context: dict[str, Any] | None = None) -> Any:
        """Perform one subtask and return its `AgentResult`."""

    def synthesize_results(
        self, agent_results: list[AgentResult], context: dict[str, Any] | None = None
    ) -> Any:
        """Return the answer."""


class CustomGraph:
    """
    Build the graph of a task: `decompose`, an expansion with a node per subtask, `synthesize`.

    Args:
        methods: The user's orchestrator.
        provider: Its `self.provider`; calls through it belong to the running node.
        policy: The policy of each step.
    """

    def __init__(self, methods: ThreeMethods, provider: MeteredProvider, policy: Policy) -> None:
        self._methods = methods
        self._provider = provider
        self._policy = policy
        self._context: Mapping[str, Any] = {}

    def workflow(self, task: str, context: Mapping[str, Any], model: str) -> Workflow:
        """Return the workflow of a task."""
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
            planning_path="decompose",
            synthesis_path="synthesize",
            models=(model,) if model else (),
            metadata=lambda _: {"orchestrator": name},
        )

    async def _decompose(self, task: str, run: Context[Any]) -> list[SubTask]:
        with bound_to_node(self._provider, run):
            returned = await call_method(self._methods.decompose_task, task, dict(self._context))
        try:
            plan = validated_plan(returned)
            subtask_graph(plan, self._function_of).compile()
        except DefinitionError as error:
            invalid = ExpansionError(f"decompose_task returned an invalid plan: {error}")
            invalid.retry_at_once = True  # a model's next plan may be valid; a delay does not help
            raise invalid from error
        if isinstance(run.deps, Workflow):
            ids = node_ids(subtask.id for subtask in plan)
            run.deps.agents = {
                f"subtasks/{ids[subtask.id]}": AgentInfo(
                    subtask.id, subtask.agent_type, subtask.description
                )
                for subtask in plan
            }
        return plan

    async def _expand(self, plan: list[SubTask]) -> Graph:
        return subtask_graph(plan, self._function_of, replace(self._policy, on_error="continue"))

    def _function_of(self, subtask: SubTask) -> Callable[..., Awaitable[AgentResult]]:
        async def execute(run: Context[Any], results: dict[str, AgentResult]) -> AgentResult:
            context = {**self._context, "results": dict(results)}
            return await perform_subtask(self._methods, self._provider, subtask, context, run)

        return execute

    async def _synthesize(self, run: Context[Any], results: Any) -> Any:
        completed = [results] if isinstance(results, AgentResult) else list(results.values())
        by_id = {result.subtask_id: result for result in completed}
        context = {**self._context, "results": by_id}
        with bound_to_node(self._provider, run):
            return await call_method(self._methods.synthesize_results, completed, context)


async def perform_subtask(
    methods: ThreeMethods,
    provider: MeteredProvider,
    subtask: SubTask,
    context: dict[str, Any],
    run: Context[Any],
) -> AgentResult:
    """Call `execute_subtask` for a node run, and check and record what it returns."""
    with bound_to_node(provider, run):
        result = await call_method(methods.execute_subtask, subtask, context)
    if not isinstance(result, AgentResult):
        raise OutputTypeError(
            f"execute_subtask returned a {type(result).__name__} for {subtask.id!r}: "
            f"{result!r:.80}; return AgentResult({subtask.id!r}, content)",
            path=run.path,
        )
    if result.subtask_id != subtask.id:
        raise OutputTypeError(
            f"execute_subtask returned the result of {result.subtask_id!r} for "
            f"{subtask.id!r}; return AgentResult({subtask.id!r}, content)",
            path=run.path,
        )
    result = with_usage(result, run.usage)
    if isinstance(run.deps, Workflow):
        run.deps.recorded[run.path] = result
    check_reported(result)
    return result


async def call_method(method: Callable[..., Any], *arguments: Any) -> Any:
    """Call a user's method, which may be async."""
    outcome = method(*arguments)
    return await outcome if inspect.isawaitable(outcome) else outcome


def validated_plan(plan: Any) -> list[SubTask]:
    """Return a plan as a list; raise `DefinitionError` if it is not one of subtasks."""
    if isinstance(plan, str | bytes | Mapping | BaseModel) or not hasattr(plan, "__iter__"):
        raise DefinitionError(f"it is a {type(plan).__name__}, not a list of SubTask")
    listed = list(plan)
    for item in listed:
        if not isinstance(item, SubTask):
            raise DefinitionError(f"it contains {item!r:.60}, which is not a SubTask")
    return listed


def check_reported(result: AgentResult) -> None:
    """Raise an error if the user's code reported a failure; it is not retried."""
    if result.status not in (TaskStatus.FAILED, TaskStatus.CANCELLED):
        return
    reason = result.metadata.get("error") or result.content or "no reason was reported"
    error = RunError(f"subtask {result.subtask_id!r} reports {result.status}: {reason!s:.200}")
    error.retryable = False
    raise error
