"""
The methods that run a graph. Each passes its arguments to `runner/api.py`, imported when used.

This is the one import from a lower floor to a higher one, see `docs/adr/0001`.
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
    The methods that run a `Graph`. Each takes the graph's inputs by name, and these options.

    Options:
        provider: Answers LLM nodes: a provider; a mapping of model or provider names to
            providers; or a `dagorch.providers.Router`, which finds the provider of each model.
        max_parallel: Attempts that hold a slot at once, whatever the nesting (default 16).
        max_cost: A hard ceiling in dollars: a call starts only if its worst case still fits.
        max_tokens: A hard ceiling in tokens, input and output together.
        downgrade: A cheaper model to ask before a ceiling stops the run, or one per model
            (`{"gpt-4o": "gpt-4o-mini"}`); `name:model` also names one of the run's providers.
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
        DefinitionError: The graph or an option is wrong; nothing was run.
        RunError: The run stopped; `.partial_results` holds everything that finished.
        BudgetExceededError: A `RunError`: the next call could have exceeded a ceiling.
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
        """Run to the end from sync code, in an event loop of its own."""
        from dagorch.runner.api import run_sync

        return run_sync(self, inputs_and_options)

    def stream(self: Any, **inputs_and_options: Any) -> RunStream:
        """
        Run and iterate over the events: `async for event in graph.stream(...)`.

        The stream ends after the run's last event, and then sets `.result`. A run that fails
        raises its `RunError` at that point. Leaving the loop early cancels the run.
        """
        from dagorch.runner.api import RunStream

        return RunStream(self, inputs_and_options)

    def start(self: Any, **inputs_and_options: Any) -> RunHandle:
        """
        Run in the background: `async with graph.start(...) as run:`.

        The handle has `cancel()`, `answer()`, `status`, `usage` and `await run.result()`; leaving
        the block waits for the run.
        """
        from dagorch.runner.api import RunHandle

        return RunHandle(self, inputs_and_options)
