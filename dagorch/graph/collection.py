"""
Collections: a list, tuple or dict with refs in it, bound to a parameter as one value.

When the edges of a collection let its node run is the scheduler's rule.
"""

from __future__ import annotations

from collections import ChainMap, UserDict, UserList, deque
from collections.abc import (
    AsyncIterator,
    Callable,
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from contextlib import suppress
from types import MappingProxyType, MemberDescriptorType
from typing import Any

from dagorch.errors import DefinitionError
from dagorch.models.ref import REF_MARK, Ref
from dagorch.nodes.base import Node

__all__ = ["MAX_DEPTH", "Collection", "collect", "refs_in"]

_CONTAINERS = (
    list, tuple, dict, set, frozenset, deque, KeysView, ValuesView, ItemsView, MappingProxyType,
    UserDict, UserList, ChainMap,
)  # fmt: skip
"""
Types that are walked in search of refs. Only lists, tuples and dicts may hold one.

Of other collections and of records only the attributes are searched. To walk them would run the
user's code, and may be costly, as of a sequence that loads its items.
"""

_COLLECTIONS = (*_CONTAINERS, Sequence, Mapping, Set)
_RECORD_MARKS = ("__dataclass_fields__", "__pydantic_fields__")
"""Attributes of the classes of dataclasses and of pydantic models."""

_ITERATOR_MODULES = frozenset({"builtins", "itertools"})
"""Modules whose iterators only yield; others, such as a file or a cursor, can do more."""

MAX_DEPTH = 8
"""Levels of collections within a collection."""

_KINDS = (list, tuple, dict)


class Collection:
    """
    A list, tuple or dict with at least one ref in it; a snapshot of what the caller passed.

    Attributes:
        kind: `list`, `tuple` or `dict`.
        keys: The index or key of each item.
        items: Each a ref, a constant, or a nested `Collection`.
        refs: Every ref, nested ones included, in order; a ref that is used twice is here twice.

    Example:
        >>> texts = collect([Ref(None, "a"), {"b": Ref(None, "b"), "c": 3}])
        >>> texts.labels("texts")
        ['texts[0]', 'texts[1][b]']
        >>> texts.fill(["x", "y"])
        ['x', {'b': 'y', 'c': 3}]
    """

    __slots__ = ("_flat", "items", "keys", "kind", "refs")

    def __init__(self, kind: type, keys: Sequence[Any], items: tuple[Any, ...]) -> None:
        self.kind = kind
        self.keys = keys
        self.items = items
        refs: list[Ref[Any]] = []
        for item in items:
            if isinstance(item, Ref):
                refs.append(item)
            elif isinstance(item, Collection):
                refs += item.refs
        self.refs: tuple[Ref[Any], ...] = tuple(refs)
        self._flat = all(isinstance(item, Ref) for item in items)

    def __repr__(self) -> str:
        return repr(self.fill(self.refs))

    def labels(self, prefix: str) -> list[str]:
        """Return the place of each ref, in the order of `refs`: `texts[0]`, `parts[x]`."""
        found: list[str] = []
        for key, item in zip(self.keys, self.items, strict=True):
            place = f"{prefix}[{key}]"
            if isinstance(item, Ref):
                found.append(place)
            elif isinstance(item, Collection):
                found += item.labels(place)
        return found

    def fill(self, values: Sequence[Any]) -> Any:
        """
        Return a new list, tuple or dict with a value in place of each ref.

        Args:
            values: One per ref, in the order of `refs`.
        """
        if self._flat:
            return self._build(values)
        remaining = iter(values)
        return self.map(lambda _: next(remaining))

    def map(self, function: Callable[[Ref[Any]], Any]) -> Any:
        """Return a new list, tuple or dict with `function(ref)` in place of each ref."""
        return self._build(list(self._mapped(function)))

    def _mapped(self, function: Callable[[Ref[Any]], Any]) -> Iterator[Any]:
        for item in self.items:
            if isinstance(item, Ref):
                yield function(item)
            else:
                yield item.map(function) if isinstance(item, Collection) else item

    def _build(self, items: Sequence[Any]) -> Any:
        if self.kind is dict:
            return dict(zip(self.keys, items, strict=True))
        return self.kind(items)


def refs_in(source: Any) -> tuple[Ref[Any], ...]:
    """Return the refs of a binding: of a ref or a `Collection`; none of a constant."""
    if isinstance(source, Ref):
        return (source,)
    return source.refs if isinstance(source, Collection) else ()


def collect(value: Any) -> Any:
    """
    Return a container with refs in it as a `Collection`, and any other value as it is.

    Raises:
        DefinitionError: A ref is a dict's key, is in a container without an order or of another
            class, or is nested more than `MAX_DEPTH` deep. Or an iterator is bound, which the
            first run would use up, or a text that was made from a ref, or a node itself is in
            the container.

    Cost: O(items), nested ones included.
    """
    return _collect(value, MAX_DEPTH) if _holds_refs(value) else value


def _collect(value: Any, depth: int) -> Collection:
    kind = type(value)
    if kind not in _KINDS:
        raise DefinitionError(
            f"a {kind.__name__} cannot hold refs; pass them in a list, a tuple or a dict"
        )
    if not depth:
        raise DefinitionError(f"refs are nested more than {MAX_DEPTH} deep")
    keys: Sequence[Any] = tuple(value) if kind is dict else range(len(value))
    if kind is dict and any(isinstance(key, Ref) or _holds_refs(key) for key in keys):
        raise DefinitionError("a ref cannot be the key of a dict, only a value in it")
    return Collection(
        kind,
        keys,
        tuple(
            [
                _collect(item, depth - 1) if _holds_refs(item) else item
                for item in (value.values() if kind is dict else value)
            ]
        ),
    )


def _holds_refs(value: Any) -> bool:
    """Tell whether there is a ref in a value, at any depth; a list may contain itself."""
    kind = type(value)
    if not _is_searched(kind):
        _refuse_iterator(kind)
        if issubclass(kind, str):
            _refuse_text_of_ref(value)
        return False
    seen = {id(value)}
    pending = [value]
    for holder in pending:  # grows while it is walked
        is_container = isinstance(holder, _CONTAINERS)
        if not is_container:
            items: Any = tuple(_attributes(holder))
        else:
            items = (*holder, *holder.values()) if isinstance(holder, Mapping) else holder
        kinds = set(map(type, items))  # in C: a constant of 100,000 texts takes 3 ms
        if is_container:
            for kind in kinds:
                _refuse_iterator(kind)
                if issubclass(kind, Node):
                    _refuse_node(next(item for item in items if type(item) is kind))
        if any(issubclass(kind, Ref) for kind in kinds):
            return True
        searched = tuple(filter(_is_searched, kinds))
        if searched:
            for item in items:
                if isinstance(item, searched) and id(item) not in seen:
                    seen.add(id(item))
                    pending.append(item)
    return False


def _is_searched(kind: type) -> bool:
    """Tell whether values of a class may hold refs: containers, collections and records."""
    if kind.__module__ == "builtins":
        return issubclass(kind, _CONTAINERS)
    return issubclass(kind, _COLLECTIONS) or any(hasattr(kind, mark) for mark in _RECORD_MARKS)


def _attributes(value: object) -> Iterator[Any]:
    """Yield what an object's attributes hold, without running its code."""
    yield from getattr(value, "__dict__", {}).values()
    for kind in type(value).__mro__:
        for slot in vars(kind).values():
            if isinstance(slot, MemberDescriptorType):
                with suppress(AttributeError):  # never set
                    yield slot.__get__(value)


def _refuse_text_of_ref(text: str) -> None:
    if REF_MARK in text:
        raise DefinitionError(
            f"{text!r:.60} was made from the repr of a ref; bind the ref itself, or a list of refs"
        )


def _refuse_iterator(kind: type) -> None:
    if kind.__module__ in _ITERATOR_MODULES and issubclass(kind, (Iterator, AsyncIterator)):
        raise DefinitionError(
            f"a {kind.__name__} is empty after the first run; pass its items in a list or a dict"
        )


def _refuse_node(node: Node[Any]) -> None:
    raise DefinitionError(
        f"the node {node.id!r} itself is in it; bind the ref that graph.add(...) returns"
    )
