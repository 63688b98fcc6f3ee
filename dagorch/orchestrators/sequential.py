"""The Sequential as an orchestrator: steps and handlers to the pattern's graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dagorch.errors import DefinitionError, Problem, did_you_mean
from dagorch.models.config import OrchestratorConfig
from dagorch.orchestrators.base import BaseOrchestrator
from dagorch.orchestrators.handlers import AnyHandler, Handler, step_function
from dagorch.orchestrators.models import asked
from dagorch.orchestrators.workflow import Agent, Workflow
from dagorch.patterns.sequential import sequential_graph
from dagorch.patterns.steps import Step

__all__ = ["SequentialOrchestrator", "handlers_of"]


class SequentialOrchestrator(BaseOrchestrator):
    """
    Steps one after the other, each of which sees what all before it gave.

    The result is what the last step gives; there is an `AgentResult` for each. A step that fails
    fails the run.

    Args:
        config: Its `steps` are the steps' names, in order.
        provider: Answers steps without a handler, and `self.provider`'s calls.
        step_handlers: By step, `handler(step, context)`: sync (in a worker thread), async, or a
            lambda that returns a coroutine; with one parameter it gets the context. That is a
            dict of the caller's context with `task`, and with `results`: what each earlier step
            gave, by name. A step without a handler is asked of the model, by its name.
        providers: Further ones by name, for models that are not the provider's.

    Raises:
        DefinitionError: There are no steps, `num_agents` was set to another number, a handler is
            for no step or cannot be called so.

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
        self._handlers = handlers_of(step_handlers, self.config.steps or ())

    def _check_config(self) -> None:
        super()._check_config()
        config = self.config
        problems = []
        if not config.steps:
            problems.append(
                f"steps={config.steps!r}: a sequence needs at least one; "
                'give steps=["research", "report"]'
            )
        elif "num_agents" in config.model_fields_set and config.num_agents != len(config.steps):
            problems.append(
                f"num_agents={config.num_agents} must equal the number of steps, which is "
                f"{len(config.steps)}; leave it out, or give as many steps"
            )
        if problems:
            raise DefinitionError([Problem(text) for text in problems], subject="config")

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        names = list(self.config.steps or ())
        told = {**context, "task": task}
        primary = self.config.primary_model or ""
        steps = [
            Step(name, step_function(self._handlers[name], name, told, self.provider))
            if name in self._handlers
            else Step(name)
            for name in names
        ]
        graph = sequential_graph(steps, task, asked(self._router, primary), self._policy)
        ids = [node.id for node in graph]
        return Workflow(
            task,
            graph,
            planning="",
            synthesis=ids[-1],
            agents={
                id: Agent(name, name, name, {"step": name})
                for id, name in zip(ids, names, strict=True)
            },
            models=(primary,) if primary else (),
            facts=lambda _: {"orchestrator": type(self).__name__, "steps": names},
        )


def handlers_of(
    given: Mapping[str, AnyHandler] | None, steps: Any, option: str = "step_handlers"
) -> dict[str, Handler]:
    """
    Check handlers given by step.

    Raises:
        DefinitionError: One is for a step that there is not, or cannot be called as a handler.
    """
    if given is not None and not isinstance(given, Mapping):
        raise DefinitionError(
            f"{option} is a {type(given).__name__}; give a dict of step to function"
        )
    problems = [
        Problem(
            f"{option}[{name!r}]: there is no such step"
            + (did_you_mean(str(name), steps) or f"; there are {', '.join(map(repr, steps))}")
        )
        for name in given or ()
        if name not in steps
    ]
    if problems:
        raise DefinitionError(problems)
    return {
        name: Handler(function, f"{option}[{name!r}]") for name, function in (given or {}).items()
    }
