"""Finds values without a text of their own, which must not be written into a prompt."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import FunctionType
from typing import Any, Final

from dagorch.models.unawaited import SCALARS
from dagorch.models.user_objects import short_repr

__all__ = ["textless"]

_CONTAINERS: Final = (list, tuple, dict, set, frozenset, deque)
_ENGINE: Final = frozenset(
    {
        "dagorch.graph.definition.Definition",
        "dagorch.nodes.base.Node",
        "dagorch.nodes.function.Context",
        "dagorch.orchestrators.base.BaseOrchestrator",
        "dagorch.providers.base.CompletionMethods",
        "dagorch.providers.router.Router",
        "dagorch.runner.api.RunHandle",
    }
)
"""The base classes of graphs, nodes, providers and runs, whose `repr` is for debugging; by name,
because most of them are on floors above."""
_ADDRESS: Final = re.compile(r"<.* at 0x[0-9a-fA-F]+.*>", re.DOTALL)


def textless(value: object) -> str:
    """
    Describe a value that is a class, a function, a node or another object without text.

    Or one that holds such an object, at any depth: in a list, tuple, deque, set, dict, dataclass
    or pydantic model.

    Returns:
        A description with the type; empty for data, and for objects with a `__str__` of their own.

    Example:
        >>> textless([object]).partition(":")[0]
        'a list that holds a type without a text of its own'
        >>> textless(["tea", 0.5])
        ''
    """
    if type(value) in SCALARS:
        return ""
    pending = [value]
    seen = {id(value)}
    for item in pending:  # grows while it is walked
        kind = type(item)
        if _is_textless(item):
            name = f"{kind.__name__} without a text of its own: {short_repr(item, 60)!r}"
            return f"a {name}" if item is value else f"a {type(value).__name__} that holds a {name}"
        held = tuple(_held_by(item))
        if not SCALARS.issuperset(map(type, held)):
            for inner in held:
                if type(inner) not in SCALARS and id(inner) not in seen:
                    seen.add(id(inner))
                    pending.append(inner)
    return ""


def _held_by(value: Any) -> Iterable[object]:
    """Return the values that are written as parts of a value."""
    if isinstance(value, _CONTAINERS):
        return (*value, *value.values()) if isinstance(value, dict) else value
    kind: Any = type(value)
    return [getattr(value, name, None) for name in _fields(kind)]


@lru_cache(maxsize=1024)
def _fields(kind: Any) -> tuple[str, ...]:
    """Return the fields of a dataclass or model that are written as they are."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    if decorators and (decorators.field_serializers or decorators.model_serializers):
        return ()  # the user's own code writes them
    fields = getattr(kind, "__pydantic_fields__", None) or getattr(kind, "__dataclass_fields__", {})
    return tuple(name for name, field in fields.items() if not getattr(field, "exclude", False))


def _is_textless(value: object) -> bool:
    kind: Any = type(value)
    if kind in _CONTAINERS or not _may_be_textless(kind):
        return False
    if _is_never_text(kind):
        return True
    text = str(value)
    if _ADDRESS.fullmatch(text):
        return True
    if isinstance(kind.__repr__, FunctionType):  # a description that the user wrote
        return False
    return text.startswith("<") or callable(value) or isinstance(value, Iterator)


@lru_cache(maxsize=1024)
def _may_be_textless(kind: Any) -> bool:
    if _is_never_text(kind):
        return True
    return kind.__str__ is object.__str__ and not (issubclass(kind, _CONTAINERS) or _fields(kind))


def _is_never_text(kind: type) -> bool:
    names = (f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__)
    return issubclass(kind, type) or not _ENGINE.isdisjoint(names)
