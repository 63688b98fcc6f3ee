"""Export a graph to networkx and GraphML, in plain values, for analysis and other programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dagorch.exporters.critical import critical_path
from dagorch.exporters.frames import usage_with_frames
from dagorch.graph.graph import Graph
from dagorch.ids import NodePath
from dagorch.models.result import Result
from dagorch.models.usage import NOTHING_USED
from dagorch.nodes.base import Node
from dagorch.nodes.llm import LLM

if TYPE_CHECKING:
    import networkx

__all__ = ["to_graphml", "to_networkx"]

# Characters that XML 1.0 cannot hold.
_INVALID_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_networkx(graph: Graph, result: Result | None = None) -> networkx.DiGraph[str]:
    """
    Return a graph as a new `networkx.DiGraph`, with attributes that any file format can hold.

    It has the nodes and edges of `graph.nx`, whose attributes are the node objects. The body of a
    loop, map or subgraph is not part of it.

    Args:
        graph: Any valid graph.
        result: Of a run of it, to add how each node ended.

    Returns:
        A graph of node ids. Nodes have `kind`, and `model` if an LLM node names one. After a run
        also `end`, `attempts`, `ready_seconds` and `started_seconds` (since the run's start, if
        it was ready or started), `seconds` (its duration), `input_tokens`, `output_tokens` and
        `cost_usd` (a float; all three with the node's frames), `critical` (it or a node run in
        its frames is on the critical path) and `reason`, if there is one. Edges have `bindings`,
        the parameters that they feed, and `labels`, the branch labels that they wait for: both
        are JSON arrays of strings.

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
    exported: networkx.DiGraph[str] = networkx.DiGraph(name=graph.name)
    for id, attributes in graph.nx.nodes(data=True):
        exported.add_node(id, **dict(_node_attributes(attributes["node"])))
    for source, target, attributes in graph.nx.edges(data=True):
        exported.add_edge(
            source,
            target,
            bindings=json.dumps(attributes["bindings"], ensure_ascii=False),
            labels=json.dumps(sorted(attributes["labels"]), ensure_ascii=False),
        )
    if result is not None:
        exported.graph |= {
            "run_id": result.run_id,
            "status": result.status,
            "seconds": result.duration_seconds,
            "cost_usd": float(result.cost_usd),
        }
        for id, attributes in _run_attributes(graph, result):
            if id in exported:
                exported.nodes[id].update(attributes)
    return exported


def to_graphml(graph: Graph, result: Result | None = None) -> str:
    """
    Write a graph in GraphML, which yEd, Gephi, Cytoscape and igraph read.

    Attributes are those of `to_networkx`. Characters that XML cannot hold become U+FFFD.
    """
    import networkx

    exported = to_networkx(graph, result)
    everything = [exported.graph, *(exported.nodes[id] for id in exported)]
    everything += [exported.edges[edge] for edge in exported.edges]
    for attributes in everything:
        attributes |= {
            name: _valid_in_xml(value)
            for name, value in attributes.items()
            if isinstance(value, str)
        }
    exported = networkx.relabel_nodes(exported, {id: _valid_in_xml(id) for id in exported})
    head = "<?xml version='1.0' encoding='utf-8'?>"
    return "\n".join([head, *networkx.generate_graphml(exported), ""])


def _node_attributes(node: Node[Any]) -> Iterator[tuple[str, str]]:
    yield "kind", node.kind.value
    if isinstance(node, LLM) and node.model:
        yield "model", node.model


def _run_attributes(graph: Graph, result: Result) -> Iterator[tuple[str, dict[str, Any]]]:
    used = usage_with_frames(result.node_runs)
    critical = {
        run
        for step in critical_path(result, graph)
        for run in NodePath(step.path).with_containers()
    }
    for path, run in result.node_runs.items():
        usage = used.get(path, NOTHING_USED)
        attributes = {
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
        yield path, {key: value for key, value in attributes.items() if value is not None}


def _valid_in_xml(text: str) -> str:
    return _INVALID_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
