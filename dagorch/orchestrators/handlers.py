"""
A user's function as the function of a node: what it is called with, and where it runs.

A sync one runs in a worker thread and an async one on the event loop, which is the engine's doing;
what a lambda gives that is to be awaited, is.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from dagorch.errors import DagorchError, DefinitionError
from dagorch.ids import RESERVED_CHARACTERS
from dagorch.models.policy import Policy
from dagorch.nodes.function import Context
from dagorch.nodes.llm import LLM_RETRY
from dagorch.nodes.signature import signature_of
from dagorch.orchestrators.metered import MeteredProvider, bound_to_node
from dagorch.patterns.loop_state import PREVIOUS, Pass, by_name, leave

__all__ = [
    "AnyHandler",
    "Handler",
    "described",
    "node_function",
    "only_calls_again",
    "step_function",
]

AnyHandler = Callable[[str, dict[str, Any]], Any] | Callable[[dict[str, Any]], Any]
"""A user's function of a step's name and the context, or of the context alone."""
End = Callable[[Context[Any], Mapping[str, Any], Any], Any]

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_CONTEXT_NAMES: Final = ("context", "ctx")


@dataclass(frozen=True, slots=True)
class Handler:
    """
    A user's function for a step, and how it wants to be called.

    Args:
        function: Takes a step's name and the context, or with one parameter the context alone.
        what: What it is to the user, for errors.
    """

    function: Callable[..., Any]
    what: str

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise DefinitionError(
                f"{self.what} is {self.function!r:.60}, which cannot be called; "
                "give a function of (step, context)"
            )
        takes = _parameters(self.function)
        if takes is not None and not _fits(takes):
            raise DefinitionError(
                f"{self.what}, {described(self.function)}, takes ({', '.join(map(str, takes))}); "
                "it must take (step, context), or (context) alone"
            )

    @property
    def is_async(self) -> bool:
        """Whether calling it gives an awaitable, as far as its definition tells."""
        return signature_of(self.function).is_async

    def call(self, step: str, context: dict[str, Any]) -> Any:
        """Call it the way it wants."""
        takes = _parameters(self.function)
        alone = takes is not None and _takes_context_alone(takes)
        return self.function(context) if alone else self.function(step, context)


def node_function(
    call: Callable[[Mapping[str, Any]], Any],
    provider: MeteredProvider,
    *,
    is_async: bool,
    end: End = lambda _run, _told, outcome: outcome,
) -> Callable[..., Any]:
    """
    Give the function of a node that calls a user's, whose calls of a model are then the node's.

    Args:
        call: Calls the user's function, given what the node is told by name.
        provider: The orchestrator's.
        is_async: Whether that gives an awaitable without blocking.
        end: Makes the node's value of what came of it.
    """

    async def awaited(run: Context[Any], told: Mapping[str, Any], outcome: Awaitable[Any]) -> Any:
        with bound_to_node(provider, run):
            return end(run, told, await outcome)

    async def work(run: Context[Any], names: Sequence[str] = (), **values: Any) -> Any:
        told = by_name(names, values)
        leave(run, told)
        with bound_to_node(provider, run):
            outcome = call(told)
        if inspect.isawaitable(outcome):
            return await awaited(run, told, outcome)
        return end(run, told, outcome)

    def work_in_thread(run: Context[Any], names: Sequence[str] = (), **values: Any) -> Any:
        told = by_name(names, values)
        leave(run, told)
        with bound_to_node(provider, run):
            outcome = call(told)
        if inspect.isawaitable(outcome):
            return awaited(run, told, outcome)
        return end(run, told, outcome)

    return work if is_async else work_in_thread


def step_function(
    handler: Handler,
    step: str,
    context: Mapping[str, Any],
    provider: MeteredProvider,
) -> Callable[..., Any]:
    """
    Give the function of a step's node.

    The handler's context is a dict of its own: the caller's, with `results` of the steps before;
    in a loop also `previous` and `iteration`.

    Args:
        handler: The user's.
        step: Its name.
        context: The caller's, with the task.
        provider: The orchestrator's.
    """

    def call(told: Mapping[str, Any]) -> Any:
        given: dict[str, Any] = {**context, "results": {}}
        for name, value in told.items():
            if name == PREVIOUS:
                last = value or Pass()
                given |= {"previous": last.results, "iteration": last.iteration + 1}
            else:
                given["results"][name] = value
        return handler.call(step, given)

    def end(run: Context[Any], _told: Mapping[str, Any], outcome: Any) -> Any:
        leave(run, {step: outcome})
        return outcome

    return node_function(call, provider, is_async=handler.is_async, end=end)


def only_calls_again(policy: Policy) -> Policy:
    """
    Give the policy of a node that decides: what a function itself raises, it would raise again.

    Failures of a model's service are tried again as everywhere.
    """
    retry = policy.retry or LLM_RETRY
    return replace(policy, retry=replace(retry, on=(DagorchError,)))


def described(function: Callable[..., Any]) -> str:
    """
    Name a user's function so that it is found, as a node id may: its own name, or its place.

    Example:
        >>> def is_short(context): ...
        >>> described(is_short)
        'is_short'
    """
    name = getattr(function, "__name__", "")
    code = getattr(function, "__code__", None)
    if name == "<lambda>" and code is not None:
        name = f"lambda of {Path(code.co_filename).name}:{code.co_firstlineno}"
    return RESERVED_CHARACTERS.sub("_", name or type(function).__name__)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """What it takes, or None where it does not tell."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _takes_context_alone(takes: Sequence[inspect.Parameter]) -> bool:
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in takes):
        return False
    given = [parameter for parameter in takes if parameter.kind in _POSITIONAL]
    # `lambda context, limit=3: ...` has a parameter of its own; `def h(step, context=None)` not.
    return len(given) == 1 or (
        given[0].name in _CONTEXT_NAMES and given[1].default is not inspect.Parameter.empty
    )


def _fits(takes: Sequence[inspect.Parameter]) -> bool:
    """Whether it can be called with a step and a context, or with a context alone."""
    required = [
        parameter
        for parameter in takes
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    if any(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in required):
        return False
    can_take = any(
        parameter.kind in (*_POSITIONAL, inspect.Parameter.VAR_POSITIONAL) for parameter in takes
    )
    return can_take and len(required) <= 2
