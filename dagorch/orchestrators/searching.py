"""
What the nodes of a Dream Swarm that search do: ask a source, and hold it to what it promised.

Their functions have names of their own, so that the graph can be written as a file.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dagorch.errors import OutputTypeError
from dagorch.models.finding import Finding
from dagorch.nodes.function import Context
from dagorch.orchestrators.workflow import Workflow
from dagorch.patterns.swarm_notes import Searched
from dagorch.ports import Source
from dagorch.sources import get_source

__all__ = ["Searching", "search", "search_in_thread", "searching"]


@dataclass(slots=True)
class Searching(Workflow):
    """A workflow that searches."""

    sources: Mapping[str, Source] = field(default_factory=dict)
    """By domain."""


def searching(domain: str, source: Source) -> Callable[..., Any]:
    """Give the function of a domain's node: async if the source is, else run in a thread."""
    is_async = inspect.iscoroutinefunction(source.search)
    return partial(search if is_async else search_in_thread, domain=domain)


async def search(run: Context[Any], task: str, limit: int, domain: str) -> Searched:
    """
    Search a domain: with the workflow's source, or one made for it where there is no workflow.

    Raises:
        DefinitionError: There is no source of that name.
        OutputTypeError: The source did not give findings.
        SourceError: It could not be asked.
    """
    return _checked(domain, await _source(run, domain).search(task, limit), limit)


def search_in_thread(run: Context[Any], task: str, limit: int, domain: str) -> Any:
    """Do the same with a source whose `search` is not async, or only gives something to await."""
    given = _source(run, domain).search(task, limit)
    if not inspect.isawaitable(given):
        return _checked(domain, given, limit)

    async def awaited() -> Searched:  # the engine awaits it on its loop
        return _checked(domain, await given, limit)

    return awaited()


def _source(run: Context[Any], domain: str) -> Any:
    return run.deps.sources[domain] if isinstance(run.deps, Searching) else get_source(domain)


def _checked(domain: str, given: Any, limit: int) -> Searched:
    """What a source gave, if it is what was promised."""
    if not isinstance(given, list | tuple):
        raise OutputTypeError(
            f"source {domain!r} gave a {type(given).__name__}, not a list of Finding: {given!r:.80}"
        )
    for finding in given:
        if not isinstance(finding, Finding):
            raise OutputTypeError(f"source {domain!r} gave {finding!r:.80}, which is no Finding")
    named = [
        finding if finding.source else finding.model_copy(update={"source": domain})
        for finding in given[:limit]
    ]
    return Searched(
        domain,
        tuple(named),
        getattr(given, "skipped", 0),
        tuple(getattr(given, "problems", ())),
    )
