"""Assertions for tests of graphs, with messages that say why; nothing that runs one."""

from __future__ import annotations

from collections.abc import Mapping

from dagorch.models.result import End, Result

__all__ = ["assert_ends"]


def assert_ends(result: Result, ends: Mapping[str, End]) -> None:
    """
    Assert how node runs ended.

    Args:
        result: Of a run; `error.partial_results` of one that failed.
        ends: By path, `refine[2]/critic`; those left out may have ended anyhow.

    Raises:
        AssertionError: Lists every path that differs, how it ended and why.

    Example:
        >>> from dagorch import Graph
        >>> graph = Graph("one")
        >>> @graph.function
        ... async def one() -> int:
        ...     return 1
        >>> assert_ends(graph.run_sync(), {"one": "completed"})
        >>> assert_ends(graph.run_sync(), {"one": "skipped"})
        Traceback (most recent call last):
            ...
        AssertionError: 'one' was to be skipped, but was completed
    """
    wrong = []
    for path, end in ends.items():
        run = result.node_runs.get(path)
        if run is None:
            wrong.append(f"{path!r} was to be {end}, but there is no such node run")
        elif run.end != end:
            why = f": {run.reason}" if run.reason else ""
            wrong.append(f"{path!r} was to be {end}, but was {run.end}{why}")
    if wrong:
        raise AssertionError("\n".join(wrong))
