"""
The methods that run a graph. Each passes its arguments to `runner/api.py`, imported when used.

This file and `notebook.py` are the two that import from higher floors, see `docs/adr/0001`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import MISSING, fields
from decimal import Decimal
from functools import wraps
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast, overload

from dagorch.models.run_options import (
    Downgrade,
    Listeners,
    OnBudget,
    RunArguments,
    RunOptions,
)

if TYPE_CHECKING:
    from dagorch.models.result import Result
    from dagorch.ports import Provider, Router
    from dagorch.runner.api import RunHandle, RunStream

__all__ = ["BoundRunMethod", "RunMethods"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class BoundRunMethod(Protocol[R_co]):
    """
    The two ways to call a method that runs a graph.

    A type checker sees every option, and with a mapping also each misspelt one. Beside inputs by
    keyword it takes a misspelt option for an input, which is refused before the run starts.
    """

    @overload
    def __call__(
        self,
        inputs: Mapping[str, Any],
        /,
        *,
        provider: Provider | Router | Mapping[str, Provider] | None = None,
        max_parallel: int = 16,
        max_cost: float | Decimal | None = None,
        max_tokens: int | None = None,
        downgrade: Downgrade = None,
        on_budget: OnBudget = "stop",
        max_node_runs: int = 1_000_000,
        timeout_seconds: float | None = None,
        deps: Any = None,
        limits: Mapping[str, int] = ...,
        seed: int | None = None,
        on_event: Listeners = None,
        retain: Literal["all", "outputs"] = "all",
        drain_seconds: float = 5.0,
    ) -> R_co: ...

    @overload
    def __call__(
        self,
        /,
        *,
        provider: Provider | Router | Mapping[str, Provider] | None = None,
        max_parallel: int = 16,
        max_cost: float | Decimal | None = None,
        max_tokens: int | None = None,
        downgrade: Downgrade = None,
        on_budget: OnBudget = "stop",
        max_node_runs: int = 1_000_000,
        timeout_seconds: float | None = None,
        deps: Any = None,
        limits: Mapping[str, int] = ...,
        seed: int | None = None,
        on_event: Listeners = None,
        retain: Literal["all", "outputs"] = "all",
        drain_seconds: float = 5.0,
        **inputs: Any,
    ) -> R_co: ...


class RunMethod(Protocol[R_co]):
    """A method that runs a graph, as it stands in the class."""

    def __get__(self, graph: object, owner: type | None = None, /) -> BoundRunMethod[R_co]: ...


def _signature() -> Signature:
    """Return the signature that all run methods have: inputs, then every option."""
    parameters = [
        Parameter("self", Parameter.POSITIONAL_ONLY),
        Parameter("inputs", Parameter.POSITIONAL_ONLY, default=None),
    ]
    for option in fields(RunOptions):
        default = {} if option.default is MISSING else option.default
        parameters.append(
            Parameter(option.name, Parameter.KEYWORD_ONLY, default=default, annotation=option.type)
        )
    parameters.append(Parameter("inputs_by_name", Parameter.VAR_KEYWORD, annotation="Any"))
    return Signature(parameters)


_SIGNATURE = _signature()


def _run_method(begin: Callable[[Any, RunArguments], R]) -> RunMethod[R]:
    """Make a method that collects its arguments, and begins a run with them."""

    @wraps(begin)
    def method(self: Any, inputs: Any = None, /, **keywords: Any) -> R:
        provider = keywords.get("provider")
        if provider is None:
            provider = self.provider
        if provider is not None:
            keywords["provider"] = _as_provider(provider)
        return begin(self, RunArguments(inputs, keywords))

    del method.__wrapped__
    method.__signature__ = _SIGNATURE  # type: ignore[attr-defined]  # read by inspect
    return cast("RunMethod[R]", method)


def _as_provider(value: Any) -> Any:
    """Return an object with `complete` or `acomplete` as a provider, and all else unchanged."""
    if hasattr(type(value), "exchange"):
        return value
    if isinstance(value, Mapping):
        return {name: _as_provider(provider) for name, provider in value.items()}
    if not (hasattr(value, "complete") or hasattr(value, "acomplete")):
        return value
    from dagorch.providers.adapter import adapt

    return adapt(value)


class RunMethods:
    """
    The methods that run a `Graph`. Each takes the graph's inputs, and these options.

    Inputs are keywords, `run(question="Why?")`, or one mapping before the options,
    `run({"question": "Why?"})`. With a mapping an input may have the name of an option, and a type
    checker finds misspelt options.

    Options:
        provider: Answers LLM nodes: a provider, or any object with `complete` or `acomplete`; a
            mapping of model or provider names to these; or a `dagorch.providers.Router`, which
            finds the provider of each model.
        max_parallel: Attempts that hold a slot at once, whatever the nesting (default 16).
        max_cost: A hard ceiling in dollars: a call starts only if its worst case still fits.
        max_tokens: A hard ceiling in tokens, input and output together.
        downgrade: A cheaper model to ask before a ceiling stops the run, or one per model
            (`{"gpt-4o": "gpt-4o-mini"}`); `name:model` also names one of the run's providers.
        on_budget: `stop` (default) ends the run with a `BudgetExceededError` when the next call
            does not fit under a ceiling. `finish` skips that node run and every later one that
            would pay; what is free still runs, and the result is partial.
        max_node_runs: Bound on node runs (default 1,000,000).
        timeout_seconds: Bound on the duration of the whole run.
        deps: Any object; functions read it as `context.deps`. It is not part of any key.
        limits: Bounds of the resources that policies name.
        seed: The seed of the jitter; equal seeds give equal commands.
        on_event: A listener, or several: callables that take an `Event`, sync or async.
        retain: `all` (default) keeps every value until the run ends; `outputs` frees each value,
            except the outputs', after its last reader has ended.
        drain_seconds: How long listeners may work after the run has ended (default 5).

    Raises (all methods):
        DefinitionError: The graph, an input or an option is wrong; nothing was run.
        RunError: The run stopped; `.partial_results` holds everything that finished.
        BudgetExceededError: A `RunError`: the next call could have exceeded a ceiling.
    """

    __slots__ = ()

    @_run_method
    def run(self: Any, arguments: RunArguments) -> Coroutine[Any, Any, Result]:
        """
        Run to the end: `result = await graph.run(question=..., provider=...)`.

        Returns:
            The `Result`; `result[ref]` is a node's value.
        """
        from dagorch.runner.api import run

        return run(self, arguments)

    @_run_method
    def run_sync(self: Any, arguments: RunArguments) -> Result:
        """Run to the end from sync code, in an event loop of its own."""
        from dagorch.runner.api import run_sync

        return run_sync(self, arguments)

    @_run_method
    def stream(self: Any, arguments: RunArguments) -> RunStream:
        """
        Run and iterate over the events: `async for event in graph.stream(...)`.

        The stream ends after the run's last event, and then sets `.result`. A run that fails
        raises its `RunError` at that point. Leaving the loop early cancels the run.
        """
        from dagorch.runner.api import RunStream

        return RunStream(self, arguments)

    @_run_method
    def start(self: Any, arguments: RunArguments) -> RunHandle:
        """
        Run in the background: `async with graph.start(...) as run:`.

        The handle has `cancel()`, `answer()`, `status`, `usage` and `await run.result()`; leaving
        the block waits for the run.
        """
        from dagorch.runner.api import RunHandle

        return RunHandle(self, arguments)
