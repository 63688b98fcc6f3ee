"""
The way from a graph to a run of it.

Four doors, each handing its arguments to `runner/api.py`, loaded when used.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagorch.models.result import Result
    from dagorch.runner.api import RunHandle, RunStream

__all__ = ["RunMethods"]


class RunMethods:
    """
    How a `Graph` is run. Every door takes the graph's inputs by name, and these options.

    Options:
        provider: What answers LLM nodes: a provider; a mapping of model or provider name to one;
            or a `dagorch.providers.Router`, which finds each model's by name.
        max_parallel: Attempts that hold a slot at once, whatever the nesting (default 16).
        max_cost: A hard ceiling in dollars: a call starts only if its worst case still fits.
        max_tokens: The same in tokens of input and output together.
        downgrade: A cheaper model to ask before a ceiling stops the run, or one for each model
            (`{"gpt-4o": "gpt-4o-mini"}`); `name:model` names one of the run's providers as well.
        max_node_runs: Bound on node runs (default 1,000,000).
        timeout_seconds: Of the whole run.
        deps: Anything; functions read it as `context.deps`. No part of any key.
        limits: Bounds of the resources that policies name.
        seed: Of the jitter; equal seeds, equal commands.
        on_event: A listener, or several: callables that take an `Event`, sync or async.
        retain: `all` (default) keeps every value of the graph till the run ends; `outputs` frees
            each but the outputs' after its last reader has ended.
        drain_seconds: How long listeners may still work when the run has ended (default 5).

    Raises (all doors):
        DefinitionError: The graph or an option is wrong; nothing was run.
        RunError: The run stopped; `.partial_results` holds everything that finished.
        BudgetExceededError: So, because the next call could have broken a ceiling.
    """

    __slots__ = ()

    def run(self: Any, **inputs_and_options: Any) -> Coroutine[Any, Any, Result]:
        """
        Run to the end: `result = await graph.run(question=..., provider=...)`.

        Returns:
            The `Result`; `result[ref]` is a node's value.
        """
        from dagorch.runner.api import run

        return run(self, inputs_and_options)

    def run_sync(self: Any, **inputs_and_options: Any) -> Result:
        """Run to the end from code that is not async, in an event loop of its own."""
        from dagorch.runner.api import run_sync

        return run_sync(self, inputs_and_options)

    def stream(self: Any, **inputs_and_options: Any) -> RunStream:
        """
        Run and give the events as they come: `async for event in graph.stream(...)`.

        The stream ends after the run's last event; `.result` is then set. A run that fails
        raises its `RunError` there. Leaving the loop early cancels the run.
        """
        from dagorch.runner.api import RunStream

        return RunStream(self, inputs_and_options)

    def start(self: Any, **inputs_and_options: Any) -> RunHandle:
        """
        Run beside other work: `async with graph.start(...) as run:`.

        The handle has `cancel()`, `answer()`, `status`, `usage` and `await run.result()`; leaving
        the block waits for the run.
        """
        from dagorch.runner.api import RunHandle

        return RunHandle(self, inputs_and_options)
