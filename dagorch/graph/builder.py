"""The methods that add a node, one for each kind; each makes the node and calls `add`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, Literal, Protocol, TypeVar, overload

from dagorch.errors import DefinitionError
from dagorch.graph.definition import NO_DEFAULT, Definition
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import BranchRef, Ref, Refs
from dagorch.models.several import several
from dagorch.nodes.ask import Ask
from dagorch.nodes.base import Node
from dagorch.nodes.branch import Branch
from dagorch.nodes.conditions import pick
from dagorch.nodes.container import Loop, Map, OnItemError, Subgraph
from dagorch.nodes.function import Function
from dagorch.nodes.merge import Merge, Wait
from dagorch.nodes.reducers import Reducer

__all__ = ["BuilderMethods", "body_of"]

T = TypeVar("T")
D = TypeVar("D", bound=Definition)


class _Adds(Protocol):
    """The decorator that `graph.function(...)` returns if it is called with options only."""

    @overload
    def __call__(self, fn: Callable[..., Awaitable[T]], /) -> Ref[T]: ...
    @overload
    def __call__(self, fn: Callable[..., T], /) -> Ref[T]: ...


class BuilderMethods(Definition):
    """A definition with a method for each kind of node."""

    __slots__ = ()

    @overload
    def function(
        self, fn: Callable[..., Any], /, *, expand: Literal[True], id: str | None = None,
        after: Refs = (), after_end: Refs = (), policy: Policy = DEFAULT_POLICY, **bindings: Any,
    ) -> Ref[Any]: ...  # fmt: skip

    @overload
    def function(
        self, fn: Callable[..., Awaitable[T]], /, *, id: str | None = None, after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY, expand: bool = False, **bindings: Any,
    ) -> Ref[T]: ...  # fmt: skip

    @overload
    def function(
        self, fn: Callable[..., T], /, *, id: str | None = None, after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY, expand: bool = False, **bindings: Any,
    ) -> Ref[T]: ...  # fmt: skip

    @overload
    def function(
        self, fn: None = None, /, *, id: str | None = None, after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY, expand: bool = False, **bindings: Any,
    ) -> _Adds: ...  # fmt: skip

    def function(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        id: str | None = None,
        after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY,
        expand: bool = False,
        **bindings: Any,
    ) -> Any:
        """
        Add a function, as a decorator or by a call; its parameters are the node's inputs.

        Args:
            fn: An async function, or a sync one, which runs in a worker thread.
            id: The node's id; None for the function's name.
            after: Refs that must complete first.
            after_end: Refs that must end first, however they end. See `add`.
            policy: Retries, timeouts, and what happens on failure.
            expand: The function returns a `Graph`, which runs in its place.
            bindings: As for `add`. Parameters without a binding are bound by name.
        """
        if fn is None:
            return lambda f: self.function(
                f,
                id=id,
                after=after,
                after_end=after_end,
                policy=policy,
                expand=expand,
                **bindings,
            )
        name = id or getattr(fn, "__name__", "")
        if not name or name == "<lambda>":
            raise DefinitionError(f"{fn!r:.60} has no name; pass id=")
        node = Function(name, fn, expand, policy=policy)
        return self.add(node, after=after, after_end=after_end, **bindings)

    def branch(
        self,
        id: str,
        select: Callable[..., Any],
        labels: str | Iterable[str] = ("true", "false"),
        *,
        after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY,
        **bindings: Any,
    ) -> BranchRef[str]:
        """
        Add a branch: `select` takes its parameters by name and picks one or more labels.

        Its value is the label, or a tuple of several. `after=ref["label"]` puts a node behind a
        label, `after=ref["a", "b"]` behind either of two.
        """
        node = Branch(id, select, several(labels, f"branch {id!r}: labels"), policy=policy)
        return self.add(node, after=after, after_end=after_end, **bindings)  # type: ignore[return-value]  # it is one

    def merge(
        self,
        id: str,
        sources: Ref[Any] | Iterable[Ref[Any]],
        *,
        reducer: str | Reducer = "list",
        wait: Wait = "all",
        tolerate_failures: bool = False,
        after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY,
    ) -> Ref[Any]:
        """
        Add a merge of sources, which are folded in the order of this list.

        See `Merge` for the options.
        """
        node = Merge(id, reducer, wait, tolerate_failures, policy=policy)
        refs = several(sources, f"merge {id!r}: sources", (Ref, str), ordered=True)
        for ref in refs:
            if not isinstance(ref, Ref):
                raise DefinitionError(
                    f"merge {id!r}: sources has {ref!r:.60}, which is not a ref; pass refs: [a, b]"
                )
        return self.insert(node, {}, after, after_end, refs)

    def loop(
        self,
        id: str,
        body: Definition,
        *,
        max_iterations: int | None = None,
        until: Callable[[Any], Any] | None = None,
        state_input: str | None = None,
        after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY,
        **bindings: Any,
    ) -> Ref[Any]:
        """
        Add a loop over a body; bind its state input to the first state.

        Its value is the last state. See `Loop` for the options.
        """
        node = Loop(id, body, max_iterations, until, state_input, policy=policy)
        return self.add(node, after=after, after_end=after_end, **bindings)

    @overload
    def map(
        self, body: Node[T], *, over: Any, id: str | None = None, item_input: str | None = None,
        max_parallel: int | None = None, on_item_error: OnItemError = "fail", after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY, **bindings: Any,
    ) -> Ref[list[T]]: ...  # fmt: skip

    @overload
    def map(
        self, body: Definition, *, over: Any, id: str | None = None, item_input: str | None = None,
        max_parallel: int | None = None, on_item_error: OnItemError = "fail", after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY, **bindings: Any,
    ) -> Ref[list[Any]]: ...  # fmt: skip

    def map(
        self,
        body: Node[Any] | Definition,
        *,
        over: Any,
        id: str | None = None,
        item_input: str | None = None,
        max_parallel: int | None = None,
        on_item_error: OnItemError = "fail",
        after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY,
        **bindings: Any,
    ) -> Ref[list[Any]]:
        """
        Add a map: `body` runs once per item of `over`; the results are in item order.

        Args:
            body: A node or a graph. The item goes to its input `item`, else to its first input.
            over: A ref of the sequence, or the sequence itself, with refs in it or without.
            id: The map's id; None for the body's.
            item_input: The body's input that takes the item, if it is neither of those.
            max_parallel: Items in flight; None: as many as the run has slots.
            on_item_error: See `Map`.
            after: Refs that must complete first.
            after_end: Refs that must end first, however they end. See `add`.
            policy: The policy of the map as a whole; the nodes inside have their own.
            bindings: The body's other inputs, the same for each item.
        """
        inner = self._body(body, [*bindings, item_input or ""])
        node = Map(id or inner.name, inner, item_input, max_parallel, on_item_error, policy=policy)
        bound = {node.parameter: over}
        return self.add(node, after=after, after_end=after_end, **bound, **bindings)

    def pick(
        self,
        id: str,
        source: Ref[Any],
        field: str,
        *,
        after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY,
    ) -> Ref[Any]:
        """
        Add a node that takes a field of a value; `a.b` is a field of a field.

        Fields are the keys of mappings, and the declared fields of pydantic models and
        dataclasses.
        """
        bound = {"value": source, "field": field}
        return self.insert(Function(id, pick, policy=policy), bound, after, after_end, ())

    def _body(self, body: Node[Any] | Definition, bound: Collection[str]) -> Definition:
        """Return a body as a graph; a single node gets the defaults of this one."""
        node = self.defaults.apply(body) if isinstance(body, Node) else body
        return body_of(node, self.new, bound)

    def subgraph(
        self,
        body: Definition,
        *,
        id: str | None = None,
        after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY,
        **bindings: Any,
    ) -> Ref[Any]:
        """Add a whole graph as one node; its inputs are bound like parameters."""
        node = Subgraph(id or body.name, body, policy=policy)
        return self.add(node, after=after, after_end=after_end, **bindings)

    @overload
    def ask(
        self, id: str, question: str, *, output: type[T], after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY, **bindings: Any,
    ) -> Ref[T]: ...  # fmt: skip

    @overload
    def ask(
        self, id: str, question: str, *, output: Any, after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY, **bindings: Any,
    ) -> Ref[Any]: ...  # fmt: skip

    @overload
    def ask(
        self, id: str, question: str, *, after: Refs = (), after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY, **bindings: Any,
    ) -> Ref[str]: ...  # fmt: skip

    def ask(
        self,
        id: str,
        question: str,
        *,
        output: Any = str,
        after: Refs = (),
        after_end: Refs = (),
        policy: Policy = DEFAULT_POLICY,
        **bindings: Any,
    ) -> Ref[Any]:
        """Add a question to a person; the run handle's `answer(path, value)` completes it."""
        node = Ask(id, question, output, policy=policy)
        return self.add(node, after=after, after_end=after_end, **bindings)


def body_of(
    body: Node[Any] | D, new: Callable[[str], D], optional: Collection[str] = frozenset()
) -> D:
    """
    Return a graph as it is, and a node as a graph of that node alone.

    Args:
        body: The node's required parameters become the inputs of its graph.
        new: Makes an empty graph of a name.
        optional: Optional parameters that become inputs too; a missing one keeps its default.
    """
    if isinstance(body, Definition):
        return body
    if not isinstance(body, Node):
        raise DefinitionError(
            f"{body!r:.60} is neither a node nor a graph; wrap a function: Function('name', fn)"
        )
    graph = new(body.id)
    bindings: dict[str, Any] = {}
    for spec in body.parameters():
        if spec.required or spec.name in optional:
            name = spec.name if spec.name != body.id else f"{spec.name}_"
            default = NO_DEFAULT if spec.required else body.default_of(spec.name)
            bindings[spec.name] = graph.input(name, spec.annotation, default)
    graph.add(body, **bindings)
    return graph
