"""The three methods of the built-in patterns, which a user may call or override."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from dagorch.errors import DefinitionError, Problem
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.task import AgentResult, SubTask, as_agent_result
from dagorch.nodes.function import Context
from dagorch.nodes.template import as_text
from dagorch.orchestrators.base import METHODS, BaseOrchestrator
from dagorch.orchestrators.custom import call_method, perform_subtask, validated_plan
from dagorch.orchestrators.metered import bound_to_node
from dagorch.orchestrators.model_lookup import token_limits
from dagorch.orchestrators.workflow import Workflow, with_usage
from dagorch.patterns import cascade_prompts, step_prompts
from dagorch.patterns.overrides import Overrides
from dagorch.patterns.steps import Step, StepLLM
from dagorch.patterns.token_limits import TokenLimits

__all__ = ["BuiltinOrchestrator"]


class BuiltinOrchestrator(BaseOrchestrator):
    """
    The base of the built-in patterns, whose steps are nodes of a graph.

    A subclass may override a method that is not in `missing_steps`; the nodes then call it. So do
    a test that patches a method of the class, and a method that is set on one orchestrator.
    """

    missing_steps: ClassVar[Mapping[str, str]] = {
        "decompose_task": "its steps are options of its constructor or config",
        "synthesize_results": "its result is the output of its last step",
    }
    """The methods that the pattern has no step for, and the reason."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "_workflow" in vars(cls):
            cls._pattern = cls
            cls._pattern_methods = {name: getattr(cls, name) for name in METHODS}

    _pattern: ClassVar[type[BuiltinOrchestrator]]
    _pattern_methods: ClassVar[Mapping[str, Callable[..., Any]]]
    """The pattern's own methods, as defined; a test may patch those of the class."""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        o = super().__new__(cls, *args, **options)
        o._check_overrides()
        return o

    def _check_overrides(self) -> None:
        problems = [
            Problem(
                f"{self._pattern.__name__} has no step {name}: {reason}; remove the method, or "
                "subclass BaseOrchestrator"
            )
            for name, reason in self.missing_steps.items()
            if self._overrides(name)
        ]
        if problems:
            raise DefinitionError(problems, subject=f"orchestrator {type(self).__name__}")

    def _overrides(self, name: str) -> bool:
        """Return whether a subclass, a patch of the class or this object replaces a method."""
        own = self._pattern_methods[name]
        return name in vars(self) or getattr(type(self), name) is not own

    def prepare_workflow(self, task: str, context: Mapping[str, Any] | None = None) -> Workflow:
        """Build the workflow of a task, after a check of methods that were set on this object."""
        self._check_overrides()
        return super().prepare_workflow(task, context)

    # -- the methods of a pattern -------------------------------------------------------------

    async def decompose_task(
        self, task: str, context: dict[str, Any] | None = None
    ) -> list[SubTask]:
        """Return the agents of the pattern as subtasks."""
        agents = self.prepare_workflow(task, context).agents.values()
        return [SubTask(agent.id, agent.description, agent.role) for agent in agents]

    async def execute_subtask(
        self, subtask: SubTask, context: dict[str, Any] | None = None
    ) -> AgentResult:
        """Let the model do a subtask; it reads the caller's context and `context["results"]`."""
        known = context or {}
        return await self._ask(
            subtask.id,
            step_prompts.STEP,
            known,
            known.get("results") or {},
            task=known.get("task", subtask.description),
            step=subtask.description,
        )

    async def synthesize_results(
        self, agent_results: list[AgentResult], context: dict[str, Any] | None = None
    ) -> Any:
        """Let the model write an answer from results; returns its text."""
        known = context or {}
        results = {result.subtask_id: result for result in map(as_agent_result, agent_results)}
        task = known.get("task", "What do the notes say?")
        prompt = cascade_prompts.SYNTHESISE_RESULTS
        return (await self._ask("synthesis", prompt, known, results, task=task)).content

    async def _ask(
        self,
        id: str,
        prompt: str,
        context: Mapping[str, Any],
        results: Mapping[str, Any],
        **inputs: str,
    ) -> AgentResult:
        limits = self._limits(context)
        node = StepLLM("step", read_bytes=limits.read_bytes, **limits.options(prompt))
        values = {k: x.content if isinstance(x, AgentResult) else x for k, x in results.items()}
        response = await self._exchange(node.request({"results": values, **inputs}))
        return with_usage(AgentResult(id, response.content), response.usage)

    def _limits(self, context: Mapping[str, Any]) -> TokenLimits:
        """Return the limits of the primary model for a method's context."""
        own = {name: x for name, x in context.items() if name not in ("task", "results")}
        return token_limits(self._router, self.config.primary_model or "", own)

    async def _exchange(self, request: LLMRequest) -> LLMResponse:
        return await self.provider.exchange(request, lambda _text: None)

    # -- overridden methods as nodes ----------------------------------------------------------

    def _node_overrides(
        self, context: Mapping[str, Any], describe: Callable[[str, Any], tuple[str, dict[str, Any]]]
    ) -> Overrides:
        """
        Return the node functions of the overridden methods.

        Args:
            context: The caller's context, with the task.
            describe: Returns the description and the results of an agent's subtask, from the
                agent's id and its node's inputs.
        """

        async def decompose(task: str, run: Context[Any]) -> list[str]:
            with bound_to_node(self.provider, run):
                plan = await call_method(self.decompose_task, task, dict(context))
            return [subtask.description for subtask in validated_plan(plan)]

        def execute(id: str) -> Callable[..., Any]:
            async def agent(run: Context[Any], inputs: dict[str, Any]) -> str:
                description, results = describe(id, inputs)
                return as_text(await self._perform(run, description, context, results))

            return agent

        async def synthesize(run: Context[Any], results: list[tuple[str, Any]]) -> Any:
            recorded = run.deps.recorded if isinstance(run.deps, Workflow) else {}
            agents = [
                with_usage(recorded.get(id) or AgentResult(id, text), run.usage_of(id))
                for id, text in results
            ]
            by_id = {agent.subtask_id: agent for agent in agents}
            with bound_to_node(self.provider, run):
                own = {**context, "results": by_id}
                return await call_method(self.synthesize_results, agents, own)

        return Overrides(
            decompose if self._overrides("decompose_task") else None,
            execute if self._overrides("execute_subtask") else None,
            synthesize if self._overrides("synthesize_results") else None,
        )

    def _step(self, name: str, context: Mapping[str, Any], instruction: str = "") -> Step:
        """Return a step without a handler: done by an overridden method, or by the model."""
        if not self._overrides("execute_subtask"):
            return Step(name, instruction=instruction)

        async def step(run: Context[Any], results: dict[str, Any] | None = None) -> Any:
            return await self._perform(run, instruction or name, context, results or {})

        return Step(name, step)

    async def _perform(
        self,
        run: Context[Any],
        description: str,
        context: Mapping[str, Any],
        results: Mapping[str, Any],
    ) -> Any:
        """Call the overridden `execute_subtask` for an agent; return the content."""
        agents = run.deps.agents if isinstance(run.deps, Workflow) else {}
        agent = agents.get(run.path)
        id, role = (agent.id, agent.role) if agent is not None else (run.path, "analyst")
        subtask = SubTask(id, description, role)
        own = {**context, "results": dict(results)}
        return (await perform_subtask(self, self.provider, subtask, own, run)).content
