"""
Turn a user's function into the function of a node.

The engine runs a sync function in a worker thread and an async one on the event loop. A lambda
may return an awaitable, which is then awaited.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from dagorch.errors import DagorchError, DefinitionError, Problem, did_you_mean
from dagorch.models.policy import Policy
from dagorch.models.task import AgentResult
from dagorch.models.user_objects import is_mock
from dagorch.nodes.function import Context
from dagorch.nodes.llm import LLM_RETRY
from dagorch.nodes.signature import function_name, signature_of
from dagorch.orchestrators.custom import check_reported
from dagorch.orchestrators.metered import MeteredProvider, bound_to_node
from dagorch.patterns.loop_state import PREVIOUS, Pass, record_outputs
from dagorch.patterns.steps import Step

__all__ = [
    "AnyHandler", "Handler", "handlers_by_step", "node_function",
    "retry_only_dagorch_errors", "step_function", "steps_of",
]  # fmt: skip

AnyHandler = Callable[[str, dict[str, Any]], Any] | Callable[[dict[str, Any]], Any]
"""A user's function of a step's name and the context, or of the context alone."""
Results: TypeAlias = Mapping[str, Any]
"""The outputs of earlier steps by name."""
Finish: TypeAlias = Callable[[Context[Any], Results, Any], Any]
"""Makes the node's value from the results and the return value of a user's function."""

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_CONTEXT_NAMES: Final = ("context", "ctx")


@dataclass(frozen=True, slots=True)
class Handler:
    """
    A user's function for a step.

    Args:
        function: Takes a step's name and the context, or with one parameter only the context.
        option: The option it was passed as, for errors.
        has_step: Whether a function of `*args` gets the step's name. A condition does not.
    """

    function: Callable[..., Any]
    option: str
    has_step: bool = True

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise DefinitionError(
                f"{self.option} is {self.function!r:.60}, which is not callable; "
                "pass a function of the context, or of (step, context)"
            )
        parameters = _parameters(self.function)
        if parameters is not None and not _fits(parameters):
            takes = ", ".join(map(str, parameters))
            raise DefinitionError(
                f"{self.option}, {function_name(self.function)}, takes ({takes}); "
                "it must take (step, context), or (context) alone"
            )

    @property
    def is_async(self) -> bool:
        """Whether its definition says that it returns an awaitable."""
        return signature_of(self.function).is_async

    def call(self, step: str, context: dict[str, Any]) -> Any:
        """Call it with the parameters that it takes."""
        parameters = _parameters(self.function)
        if parameters is not None and _takes_only_context(parameters, has_step=self.has_step):
            return self.function(context)
        return self.function(step, context)


def handlers_by_step(
    handlers: Mapping[str, AnyHandler] | None, steps: Sequence[str]
) -> dict[str, Handler]:
    """
    Validate the option `step_handlers`.

    Raises:
        DefinitionError: A handler belongs to no step, or does not take the right parameters.
    """
    if handlers is not None and not isinstance(handlers, Mapping):
        raise DefinitionError(
            f"step_handlers is a {type(handlers).__name__}; pass a dict of step to function"
        )
    problems = [
        Problem(
            f"step_handlers[{name!r}]: there is no such step"
            + (did_you_mean(str(name), steps) or f"; there are {', '.join(map(repr, steps))}")
        )
        for name in handlers or ()
        if name not in steps
    ]
    if problems:
        raise DefinitionError(problems)
    return {
        name: Handler(function, f"step_handlers[{name!r}]")
        for name, function in (handlers or {}).items()
    }


def node_function(
    call: Callable[[Results], Any],
    provider: MeteredProvider,
    *,
    is_async: bool,
    finish: Finish = lambda _run, _results, outcome: outcome,
) -> Callable[..., Any]:
    """
    Return a node function that calls a user's; model calls in it belong to the node.

    Args:
        call: Calls the user's function with the results of earlier steps.
        provider: The orchestrator's provider.
        is_async: Whether `call` returns an awaitable without blocking.
        finish: Makes the node's value from the return value.
    """

    async def awaited(run: Context[Any], results: Results, outcome: Awaitable[Any]) -> Any:
        with bound_to_node(provider, run):
            return finish(run, results, await outcome)

    def in_thread(run: Context[Any], results: dict[str, Any] | None = None) -> Any:
        results = results or {}
        record_outputs(run, results)
        with bound_to_node(provider, run):
            outcome = call(results)
        if inspect.isawaitable(outcome):
            return awaited(run, results, outcome)
        return finish(run, results, outcome)

    async def on_loop(run: Context[Any], results: dict[str, Any] | None = None) -> Any:
        outcome = in_thread(run, results)
        return await outcome if inspect.isawaitable(outcome) else outcome

    return on_loop if is_async else in_thread


def step_function(
    handler: Handler,
    step: str,
    context: Mapping[str, Any],
    provider: MeteredProvider,
) -> Callable[..., Any]:
    """
    Return the node function of a step.

    Each call gets a new context: the caller's, with the outputs of earlier steps in `results`. A
    loop adds `previous` and `iteration`.

    Args:
        handler: The user's function.
        step: The step's name.
        context: The caller's context, with the task.
        provider: The orchestrator's provider.
    """

    def call(results: Results) -> Any:
        step_context: dict[str, Any] = {**context, "results": dict(results)}
        if PREVIOUS in results:
            previous = step_context["results"].pop(PREVIOUS) or Pass()
            step_context |= {"previous": previous.results, "iteration": previous.iteration + 1}
        return handler.call(step, step_context)

    def finish(run: Context[Any], _results: Results, outcome: Any) -> Any:
        record_outputs(run, {step: outcome})
        if isinstance(outcome, AgentResult):
            check_reported(outcome)
        return outcome

    return node_function(call, provider, is_async=handler.is_async, finish=finish)


def steps_of(
    names: Sequence[str],
    handlers: Mapping[str, Handler],
    context: Mapping[str, Any],
    provider: MeteredProvider,
    without_handler: Callable[[str, Mapping[str, Any]], Step],
) -> list[Step]:
    """Return the steps of a pattern; `without_handler` makes a step that has no handler."""
    return [
        Step(name, step_function(handlers[name], name, context, provider))
        if name in handlers
        else without_handler(name, context)
        for name in names
    ]


def retry_only_dagorch_errors(policy: Policy) -> Policy:
    """
    Return the policy of a node that decides.

    An error of the user's function would only be raised again. Failed model calls are retried.
    """
    retry = policy.retry or LLM_RETRY
    return replace(policy, retry=replace(retry, on=(DagorchError,)))


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """
    Return the parameters of a function; None for a builtin that does not declare them.

    A mock has those of its `side_effect`, if this is a function.
    """
    effect = getattr(function, "side_effect", None) if is_mock(function) else None
    if inspect.isroutine(effect):
        function = effect
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _takes_only_context(parameters: Sequence[inspect.Parameter], *, has_step: bool) -> bool:
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return not has_step
    positional = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
    # `lambda context, limit=3: ...` takes only the context; `def h(step, context=None)` takes both.
    return len(positional) == 1 or (
        positional[0].name in _CONTEXT_NAMES
        and positional[1].default is not inspect.Parameter.empty
    )


def _fits(parameters: Sequence[inspect.Parameter]) -> bool:
    """Whether it can be called with a step and a context, or with a context alone."""
    required = [
        parameter
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    if any(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in required):
        return False
    takes_positional = any(
        parameter.kind in (*_POSITIONAL, inspect.Parameter.VAR_POSITIONAL)
        for parameter in parameters
    )
    return takes_positional and len(required) <= 2
