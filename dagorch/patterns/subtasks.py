"""Subtasks to a graph: a node each, dependencies as edges; what a node does is given."""

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
    work: Callable[[SubTask], Callable[..., Any]],
    policy: Policy = DEFAULT_POLICY,
) -> Graph:
    """
    Compile subtasks into a graph whose value is a dict of every subtask's output, by node id.

    A single subtask's output is the value itself, as of any graph with one output.

    Args:
        subtasks: At least one. Those listed first come first among equals.
        work: Gives the function of a subtask. It is called with the outputs of the subtasks it
            depends on as keywords, `result_1` and on, in the order of `dependencies`.
        policy: Of every node, but for its priority.

    Raises:
        DefinitionError: There are none, an id is empty or given twice, or a dependency is not
            in the plan; every one is named.

    Example:
        >>> plan = [SubTask("facts", "Find"), SubTask("text", "Write", dependencies=["facts"])]
        >>> graph = subtask_graph(plan, lambda subtask: lambda **results: sorted(results))
        >>> graph.run_sync().output
        {'facts': [], 'text': ['result_1']}
    """
    _check(subtasks)
    ids = node_ids(subtask.id for subtask in subtasks)
    graph = Graph("subtasks")
    refs = []
    for subtask in subtasks:
        needed = dict.fromkeys(subtask.dependencies)
        inputs: dict[str, Any] = {
            f"result_{n}": Ref(graph, ids[other]) for n, other in enumerate(needed, 1)
        }
        node = Function(
            ids[subtask.id], work(subtask), policy=replace(policy, priority=subtask.priority)
        )
        refs.append(graph.add(node, **inputs))
    graph.output(*refs)
    return graph


def node_ids(ids: Iterable[str]) -> dict[str, str]:
    """
    Give each id the node id that stands for it: itself, without what addresses are made of.

    Example:
        >>> node_ids(["facts", "a/b", "a_b"])
        {'facts': 'facts', 'a/b': 'a_b-2', 'a_b': 'a_b'}
    """
    given = list(ids)
    taken = {id for id in given if not RESERVED_CHARACTERS.search(id)}
    found: dict[str, str] = {}
    for id in given:
        plain = RESERVED_CHARACTERS.sub("_", id)
        name, number = plain, 1
        while name in taken and name != id:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name)
        found[id] = name
    return found


def _check(subtasks: Sequence[SubTask]) -> None:
    """See what only the whole list tells; cycles are the graph's to find."""
    if not subtasks:
        raise DefinitionError("the plan has no subtasks; give at least one")
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
