"""Compile subtasks into a graph: one node each, with dependencies as edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from dagorch.errors import DefinitionError, Problem, did_you_mean
from dagorch.graph.graph import Graph
from dagorch.ids import RESERVED_CHARACTERS
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import Ref
from dagorch.models.task import SubTask
from dagorch.nodes.function import Function

__all__ = ["node_ids", "subtask_graph"]


def subtask_graph(
    subtasks: Sequence[SubTask],
    function_of: Callable[[SubTask], Callable[..., Any]],
    policy: Policy = DEFAULT_POLICY,
) -> Graph:
    """
    Compile subtasks into a graph; its value is a dict of all outputs by node id.

    The value of a single subtask is its output, as for any graph with one output.

    Args:
        subtasks: At least one. Of equal priority, those listed first start first.
        function_of: Returns the function of a subtask. It takes `results`, a dict of the outputs
            of its dependencies by subtask id.
        policy: The policy of every node; the priority is the subtask's.

    Raises:
        DefinitionError: There are no subtasks, an id is empty or used twice, or a dependency is
            not in the plan; every problem is listed.

    Example:
        >>> plan = [SubTask("facts", "Find"), SubTask("text", "Write", dependencies=["facts"])]
        >>> graph = subtask_graph(plan, lambda subtask: lambda results: sorted(results))
        >>> graph.run_sync().output
        {'facts': [], 'text': ['facts']}
    """
    _check(subtasks)
    ids = node_ids(subtask.id for subtask in subtasks)
    graph = Graph("subtasks")
    refs = []
    for subtask in subtasks:
        node = Function(
            ids[subtask.id], function_of(subtask), policy=replace(policy, priority=subtask.priority)
        )
        dependencies: dict[str, Ref[Any]] = {id: Ref(graph, ids[id]) for id in subtask.dependencies}
        refs.append(graph.add(node, results=dependencies))
    graph.output(*refs)
    return graph


def node_ids(ids: Iterable[str]) -> dict[str, str]:
    """
    Map each id to a unique node id: the id itself, with reserved characters replaced.

    Example:
        >>> node_ids(["facts", "a/b", "a_b"])
        {'facts': 'facts', 'a/b': 'a_b-2', 'a_b': 'a_b'}
    """
    originals = list(ids)
    taken = {id for id in originals if not RESERVED_CHARACTERS.search(id)}
    mapping: dict[str, str] = {}
    for id in originals:
        plain = RESERVED_CHARACTERS.sub("_", id)
        name, number = plain, 1
        while name in taken and name != id:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name)
        mapping[id] = name
    return mapping


def _check(subtasks: Sequence[SubTask]) -> None:
    """Check the plan as a whole; the graph finds cycles itself."""
    if not subtasks:
        raise DefinitionError("the plan has no subtasks; return at least one")
    known = dict.fromkeys(subtask.id for subtask in subtasks)
    problems = []
    seen: set[str] = set()
    for subtask in subtasks:
        if not subtask.id.strip():
            problems.append(Problem(f"a subtask has no id: {subtask.description!r:.80}"))
        elif subtask.id in seen:
            problems.append(Problem(f"two subtasks have the id {subtask.id!r}", subtask.id))
        seen.add(subtask.id)
        problems += [
            Problem(
                f"subtask {subtask.id!r} depends on {other!r}, which is not in the plan"
                + (did_you_mean(other, known) or f"; it has {', '.join(known)}"),
                subtask.id,
            )
            for other in dict.fromkeys(subtask.dependencies)
            if other not in known
        ]
    if problems:
        raise DefinitionError(problems, subject="the plan")
