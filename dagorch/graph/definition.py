"""
The definition of a graph: its inputs, its nodes, and what the user bound to each node.

Edges, checks, plans and pictures are derived from it elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from dagorch.errors import DefinitionError, Problem
from dagorch.graph.caller import find_caller, location
from dagorch.graph.collection import collect, refs_in
from dagorch.graph.defaults import NO_DEFAULTS, Defaults
from dagorch.models.ref import BranchRef, Ref, Refs
from dagorch.models.user_objects import passes, short_repr
from dagorch.nodes.base import Node, check_id
from dagorch.nodes.branch import Branch
from dagorch.nodes.signature import ParameterSpec
from dagorch.nodes.types import is_plain_value, type_name, value_check

if TYPE_CHECKING:
    from dagorch.graph.plan import Plan

__all__ = ["NO_DEFAULT", "Definition", "Entry", "Input", "default_problem"]

T = TypeVar("T")

_MAX_TYPE_DEPTH = 8
"""Graphs whose bodies nest deeper have the output type Any, which keeps type checks cheap."""


class _NoDefault:
    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Any = _NoDefault()
"""The default of an input that every run must supply."""


class Input:
    """An input of a graph: a value that the caller of a run supplies by name."""

    __slots__ = ("annotation", "default", "name")

    def __init__(self, name: str, annotation: Any, default: Any) -> None:
        self.name = name
        self.annotation = annotation
        self.default = default


def default_problem(name: str, annotation: Any, default: Any) -> str:
    """
    Return what is wrong with an input's type or default; empty if nothing is.

    The type must accept the default. None is a default of any type.

    Example:
        >>> default_problem("depth", int, "3")
        "input 'depth' takes int, but its default is a str: '3'; change one of them"
    """
    if is_plain_value(annotation):
        return f"input {name!r}: {annotation!r:.60} is not a type; a default is passed as default="
    if default is NO_DEFAULT or default is None or passes(value_check(annotation), default):
        return ""
    return (
        f"input {name!r} takes {type_name(annotation)}, but its default is a "
        f"{type_name(type(default))}: {short_repr(default, 60)}; change one of them"
    )


class Entry:
    """A node in its graph: what feeds it, what it comes after, and which line added it."""

    __slots__ = ("after", "after_end", "bindings", "code", "node", "offset", "sources")

    def __init__(
        self,
        node: Node[Any],
        bindings: dict[str, Any] | None,
        after: tuple[Any, ...],
        after_end: tuple[Any, ...],
        sources: tuple[Ref[Any], ...],
        code: CodeType | str,
        offset: int,
    ) -> None:
        self.node = node
        self.bindings = bindings
        """
        Per parameter a ref, a `Collection` or a constant; None if there are none.

        A parameter that is left out is bound by name, see `Definition.binds_by_name`.
        """
        self.after = after
        """Nodes that must complete first: ids of this graph, or refs."""
        self.after_end = after_end
        """Nodes that must end first, however they end: ids of this graph, or refs."""
        self.sources = sources
        """The refs that a merge joins, in edge order."""
        self.code = code
        self.offset = offset
        """With `code`, the place that added the node, as `caller.location` reads it."""

    @property
    def where(self) -> str:
        """The place that added the node, as `file:line`."""
        return location(self.code, self.offset)

    def sources_needed(self) -> Iterator[str]:
        """Yield the id of every node or input that must have completed, with repetitions."""
        for source in (*(self.bindings or {}).values(), *self.sources):
            yield from (ref.id for ref in refs_in(source))
        yield from map(_id_of, self.after)

    def sources_named(self) -> Iterator[str]:
        """Yield the id of every node or input that this entry names, with repetitions."""
        yield from self.sources_needed()
        yield from map(_id_of, self.after_end)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        state = {name: getattr(self, name) for name in self.__slots__}
        return None, state | {"code": self.where, "offset": 0}  # code cannot be pickled


def _id_of(source: Any) -> str:
    return source.id if isinstance(source, Ref) else str(source)


class Definition:
    """
    What a graph consists of. `Graph` adds the methods that build, check, draw and run it.

    Attributes:
        name: The graph's name, for titles, logs and file names.
        depth: Levels of graphs inside graphs, this one included.
        plan: The compiled plan; None if the graph was changed since, or never compiled.
        defaults: Options for nodes that do not set them.
    """

    __slots__ = (
        "_entries", "_inputs", "_outputs", "_problems", "defaults", "depth", "name", "plan",
    )  # fmt: skip

    def __init__(self, name: str = "graph", defaults: Defaults = NO_DEFAULTS) -> None:
        if not isinstance(name, str) or not name.strip():
            raise DefinitionError(
                f"the name of a graph must be a text that is not empty, not {name!r:.60}; leave it "
                "out, or pass one such as 'report'"
            )
        self.name = name
        self.defaults = defaults
        self.depth = 1
        self.plan: Plan | None = None
        self._entries: dict[str, Entry] = {}
        self._inputs: dict[str, Input] = {}
        self._outputs: tuple[Ref[Any], ...] = ()
        self._problems: list[Problem] = []

    def new(self, name: str) -> Definition:
        """Return an empty graph of the same kind."""
        return Definition(name)

    # -- building ---------------------------------------------------------------------------

    @overload
    def input(self, name: str, annotation: type[T], default: Any = NO_DEFAULT) -> Ref[T]: ...
    @overload
    def input(self, name: str, annotation: Any = Any, default: Any = NO_DEFAULT) -> Ref[Any]: ...
    def input(self, name: str, annotation: Any = Any, default: Any = NO_DEFAULT) -> Ref[Any]:
        """
        Declare a value that each run takes by name.

        Args:
            name: The keyword of `run(...)`, and the name of the parameters that take it.
            annotation: Its type, checked against the parameters it feeds.
            default: The value of runs that leave the input out; of that type, or None.
        """
        check_id(name)
        if name == "self":  # the one keyword that no method of a graph can take
            raise DefinitionError(f"graph {self.name!r}: no input can be named 'self'; rename it")
        self._changed()
        if name in self._inputs or name in self._entries:
            place = location(*find_caller())
            self._problems.append(Problem(f"the name {name!r} is used twice", name, place))
        if problem := default_problem(name, annotation, default):
            self._problems.append(Problem(problem, name, location(*find_caller())))
        self._inputs[name] = Input(name, annotation, default)
        return Ref(self, name)

    def add(
        self, node: Node[T], /, *, after: Refs = (), after_end: Refs = (), **bindings: Any
    ) -> Ref[T]:
        """
        Add a node.

        Args:
            node: What to do.
            after: A ref or several that must complete first, though no value is taken from them. If
                one of them is skipped, so is the node; if one fails, the node is blocked.
                `branch["label"]` runs the node only if that label is picked.
            after_end: A ref or several that must end first, however they end. For cleaning up and
                reporting: the node runs though the failure of another one stops the graph. It
                does not if the run is cancelled, out of time or over its ceiling.
            bindings: Per parameter a ref, a constant, or a list, tuple or dict with refs in it,
                which arrives as one value, in its order. The engine never copies or changes a
                constant.

        Returns:
            The ref of its value, typed as the node's output.
        """
        return self.insert(node, bindings, after, after_end)

    def insert(
        self,
        node: Node[T],
        bindings: dict[str, Any],
        after: Refs,
        after_end: Refs,
        sources: tuple[Any, ...] = (),
    ) -> Ref[T]:
        """
        Add a node as `add` does; `sources` are the refs that a merge joins, in edge order.

        The graph keeps `bindings`, so that names such as `self` or `after` can be parameters.
        """
        self._changed()
        if not isinstance(node, Node):
            raise DefinitionError(
                f"graph {self.name!r}: {node!r:.60} is not a node; wrap a function with "
                "graph.function(...)"
            )
        if self.defaults is not NO_DEFAULTS:
            node = self.defaults.apply(node)
        code, offset = find_caller()
        entry = Entry(
            node,
            bindings or None,
            self._order(node, "after", after),
            self._order(node, "after_end", after_end),
            sources,
            code,
            offset,
        )
        for name, value in bindings.items():
            if not isinstance(value, Ref):
                try:
                    bindings[name] = collect(value)
                except DefinitionError as error:
                    text = f"input {name!r} of node {node.id!r}: {error}"
                    self._problems.append(Problem(text, node.id, entry.where))
        body = getattr(node, "body", None)
        if isinstance(body, Definition):
            self.depth = max(self.depth, body.depth + 1)
        id = node.id
        if id in self._entries or id in self._inputs:
            first = self._entries.get(id)
            place = f" (first at {first.where})" if first else ""
            text = f"the id {id!r} is used twice{place}; ids are unique in a graph"
            self._problems.append(Problem(text, id, entry.where))
        self._entries[id] = entry
        return BranchRef(self, id) if isinstance(node, Branch) else Ref(self, id)

    def _order(self, node: Node[Any], option: str, after: Refs) -> tuple[Any, ...]:
        """
        Return `after` or `after_end` as a tuple in which a plain ref of this graph is its id.

        The cycle collector does not track tuples of strings, and the ref itself can be freed.
        """
        if after == ():
            return ()
        refs: tuple[Any, ...] = (after,)
        if isinstance(after, Iterable) and not isinstance(after, Ref | str | Mapping):
            refs = tuple(after)
        for ref in refs:
            if not isinstance(ref, Ref):
                raise DefinitionError(
                    f"{node.kind.value} {node.id!r}: {option}={ref!r:.60} is not a ref; pass what "
                    "graph.add(...) or the decorated function returned"
                )
        return tuple([ref.id if ref.graph is self and not ref.labels else ref for ref in refs])

    def output(self, *refs: Ref[Any]) -> None:
        """
        Declare what the graph's value is: the value of one ref, or a dict of several by id.

        Without it: the only sink's value, else a dict of every sink's.
        """
        self._changed()
        self._outputs = refs

    def _changed(self) -> None:
        self.plan = None

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
        """Return the node with that id. Raises `KeyError` if there is none."""
        return self._entries[id].node

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every node's record by id, in the order added."""
        return self._entries

    @property
    def inputs(self) -> Mapping[str, Input]:
        """The declared inputs by name, in the order declared."""
        return self._inputs

    @property
    def outputs(self) -> tuple[Ref[Any], ...]:
        """The declared outputs; empty if none were declared."""
        return self._outputs

    @property
    def problems(self) -> Iterable[Problem]:
        """Mistakes found while building; `compile()` raises them with the rest."""
        return self._problems

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Return the inputs as the parameters of a container around this graph."""
        return tuple(
            ParameterSpec(i.name, i.annotation, i.default is NO_DEFAULT)
            for i in self._inputs.values()
        )

    def default_of(self, parameter: str) -> Any:
        """Return the default of an input, as a container around this graph sees it."""
        return self._inputs[parameter].default

    def binds_by_name(self, parameter: str, id: str) -> bool:
        """
        Tell whether a parameter of node `id` without a binding takes the value of its own name.

        It takes that of the input, or of the other node, with the parameter's name.
        """
        return parameter in self._inputs or (parameter in self._entries and parameter != id)

    def sinks(self) -> list[str]:
        """
        Return the ids of nodes that nothing reads or comes `after`, in the order added.

        A node that others only come `after_end` is a sink: they do not need it.
        """
        read: set[str] = set()
        for id, entry in self._entries.items():
            read.update(entry.sources_needed())
            bound = entry.bindings or ()
            for spec in entry.node.parameters():
                if spec.name not in bound and self.binds_by_name(spec.name, id):
                    read.add(spec.name)
        return [id for id in self._entries if id not in read]

    def output_type(self) -> Any:
        """Return the annotation of the graph's value; `Any` if unknown, or if bodies nest deep."""
        if self.depth > _MAX_TYPE_DEPTH:
            return Any
        ids = [ref.id for ref in self._outputs] or self.sinks()
        if len(ids) != 1 or ids[0] not in self._entries:
            return dict[str, Any] if len(ids) > 1 else Any
        return self._entries[ids[0]].node.output_type()
