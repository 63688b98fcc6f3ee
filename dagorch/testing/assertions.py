"""Assertions about results, for tests of graphs."""

from __future__ import annotations

from collections.abc import Mapping

from dagorch.models.result import End, Result

__all__ = ["assert_ends"]


def assert_ends(result: Result, ends: Mapping[str, End]) -> None:
    """
    Assert how node runs ended.

    Args:
        result: The result of a run; of a failed one, `error.partial_results`.
        ends: The expected end by path, such as `refine[2]/critic`. Other node runs may end in
            any way.

    Raises:
        AssertionError: Some ends differ. The message lists each with its reason.

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
        AssertionError: 'one' should be skipped, but is completed
    """
    wrong = []
    for path, end in ends.items():
        run = result.node_runs.get(path)
        if run is None:
            wrong.append(f"{path!r} should be {end}, but there is no such node run")
        elif run.end != end:
            reason = f": {run.reason}" if run.reason else ""
            wrong.append(f"{path!r} should be {end}, but is {run.end}{reason}")
    if wrong:
        raise AssertionError("\n".join(wrong))
