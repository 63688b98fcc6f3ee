"""The Iterative as an orchestrator: what a pass does, and when it is enough, to the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from dagorch.errors import DefinitionError
from dagorch.models.config import OrchestratorConfig
from dagorch.models.result import Result
from dagorch.nodes.function import Context
from dagorch.orchestrators.base import BaseOrchestrator
from dagorch.orchestrators.handlers import (
    AnyHandler,
    Handler,
    described,
    node_function,
    only_calls_again,
    step_function,
)
from dagorch.orchestrators.models import asked
from dagorch.orchestrators.sequential import handlers_of
from dagorch.orchestrators.workflow import Agent, Workflow
from dagorch.patterns.iterative import iterative_graph
from dagorch.patterns.loop_state import PREVIOUS, VERDICT, Pass, judged, results_of
from dagorch.patterns.steps import Step

__all__ = ["IterativeOrchestrator"]

MAX_ITERATIONS: Final = 10_000
_ONE_STEP: Final = "improve"


class IterativeOrchestrator(BaseOrchestrator):
    """
    The same work again and again, each pass seeing the one before, until it is good enough.

    The result is what the last pass gave: a handler's dict as it is; of a model
    `{"content": text, "iteration": n}` with the fields of a JSON object in its reply.
    `result.metadata` has `iterations` and `converged`; running out of passes is no failure. There
    is an `AgentResult` for each step of each pass.

    Args:
        config: An `OrchestratorConfig`; None is the default one. With `steps`, each pass is a
            sequence of these, and gives what the last of them gives.
        provider: Answers passes without a handler, and `self.provider`'s calls.
        max_iterations: The most passes, 1 to 10,000.
        convergence_fn: Gets what a pass gave, sync or async; true ends the loop. Or a question
            about the answer, to which a model says yes or no. None: always all passes.
        handler: `handler(step, context)` of a pass of one step, called as a Sequential's is;
            `context["previous"]` is what the pass before gave (None in the first),
            `context["iteration"]` counts from 1. None: a model improves on its own answer.
        step_handlers: The same by step, for a pass of several.
        providers: Further ones by name, for models that are not the provider's.

    Raises:
        DefinitionError: An option is not what it must be.

    Example:
        >>> import anyio
        >>> def halve(context):
        ...     return {"left": (context["previous"] or {"left": 80})["left"] // 2}
        >>> halving = IterativeOrchestrator(
        ...     handler=halve,
        ...     convergence_fn=lambda results: results["left"] < 10,
        ... )
        >>> result = anyio.run(halving.execute_workflow, "Halve it")
        >>> result.result, result.metadata["iterations"], result.metadata["converged"]
        ({'left': 5}, 4, True)
    """

    unused_fields: ClassVar[frozenset[str]] = frozenset(
        {"max_parallel", "num_agents", "parallel_execution"}
    )

    def __init__(
        self,
        config: OrchestratorConfig | None = None,
        provider: Any = None,
        *,
        max_iterations: int = 5,
        convergence_fn: Callable[[Any], Any] | str | None = None,
        handler: AnyHandler | None = None,
        step_handlers: Mapping[str, AnyHandler] | None = None,
        providers: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(config, provider, providers=providers)
        whole = isinstance(max_iterations, int) and not isinstance(max_iterations, bool)
        if not (whole and 1 <= max_iterations <= MAX_ITERATIONS):
            raise DefinitionError(
                f"max_iterations={max_iterations!r:.60} must be a whole number "
                f"from 1 to {MAX_ITERATIONS:,}"
            )
        asks = isinstance(convergence_fn, str) and bool(convergence_fn.strip())
        if convergence_fn is not None and not callable(convergence_fn) and not asks:
            raise DefinitionError(
                f"convergence_fn={convergence_fn!r:.60} cannot be called; "
                "give a function of what a pass gave, or a question"
            )
        self.max_iterations = max_iterations
        self._convergence = None if isinstance(convergence_fn, str) else convergence_fn
        self._question = convergence_fn.strip() if isinstance(convergence_fn, str) else ""
        self._steps = list(self.config.steps or step_handlers or [_ONE_STEP])
        self._handlers = handlers_of(step_handlers, self._steps)
        for name in (PREVIOUS, VERDICT):
            if name in self._steps:
                raise DefinitionError(f"a step cannot be called {name!r}; the loop has one so")
        if handler is not None:
            if len(self._steps) > 1 or self._handlers:
                raise DefinitionError(
                    "handler= is for a pass of one step; with several give step_handlers="
                )
            self._handlers[self._steps[0]] = Handler(handler, "handler=")

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        told = {**context, "task": task}
        primary = self.config.primary_model or ""
        steps = [
            Step(name, step_function(self._handlers[name], name, told, self.provider))
            if name in self._handlers
            else Step(name)
            for name in self._steps
        ]
        graph = iterative_graph(
            steps,
            self._check(),
            self._check_id,
            self.max_iterations,
            task,
            asked(self._router, primary),
            self._policy,
            only_calls_again(self._policy),
            self._question,
        )
        body: Any = graph.node("passes")
        ids = dict(zip(self._steps, (node.id for node in body.body), strict=False))
        return Workflow(
            task,
            graph,
            planning=None,
            synthesis="answer",
            agents={
                f"passes[{n}]/{id}": Agent(
                    f"{name}_{n + 1}", name, f"{name}, pass {n + 1}", {"iteration": n + 1}
                )
                for n in range(self.max_iterations)
                for name, id in ids.items()
            },
            models=(primary,) if primary else (),
            facts=self._facts,
            steps=ids,
        )

    @property
    def _check_id(self) -> str:
        function = self._convergence
        return "count" if function is None else f"convergence_fn {described(function)}"

    def _check(self) -> Callable[..., Any]:
        """Give the function of the node that makes a `Pass` of what the steps gave."""
        last, converged = self._steps[-1], self._convergence
        by_model = last not in self._handlers
        if by_model and converged is None:
            return judged

        def iteration(told: Mapping[str, Any]) -> int:
            return (told[PREVIOUS] or Pass()).iteration + 1

        def results(told: Mapping[str, Any]) -> Any:
            return results_of(told[last], iteration(told)) if by_model else told[last]

        def call(told: Mapping[str, Any]) -> Any:
            return told.get(VERDICT) == "true" if converged is None else converged(results(told))

        def end(_run: Context[Any], told: Mapping[str, Any], outcome: Any) -> Pass:
            return Pass(iteration(told), results(told), converged=bool(outcome))

        is_async = converged is None or Handler(converged, "").is_async
        return node_function(call, self.provider, is_async=is_async, end=end)

    def _facts(self, result: Result) -> dict[str, Any]:
        last = result.values.get("passes")
        check = f"/{self._check_id}"
        ended = sum(
            path.startswith("passes[") and path.endswith(check) and run.end == "completed"
            for path, run in result.node_runs.items()
        )
        return {
            "orchestrator": type(self).__name__,
            "iterations": ended,
            "converged": last is not None and last.converged,
        }
