"""A graph as networkx and GraphML have it, in plain values: for analysis, for other programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dagorch.exporters.critical import critical_path
from dagorch.exporters.frames import usage_with_inside
from dagorch.graph.graph import Graph
from dagorch.ids import NodePath
from dagorch.models.result import Result
from dagorch.models.usage import NOTHING_USED
from dagorch.nodes.base import Node
from dagorch.nodes.llm import LLM

if TYPE_CHECKING:
    import networkx

__all__ = ["to_graphml", "to_networkx"]

# What XML 1.0 has no place for.
_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_networkx(graph: Graph, result: Result | None = None) -> networkx.DiGraph[str]:
    """
    Give a graph as a `networkx.DiGraph` of its own, with attributes that any format can hold.

    The nodes and edges are those of `graph.nx`, which has the nodes' own objects. What is inside
    of a loop, map or subgraph stays inside of its node.

    Args:
        graph: Any valid graph.
        result: Of a run of it, to add how each node ended.

    Returns:
        Nodes by id, with `kind`, and `model` where an LLM node names one. After a run also `end`,
        `attempts`, `ready_seconds`, `started_seconds` (since the run's start, where it came so
        far), `seconds` (it took), `input_tokens`, `output_tokens`, `cost_usd` (as a float, with
        all that ran inside), `critical` (whether it, or something inside, is on the critical
        path) and `reason`, where there is one. Edges with `bindings`, the parameters that they
        feed, and `labels`, those of a branch that they hang on: both JSON arrays of texts.

    Raises:
        DefinitionError: The graph does not compile.

    Example:
        >>> from dagorch import Graph
        >>> graph = Graph("two")
        >>> @graph.function
        ... async def draft() -> str: ...
        >>> @graph.function
        ... async def check(draft: str) -> str: ...
        >>> list(to_networkx(graph).edges(data=True))
        [('draft', 'check', {'bindings': '["draft"]', 'labels': '[]'})]
    """
    import networkx

    graph.compile()
    plain: networkx.DiGraph[str] = networkx.DiGraph(name=graph.name)
    for id, facts in graph.nx.nodes(data=True):
        plain.add_node(id, **dict(_planned(facts["node"])))
    for source, target, facts in graph.nx.edges(data=True):
        plain.add_edge(
            source,
            target,
            bindings=json.dumps(facts["bindings"], ensure_ascii=False),
            labels=json.dumps(sorted(facts["labels"]), ensure_ascii=False),
        )
    if result is not None:
        plain.graph |= {
            "run_id": result.run_id,
            "status": result.status,
            "seconds": result.duration_seconds,
            "cost_usd": float(result.cost_usd),
        }
        for id, facts in _ran(graph, result):
            if id in plain:
                plain.nodes[id].update(facts)
    return plain


def to_graphml(graph: Graph, result: Result | None = None) -> str:
    """
    Write a graph in GraphML, which yEd, Gephi, Cytoscape and igraph read; otherwise `to_networkx`.

    Characters that XML has no place for become U+FFFD.
    """
    import networkx

    drawn = to_networkx(graph, result)
    everything = [drawn.graph, *(drawn.nodes[id] for id in drawn)]
    everything += [drawn.edges[edge] for edge in drawn.edges]
    for facts in everything:
        facts |= {key: _written(value) for key, value in facts.items() if isinstance(value, str)}
    drawn = networkx.relabel_nodes(drawn, {id: _written(id) for id in drawn})
    head = "<?xml version='1.0' encoding='utf-8'?>"
    return "\n".join([head, *networkx.generate_graphml(drawn), ""])


def _planned(node: Node[Any]) -> Iterator[tuple[str, str]]:
    yield "kind", node.kind.value
    if isinstance(node, LLM) and node.model:
        yield "model", node.model


def _ran(graph: Graph, result: Result) -> Iterator[tuple[str, dict[str, Any]]]:
    used = usage_with_inside(result.node_runs)
    critical = {
        run
        for step in critical_path(result, graph)
        for run in NodePath(step.path).with_containers()
    }
    for path, run in result.node_runs.items():
        usage = used.get(path, NOTHING_USED)
        facts = {
            "end": run.end,
            "attempts": run.attempts,
            "ready_seconds": run.ready_seconds,
            "started_seconds": run.started_seconds,
            "seconds": run.duration_seconds,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost_usd": float(usage.cost_usd),
            "critical": path in critical,
            "reason": run.reason or None,
        }
        yield path, {key: value for key, value in facts.items() if value is not None}


def _written(text: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
