"""
The search nodes of a Dream Swarm: call a source and validate its result.

Their functions are at module level, so that the graph can be written to a file.
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
from dagorch.patterns.swarm_records import SearchResult
from dagorch.ports import Source
from dagorch.sources import get_source

__all__ = ["SearchWorkflow", "search", "search_function", "search_in_thread"]


@dataclass(slots=True)
class SearchWorkflow(Workflow):
    """A workflow with sources to search."""

    sources: Mapping[str, Source] = field(default_factory=dict)
    """By domain."""


def search_function(domain: str, source: Source) -> Callable[..., Any]:
    """Return the node function of a domain; it runs in a thread unless the source is async."""
    is_async = inspect.iscoroutinefunction(source.search)
    return partial(search if is_async else search_in_thread, domain=domain)


async def search(run: Context[Any], task: str, limit: int, domain: str) -> SearchResult:
    """
    Search a domain with the workflow's source; without a workflow, with a new source.

    Raises:
        DefinitionError: There is no source of that name.
        OutputTypeError: The source did not return findings.
        SourceError: The search failed.
    """
    return _validated(domain, await _source(run, domain).search(task, limit), limit)


def search_in_thread(run: Context[Any], task: str, limit: int, domain: str) -> Any:
    """Search a domain whose source is not async; it may still return an awaitable."""
    found = _source(run, domain).search(task, limit)
    if not inspect.isawaitable(found):
        return _validated(domain, found, limit)

    async def awaited() -> SearchResult:  # the engine awaits it on the event loop
        return _validated(domain, await found, limit)

    return awaited()


def _source(run: Context[Any], domain: str) -> Any:
    return run.deps.sources[domain] if isinstance(run.deps, SearchWorkflow) else get_source(domain)


def _validated(domain: str, found: Any, limit: int) -> SearchResult:
    if not isinstance(found, list | tuple):
        raise OutputTypeError(
            f"source {domain!r} returned a {type(found).__name__} instead of a list of Finding: "
            f"{found!r:.80}"
        )
    for finding in found:
        if not isinstance(finding, Finding):
            raise OutputTypeError(
                f"source {domain!r} returned {finding!r:.80}, which is not a Finding"
            )
    named = [
        finding if finding.source else finding.model_copy(update={"source": domain})
        for finding in found[:limit]
    ]
    return SearchResult(
        domain,
        tuple(named),
        getattr(found, "skipped", 0),
        tuple(getattr(found, "problems", ())),
    )
