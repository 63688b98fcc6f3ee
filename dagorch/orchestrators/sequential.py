"""The orchestrator of a Sequential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dagorch.errors import DefinitionError, Problem
from dagorch.models.config import OrchestratorConfig
from dagorch.orchestrators.builtin import BuiltinOrchestrator
from dagorch.orchestrators.handlers import AnyHandler, handlers_by_step, steps_of
from dagorch.orchestrators.model_lookup import model_settings
from dagorch.orchestrators.workflow import AgentInfo, Workflow
from dagorch.patterns.sequential import sequential_graph

__all__ = ["SequentialOrchestrator"]


class SequentialOrchestrator(BuiltinOrchestrator):
    """
    Run steps in order; each reads the outputs of all earlier ones.

    The result is the output of the last step, and each step has an `AgentResult`. A failed step
    fails the run.

    Args:
        config: Its `steps` are the names of the steps, in order.
        provider: Serves the steps without a handler, and `self.provider`.
        step_handlers: By step, `handler(step, context)`: sync (in a worker thread), async, or a
            lambda that returns a coroutine. With one parameter it gets only the context: the
            caller's, with `task`, and `results`, the outputs of earlier steps by name. A step
            without a handler is done by the model, with the name as its instruction.
        providers: Further providers by name, for models of other services.

    Raises:
        DefinitionError: There are no steps, `num_agents` is set to another number, or a handler
            belongs to no step or has the wrong parameters.

    Example:
        >>> from dagorch.providers import ScriptedProvider
        >>> import anyio
        >>> steps = SequentialOrchestrator(
        ...     OrchestratorConfig(steps=["count", "report"]),
        ...     ScriptedProvider("Three words."),
        ...     step_handlers={"count": lambda context: len(context["task"].split())},
        ... )
        >>> result = anyio.run(steps.execute_workflow, "three short words")
        >>> [agent.content for agent in result.agent_results], result.result
        ([3, 'Three words.'], 'Three words.')
    """

    unused_fields: ClassVar[frozenset[str]] = frozenset({"max_parallel", "parallel_execution"})

    def __init__(
        self,
        config: OrchestratorConfig | None = None,
        provider: Any = None,
        *,
        step_handlers: Mapping[str, AnyHandler] | None = None,
        providers: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(config, provider, providers=providers)
        self._handlers = handlers_by_step(step_handlers, self.config.steps or ())

    def _check_config(self) -> None:
        super()._check_config()
        config = self.config
        problems = []
        if not config.steps:
            problems.append(
                f"steps={config.steps!r}: a sequence needs at least one; "
                'pass steps=["research", "report"]'
            )
        elif "num_agents" in config.model_fields_set and config.num_agents != len(config.steps):
            problems.append(
                f"num_agents={config.num_agents} must equal the number of steps, which is "
                f"{len(config.steps)}; leave it out"
            )
        if problems:
            raise DefinitionError([Problem(text) for text in problems], subject="config")

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        names = list(self.config.steps or ())
        primary = self.config.primary_model or ""
        full_context = {**context, "task": task}
        steps = steps_of(names, self._handlers, full_context, self.provider, self._step)
        settings = model_settings(self._router, primary, context)
        graph = sequential_graph(steps, task, settings, self._policy)
        ids = [node.id for node in graph]
        return Workflow(
            task,
            graph,
            planning_path="",
            synthesis_path=ids[-1],
            agents={
                id: AgentInfo(name, name, name, {"step": name})
                for id, name in zip(ids, names, strict=True)
            },
            models=(primary,) if primary else (),
            metadata=lambda _: {"orchestrator": type(self).__name__, "steps": names},
        )
