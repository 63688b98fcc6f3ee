"""
The graph: slotted records of nodes, bindings and order, as a user adds them.

Checking and compiling are next door.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from dagorch.errors import DefinitionError, Problem
from dagorch.graph.builder import BuilderMethods
from dagorch.graph.caller import find_caller, location
from dagorch.graph.collection import CONTAINERS, collect
from dagorch.graph.run_methods import RunMethods
from dagorch.models.ref import BranchRef, Ref
from dagorch.nodes.base import Node, check_id
from dagorch.nodes.branch import Branch
from dagorch.nodes.signature import ParameterSpec

if TYPE_CHECKING:
    import networkx

    from dagorch.graph.plan import Plan

__all__ = ["NO_DEFAULT", "Entry", "Graph", "Input"]

T = TypeVar("T")

_MAX_TYPE_DEPTH = 8
"""Nested bodies beyond this have the output type Any: a type that deep tells nobody anything."""


class _NoDefault:
    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Any = _NoDefault()


class Input:
    """A value that a run must be given."""

    __slots__ = ("annotation", "default", "name")

    def __init__(self, name: str, annotation: Any, default: Any) -> None:
        self.name = name
        self.annotation = annotation
        self.default = default


class Entry:
    """A node in its graph: what feeds it, what it comes after, and where the user wrote it."""

    __slots__ = ("after", "bindings", "code", "node", "offset", "sources")

    def __init__(
        self,
        node: Node[Any],
        bindings: dict[str, Any] | None,
        after: tuple[Any, ...],
        sources: tuple[Ref[Any], ...],
        code: CodeType | str,
        offset: int,
    ) -> None:
        self.node = node
        self.bindings = bindings
        """
        Explicit ones only: each a ref, a `Collection` or a constant.

        A parameter left out is bound by name when the graph is compiled.
        """
        self.after = after
        self.sources = sources
        """Of a merge: what it joins, in edge order."""
        self.code = code
        self.offset = offset
        """Together a place as `caller.py` knows it."""

    @property
    def where(self) -> str:
        return location(self.code, self.offset)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        state = {name: getattr(self, name) for name in self.__slots__}
        return None, state | {"code": self.where, "offset": 0}  # code cannot be pickled


class Graph(BuilderMethods, RunMethods):
    """
    A directed acyclic graph of typed nodes.

    Nodes are added in any order; a parameter that is not bound explicitly takes the input or
    the node of the same name. `compile()` checks everything at once and is called by every run.

    Args:
        name: For people: titles, logs, file names.

    Example:
        >>> graph = Graph("greeting")
        >>> name = graph.input("name", str)
        >>> @graph.function
        ... async def greet(name: str) -> str:
        ...     return f"Hello, {name}!"
        >>> graph.run_sync(name="Ada")[greet]
        'Hello, Ada!'
    """

    __slots__ = ("_entries", "_inputs", "_nx", "_outputs", "_plan", "_problems", "depth", "name")

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self.depth = 1
        """Levels of bodies within bodies."""
        self._entries: dict[str, Entry] = {}
        self._inputs: dict[str, Input] = {}
        self._outputs: tuple[Ref[Any], ...] = ()
        self._problems: list[Problem] = []
        self._plan: Plan | None = None
        self._nx: networkx.DiGraph[str] | None = None

    # -- building ---------------------------------------------------------------------------

    @overload
    def input(self, name: str, annotation: type[T], default: Any = NO_DEFAULT) -> Ref[T]: ...
    @overload
    def input(self, name: str, annotation: Any = Any, default: Any = NO_DEFAULT) -> Ref[Any]: ...
    def input(self, name: str, annotation: Any = Any, default: Any = NO_DEFAULT) -> Ref[Any]:
        """
        Declare a value that each run is given by name.

        Args:
            name: The keyword of `run(...)`, and of parameters that take it.
            annotation: Its type, checked against the parameters it feeds.
            default: Used where a run leaves it out.
        """
        check_id(name)
        self._changed()
        if name in self._inputs or name in self._entries:
            self._problems.append(
                Problem(f"the name {name!r} is given twice", name, location(*find_caller()))
            )
        self._inputs[name] = Input(name, annotation, default)
        return Ref(self, name)

    def add(self, node: Node[T], /, *, after: Any = (), **bindings: Any) -> Ref[T]:
        """
        Add a node.

        Args:
            node: What to do.
            after: Refs (or ids) that must end first, though no value is taken from them.
                `branch["label"]` runs the node only if that label is picked.
            bindings: Per parameter a ref, a constant, or a list, tuple or dict with refs in it,
                which arrives as one value, in its order. The engine never copies or changes a
                constant.

        Returns:
            The ref of its value, typed as the node's output.
        """
        return self._insert(node, bindings, after, ())

    def _insert(
        self, node: Node[T], bindings: dict[str, Any], after: Any, sources: tuple[Any, ...]
    ) -> Ref[T]:
        self._changed()
        if not isinstance(node, Node):
            raise DefinitionError(
                f"graph {self.name!r}: {node!r:.60} is no node; wrap a function with "
                "graph.function(...)"
            )
        code, offset = find_caller()
        if isinstance(after, (Ref, str)):
            after = (after,)
        # A node of this graph by its id alone: tuples of texts are none of the collector's
        # business, and a ref that the user drops is gone.
        after = tuple(
            [
                other.id
                if isinstance(other, Ref) and other.graph is self and not other.labels
                else other
                for other in after
            ]
        )
        entry = Entry(node, bindings or None, after, sources, code, offset)
        for name, value in bindings.items():
            if isinstance(value, CONTAINERS):
                try:
                    bindings[name] = collect(value)
                except DefinitionError as error:
                    text = f"input {name!r} of node {node.id!r}: {error}"
                    self._problems.append(Problem(text, node.id, entry.where))
        body = getattr(node, "body", None)
        if isinstance(body, Graph):
            self.depth = max(self.depth, body.depth + 1)
        id = node.id
        if id in self._entries or id in self._inputs:
            first = self._entries.get(id)
            place = f" (first at {first.where})" if first else ""
            self._problems.append(
                Problem(
                    f"the id {id!r} is given twice{place}; ids are unique in a graph",
                    id,
                    entry.where,
                )
            )
        self._entries[id] = entry
        return BranchRef(self, id) if isinstance(node, Branch) else Ref(self, id)

    def output(self, *refs: Ref[Any]) -> None:
        """
        Declare what the graph's value is: one ref, its value; several, a dict by id.

        Without it: the only sink's value, else a dict of every sink's.
        """
        self._changed()
        self._outputs = refs

    def _changed(self) -> None:
        self._plan = None
        self._nx = None

    # -- reading ----------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Node[Any]]:
        return (entry.node for entry in self._entries.values())

    def __contains__(self, id: object) -> bool:
        return id in self._entries

    def __repr__(self) -> str:
        return f"<Graph {self.name!r}: {len(self._entries)} nodes, {len(self._inputs)} inputs>"

    def node(self, id: str) -> Node[Any]:
        """The node of that id. Raises `KeyError` if there is none."""
        return self._entries[id].node

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every node's record by id, in the order added."""
        return self._entries

    @property
    def inputs(self) -> Mapping[str, Input]:
        return self._inputs

    @property
    def outputs(self) -> tuple[Ref[Any], ...]:
        """The declared outputs; empty if none were declared."""
        return self._outputs

    @property
    def problems(self) -> Iterable[Problem]:
        """What was wrong already while building; `compile()` raises it with the rest."""
        return self._problems

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The inputs, as a container around this graph sees them."""
        return tuple(
            ParameterSpec(i.name, i.annotation, i.default is NO_DEFAULT)
            for i in self._inputs.values()
        )

    def output_type(self) -> Any:
        """The annotation of the graph's value; `Any` where it has several, or bodies nest deep."""
        if self.depth > _MAX_TYPE_DEPTH:
            return Any
        ids = [ref.id for ref in self._outputs] or self.sinks()
        if len(ids) != 1 or ids[0] not in self._entries:
            return dict[str, Any] if len(ids) > 1 else Any
        return self._entries[ids[0]].node.output_type()

    def sinks(self) -> list[str]:
        """The ids of nodes that nothing reads or comes after, in the order added."""
        from dagorch.graph.edges import resolve

        read = set(resolve(self).sources).difference(self._inputs)
        return [id for id in self._entries if id not in read]

    # -- compiling --------------------------------------------------------------------------

    def compile(self) -> Plan:
        """
        Check the whole graph and compile it; a graph that has not changed is compiled once.

        Raises:
            DefinitionError: Something is wrong; `.problems` lists all of it.
            CycleError: So, and there is a cycle among it; `.cycle` names it.

        Cost: O(V + E).
        """
        if self._plan is None:
            from dagorch.graph.compiler import compile_graph

            self._plan = compile_graph(self)
        return self._plan

    @property
    def fingerprint(self) -> str:
        """A hash of the definition: equal graphs, equal fingerprints, across processes."""
        from dagorch.graph.fingerprint import fingerprint

        return fingerprint(self)

    @property
    def nx(self) -> networkx.DiGraph[str]:
        """The graph as a frozen `networkx.DiGraph`, each edge holding its bindings."""
        if self._nx is None:
            from dagorch.graph.analysis import to_networkx

            self._nx = to_networkx(self)
        return self._nx
