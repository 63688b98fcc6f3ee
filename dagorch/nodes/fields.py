"""
Fields of values: the keys of mappings, and the declared fields of models and dataclasses.

Nothing else can be read: no property, no method, no other attribute.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin, get_type_hints, is_typeddict

from dagorch.errors import did_you_mean
from dagorch.nodes.types import bare_type, is_union, type_name

__all__ = ["field_type", "get_field"]

_PLAIN: Final = (str, bytes, int, float, complex, list, tuple, set, frozenset, type(None))
"""Classes that have no fields; of other classes, a subclass may declare some."""


def get_field(value: Any, field: str) -> Any:
    """
    Return a field of a mapping, a model or a dataclass; `a.b` is a field of a field.

    Other attributes cannot be read.

    Raises:
        LookupError: The value has no such field.

    Example:
        >>> get_field({"review": {"score": 7}}, "review.score")
        7
    """
    for name in field.split(".") if field else ():
        known: Any = value if isinstance(value, Mapping) else _declared(type(value)) or ()
        if name not in known:
            raise LookupError(_missing(type_name(type(value)), name, known))
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return value


def field_type(annotation: Any, field: str) -> Any:
    """
    Return the type of a field of a type; `Any` if it is not known.

    Raises:
        LookupError: No value of the type has such a field.

    Example:
        >>> @dataclasses.dataclass
        ... class Report:
        ...     title: str
        >>> field_type(dict[str, Report], "first.title")
        <class 'str'>
    """
    for name in field.split(".") if field else ():
        annotation = _type_of_one(bare_type(annotation), name)
    return annotation


def _type_of_one(annotation: Any, name: str) -> Any:
    if is_union(annotation):
        return _type_in_union(get_args(annotation), name)
    if is_typeddict(annotation):
        return _hint(annotation, annotation.__annotations__, name)
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type):
        return Any
    if issubclass(kind, Mapping):
        arguments = get_args(annotation)
        return arguments[1] if len(arguments) == 2 else Any
    declared = _declared(kind)
    if declared is not None:
        return _hint(kind, declared, name)
    if issubclass(kind, _PLAIN):
        raise LookupError(_missing(type_name(annotation), name, ()))
    return Any


def _type_in_union(members: tuple[Any, ...], name: str) -> Any:
    found: list[Any] = []
    missing: LookupError | None = None
    for member in members:
        try:
            found.append(_type_of_one(bare_type(member), name))
        except LookupError as error:
            if bare_type(member) is not type(None):
                missing = missing or error
    if not found and missing is not None:
        raise missing
    return found[0] if len(found) == 1 else Any


def _declared(kind: type) -> Any:
    """Return the names of a class's fields; None if it is neither a model nor a dataclass."""
    if dataclasses.is_dataclass(kind):
        return [declared.name for declared in dataclasses.fields(kind)]
    return getattr(kind, "__pydantic_fields__", None)


def _hint(kind: Any, declared: Any, name: str) -> Any:
    if name not in declared:
        raise LookupError(_missing(type_name(kind), name, declared))
    try:
        return get_type_hints(kind).get(name, Any)
    except Exception:  # the user's expressions are evaluated here
        return Any


def _missing(owner: str, name: str, known: Any) -> str:
    names = [str(key) for key in known]
    hint = did_you_mean(name, names) or (f"; it has {', '.join(names)}" if names else "")
    return f"{owner} has no field {name!r}{hint}"
