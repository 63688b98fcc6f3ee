"""The orchestrator of an Iterative."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from dagorch.errors import DefinitionError
from dagorch.ids import NodePath
from dagorch.models.arity import takes
from dagorch.models.config import OrchestratorConfig
from dagorch.models.result import Result
from dagorch.nodes.function import Context
from dagorch.nodes.signature import function_name
from dagorch.orchestrators.builtin import BuiltinOrchestrator
from dagorch.orchestrators.handlers import (
    AnyHandler,
    Handler,
    handlers_by_step,
    node_function,
    retry_only_dagorch_errors,
    steps_of,
)
from dagorch.orchestrators.model_lookup import model_settings
from dagorch.orchestrators.workflow import AgentInfo, Workflow
from dagorch.patterns.iterative import iterative_graph
from dagorch.patterns.judge import ReadResults, with_judgement
from dagorch.patterns.loop_state import (
    PREVIOUS,
    VERDICT,
    Pass,
    check_model_pass,
    iteration_of,
    model_results,
)

__all__ = ["IterativeOrchestrator"]

MAX_ITERATIONS: Final = 10_000
_DEFAULT_STEP: Final = "improve"


class IterativeOrchestrator(BuiltinOrchestrator):
    """
    Repeat a pass of steps until it converges; each pass reads the one before.

    The result is that of the last pass: a handler's return value, or for a model
    `{"content": text, "iteration": n}` with the fields of a JSON object in its reply. A field that
    `convergence_fn` reads and such a reply does not have is asked of a judge, a call of the model
    with the task and the reply; the function is then called again, and the next pass reads the
    judge's reason.
    `result.metadata` has `iterations` and `converged`; reaching the last pass is not a failure.
    Each step of each pass has an `AgentResult`.

    Args:
        config: An `OrchestratorConfig`; None is the default. With `steps`, a pass is this
            sequence of steps, and its result is the output of the last one.
        provider: Serves the steps without a handler, and `self.provider`.
        max_iterations: The most passes, 1 to 10,000.
        convergence_fn: A sync or async function of the result of a pass; a true value ends the
            loop. Or a yes-or-no question about the answer, for a model. None runs all passes.
        handler: The handler of a pass with a single step, as for a Sequential.
            `context["previous"]` is the result of the pass before (None in the first), and
            `context["iteration"]` counts from 1. None: a model improves its own answer.
        step_handlers: The handlers of a pass with several steps, by step.
        providers: Further providers by name, for models of other services.

    Raises:
        DefinitionError: An option is not valid.

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
        is_int = isinstance(max_iterations, int) and not isinstance(max_iterations, bool)
        if not (is_int and 1 <= max_iterations <= MAX_ITERATIONS):
            raise DefinitionError(
                f"max_iterations={max_iterations!r:.60} must be a whole number "
                f"from 1 to {MAX_ITERATIONS:,}"
            )
        is_question = isinstance(convergence_fn, str) and bool(convergence_fn.strip())
        if convergence_fn is not None and not callable(convergence_fn) and not is_question:
            raise DefinitionError(
                f"convergence_fn={convergence_fn!r:.60} is not callable; "
                "pass a function of the result of a pass, or a question"
            )
        if callable(convergence_fn) and not takes(convergence_fn, 1):
            raise DefinitionError(
                f"convergence_fn, {function_name(convergence_fn)}, must take one argument, the "
                "result of a pass"
            )
        self.max_iterations = max_iterations
        self._convergence = None if isinstance(convergence_fn, str) else convergence_fn
        self._question = convergence_fn.strip() if isinstance(convergence_fn, str) else ""
        self._steps = list(self.config.steps or step_handlers or [_DEFAULT_STEP])
        self._handlers = handlers_by_step(step_handlers, self._steps)
        for name in (PREVIOUS, VERDICT):
            if name in self._steps:
                raise DefinitionError(f"a step cannot have the name {name!r}; the loop uses it")
        if handler is not None:
            if len(self._steps) > 1 or self._handlers:
                raise DefinitionError(
                    "handler= is for a pass of one step; with several, pass step_handlers="
                )
            self._handlers[self._steps[0]] = Handler(handler, "handler=")

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        primary = self.config.primary_model or ""
        full_context = {**context, "task": task}
        steps = steps_of(self._steps, self._handlers, full_context, self.provider, self._step)
        graph = iterative_graph(
            steps,
            self._check(),
            self._check_id,
            self.max_iterations,
            task,
            model_settings(self._router, primary, context),
            self._policy,
            retry_only_dagorch_errors(self._policy),
            self._question,
            self._judged_check(),
        )
        body: Any = graph.node("passes")
        ids = dict(zip(self._steps, (node.id for node in body.body), strict=False))
        return Workflow(
            task,
            graph,
            planning_path=None,
            synthesis_path="answer",
            agents={
                NodePath.build("passes", n, id): AgentInfo(
                    f"{name}_{n + 1}", name, f"{name}, pass {n + 1}", {"iteration": n + 1}
                )
                for n in range(self.max_iterations)
                for name, id in ids.items()
            },
            models=(primary,) if primary else (),
            metadata=self._metadata,
            step_node_ids=ids,
        )

    @property
    def _check_id(self) -> str:
        function = self._convergence
        return "count" if function is None else f"convergence_fn {function_name(function)}"

    def _check(self) -> Callable[..., Any]:
        """Return the node function that makes a `Pass` from the outputs of the steps."""
        last_step, converged = self._steps[-1], self._convergence
        if last_step not in self._handlers:
            return check_model_pass if converged is None else self._check_of_model(converged)

        def call(results: Mapping[str, Any]) -> Any:
            if converged is None:
                return results.get(VERDICT) == "true"
            return converged(results[last_step])

        def finish(_run: Context[Any], results: Mapping[str, Any], outcome: Any) -> Pass:
            return Pass(iteration_of(results), results[last_step], converged=bool(outcome))

        is_async = converged is None or Handler(converged, "").is_async
        return node_function(call, self.provider, is_async=is_async, finish=finish)

    def _check_of_model(self, converged: Callable[..., Any]) -> Callable[..., Any]:
        """Return the node function that makes a `Pass` from a model's reply."""
        last_step = self._steps[-1]

        def call(results: Mapping[str, Any]) -> Any:
            iteration = iteration_of(results)
            fields = ReadResults(model_results(results[last_step], iteration))
            return _assess(converged, fields, iteration)

        return node_function(call, self.provider, is_async=Handler(converged, "").is_async)

    def _judged_check(self) -> Callable[..., Any] | None:
        """Return the node function that checks a pass with a judge's fields; None without one."""
        converged = self._convergence
        if converged is None or self._steps[-1] in self._handlers:
            return None

        def call(results: Mapping[str, Any]) -> Any:
            checked, judgement = results["checked"], results["judgement"]
            fields, reason = with_judgement(checked, judgement), judgement.get("reason", "")
            return _assess(converged, fields, checked.iteration, str(reason))

        return node_function(call, self.provider, is_async=Handler(converged, "").is_async)

    def _metadata(self, result: Result) -> dict[str, Any]:
        last = result.values.get("passes")
        checks = [
            run
            for path, run in result.node_runs.items()
            if NodePath(path).in_plan == f"passes/{self._check_id}"
        ]
        return {
            "orchestrator": type(self).__name__,
            "iterations": sum(run.end == "completed" for run in checks),
            "converged": last is not None and last.converged,
        }


def _assess(
    function: Callable[[Any], Any], results: ReadResults, iteration: int, reason: str = ""
) -> Any:
    """
    Call a convergence function; return the `Pass`, or an awaitable of it.

    An error of a function that has read a missing field is ignored: the judge is asked for the
    field, and the function is called again.
    """

    def assessed(outcome: Any) -> Pass:
        missing = results.missing
        converged = bool(outcome) and not missing
        return Pass(iteration, dict(results), converged=converged, missing=missing, reason=reason)

    async def awaited(outcome: Any) -> Pass:
        try:
            value = await outcome
        except Exception:
            if not results.missing:
                raise
            value = False
        return assessed(value)

    try:
        outcome = function(results)
    except Exception:
        if not results.missing:
            raise
        outcome = False
    return awaited(outcome) if inspect.isawaitable(outcome) else assessed(outcome)
