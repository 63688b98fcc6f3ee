"""
The graph as its users see it: a definition with the methods that build, check, draw and run it.

What each of them does is in the module that it calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dagorch.graph.builder import BuilderMethods
from dagorch.graph.compiler import compile_graph
from dagorch.graph.defaults import make_defaults
from dagorch.graph.definition import NO_DEFAULT, Entry, Input
from dagorch.graph.fingerprint import fingerprint
from dagorch.graph.networkx_conversion import from_networkx, to_networkx
from dagorch.graph.notebook import NotebookDisplay
from dagorch.graph.run_methods import RunMethods

if TYPE_CHECKING:
    import networkx

    from dagorch.graph.plan import Plan
    from dagorch.models.policy import Retry
    from dagorch.ports import Provider, Router

__all__ = ["NO_DEFAULT", "Entry", "Graph", "Input"]


class Graph(BuilderMethods, RunMethods, NotebookDisplay):
    """
    A directed acyclic graph of typed nodes.

    Nodes are added in any order; a parameter that is not bound explicitly takes the input or
    the node of the same name. `compile()` checks everything at once and is called by every run.

    Args:
        name: The graph's name, for titles, logs and file names.
        retry: The retry of functions and LLM nodes whose policy has none; a number is that many
            attempts.
        timeout_seconds: The `timeout_seconds` of functions and LLM nodes whose policy has none.
        provider: What answers LLM nodes if the run has no `provider`. Or a name: the provider of
            that name among the run's, for LLM nodes that name none.

    The defaults apply to nodes that are added to this graph, and to single nodes that are the body
    of a map or a loop of it. Graphs inside it have their own.

    Example:
        >>> graph = Graph("greeting")
        >>> name = graph.input("name", str)
        >>> @graph.function
        ... async def greet(name: str) -> str:
        ...     return f"Hello, {name}!"
        >>> graph.run_sync(name="Ada")[greet]
        'Hello, Ada!'
    """

    __slots__ = ("_nx", "provider")

    def __init__(
        self,
        name: str = "graph",
        *,
        retry: Retry | int | None = None,
        timeout_seconds: float | None = None,
        provider: Provider | Router | Mapping[str, Provider] | str | None = None,
    ) -> None:
        wanted = provider if isinstance(provider, str) else ""
        super().__init__(name, make_defaults(name, retry, timeout_seconds, wanted))
        self.provider = None if isinstance(provider, str) else provider
        self._nx: networkx.DiGraph[str] | None = None

    def new(self, name: str) -> Graph:
        return Graph(name)

    @classmethod
    def from_networkx(cls, source: networkx.DiGraph[str]) -> Graph:
        """
        Make a graph of a `networkx.DiGraph` whose nodes have ids as keys; the opposite of `nx`.

        Attributes that are read, all of them optional but `node`:

        - of the graph: `name`; `inputs`, the annotation of each input by name; `outputs`, ids.
        - of a node: `node`, a `Node` or a function; `bindings`, a constant, ref or collection per
          parameter.
        - of an edge: `bindings`, the parameters it feeds (`"text"`, or `["texts[0]", "texts[1]"]`
          for items of lists, `"parts[x]"` for those of dicts); `labels`, of a branch. An edge
          without bindings carries order only. Parameters of the name of a node are bound by name.

        An edge may repeat what the attributes of its node bind, but not contradict it.

        Raises:
            DefinitionError: An attribute is missing or wrong or contradicts an edge, or the graph
                does not compile; `.problems` lists everything.
            CycleError: There is a cycle; `.cycle` names it.

        Example:
            >>> import networkx
            >>> async def facts(topic: str) -> str:
            ...     return f"{topic} hum"
            >>> async def report(facts: list[str]) -> str:
            ...     return "; ".join(facts)
            >>> source = networkx.DiGraph(inputs={"topic": str})
            >>> source.add_node("bees", node=facts)
            >>> source.add_node("wasps", node=facts, bindings={"topic": "wasps"})
            >>> source.add_node("report", node=report)
            >>> source.add_edge("wasps", "report", bindings="facts[0]")
            >>> source.add_edge("bees", "report", bindings="facts[1]")
            >>> graph = Graph.from_networkx(source)
            >>> graph.run_sync(topic="bees")["report"]
            'wasps hum; bees hum'
            >>> Graph.from_networkx(graph.nx).fingerprint == graph.fingerprint
            True
        """
        graph = cls()
        from_networkx(graph, source)
        return graph

    def _changed(self) -> None:
        self.plan = self._nx = None

    def compile(self) -> Plan:
        """
        Check the whole graph and compile it; a graph that has not changed is compiled once.

        Raises:
            DefinitionError: Something is wrong; `.problems` lists all of it.
            CycleError: A `DefinitionError` with a cycle among its problems; `.cycle` names it.

        Cost: O(V + E).
        """
        return compile_graph(self)

    @property
    def fingerprint(self) -> str:
        """A hash of the definition: equal graphs have equal fingerprints, across processes."""
        return fingerprint(self)

    @property
    def nx(self) -> networkx.DiGraph[str]:
        """The graph as a frozen `networkx.DiGraph`, each edge with its bindings and labels."""
        if self._nx is None:
            self._nx = to_networkx(self)
        return self._nx
