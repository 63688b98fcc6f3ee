"""
Annotations: which value may flow where, how a value is tested, and how a type is named.

Only what is certainly wrong is refused, so unknown types match everything. A wrong graph should
fail before any call is paid for, but a right one must never be refused.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import lru_cache, partial
from itertools import repeat
from typing import Annotated, Any, ForwardRef, Literal, NewType, Union, get_args, get_origin

from dagorch.models.truncate import truncate

__all__ = [
    "bare_type",
    "can_flow",
    "is_plain_value",
    "is_union",
    "type_name",
    "value_check",
]

_PLAIN_VALUES = (bool, int, float, complex, bytes, list, tuple, set, frozenset, dict)
Check = Callable[[object], bool]

# A type nested deeper than this, or an alias that names itself, counts as unknown.
_DEPTH = 12
_MAX_NAME = 120
_MAX_MEMBERS = 1_000
# Containers whose arguments correspond from the left: dict[K, V] is an Iterable[K].
_ALIGNED_MODULES = frozenset({"builtins", "collections", "collections.abc"})
_CALLABLE: Any = collections.abc.Callable
_UNALIGNED = (collections.abc.ItemsView, collections.abc.Coroutine, _CALLABLE)
_EXCLUSIVE = (Sequence, Mapping, Set)
_TEXTS: dict[type, tuple[type, ...]] = {str: (str,), bytes: (int,)}
_NUMBERS: dict[type, tuple[type, ...]] = {float: (float, int), complex: (complex, float, int)}


def can_flow(source: Any, target: Any) -> bool:
    """
    Tell whether a value annotated `source` may be passed to a parameter annotated `target`.

    The result is False only if the two certainly cannot match. A narrowing (a base class to its
    subclass, an optional to its type) may match. So may anything with `Any`, `object`, a type
    variable, an annotation that cannot be resolved, or a protocol that cannot be checked. Generics
    are compared by origin and by each argument; missing arguments match all. As in a type
    checker, an int is a float but a float is not an int, and a `TypedDict` is a dict of str keys.

    Args:
        source: The annotation of the value.
        target: The annotation of the parameter.

    Cost: O(1) for a pair that was compared before.
    Source: PEP 484, with the benefit of the doubt.

    Example:
        >>> can_flow(list[str], Sequence[str]), can_flow(list[str], list[int])
        (True, False)
        >>> can_flow(str | None, str), can_flow(int, float), can_flow(list[str], str)
        (True, True, False)
    """
    if source is target:
        return True
    try:
        return _cached_flow(source, target)
    except TypeError:  # unhashable: Annotated[str, []]
        return _flow(source, target, _DEPTH)


def type_name(t: Any) -> str:
    """
    Return a short readable name of an annotation, for messages.

    It has at most 120 characters. Types nested more than four deep are left out.

    Example:
        >>> type_name(list[str]), type_name(typing.Optional[int]), type_name(Literal["a", 1])
        ('list[str]', 'int | None', "Literal['a', 1]")
        >>> type_name(Callable[[int], str]), type_name(inspect.Parameter.empty)
        ('Callable[[int], str]', 'Any')
    """
    return truncate(_name(t, 4), _MAX_NAME)


def value_check(t: Any) -> Check | None:
    """
    Return a fast test that a value fits an annotation, or None if nothing can be tested.

    The test is shallow: for `list[str]` it tests that the value is a list. A test of the items
    would cost O(n) per node run, and consume iterators. An int passes as a float, a bool as an
    int, a dict as any `TypedDict`.

    Example:
        >>> fits = value_check(list[str] | None)
        >>> fits(["a"]), fits(None), fits("a")
        (True, True, False)
        >>> value_check(Any) is None
        True
    """
    try:
        return _cached_check(t)
    except TypeError:
        return _check(t)


def is_plain_value(t: Any) -> bool:
    """
    Return whether an annotation is a value in the place of a type.

    Example:
        >>> is_plain_value(3), is_plain_value([]), is_plain_value(int), is_plain_value("Later")
        (True, True, False, False)
    """
    return isinstance(t, _PLAIN_VALUES)


def bare_type(t: Any) -> Any:
    """Return a type without Annotated, NewType and alias; Any if it is unknown."""
    for _ in range(_DEPTH):
        if t is None:
            return types.NoneType
        if isinstance(t, NewType):
            t = t.__supertype__
        elif get_origin(t) is Annotated:
            t = t.__origin__
        elif type(t).__name__ == "TypeAliasType":  # `type X = ...`, Python 3.12 and up
            try:
                t = t.__value__
            except Exception:  # the user's expression is evaluated here
                return Any
        else:
            break
    if t is object or t is inspect.Parameter.empty:
        return Any
    return t


def is_union(t: Any) -> bool:
    """Return whether an annotation is a union."""
    return get_origin(t) in (Union, types.UnionType)


def _is_literal(t: Any) -> bool:
    return get_origin(t) is Literal


def _split(t: Any) -> tuple[type, tuple[Any, ...]] | None:
    """Return a type's class and arguments, or None if it has no class that can be tested."""
    if typing.is_typeddict(t):
        return dict, (str, Any)
    generic = getattr(t, "__pydantic_generic_metadata__", None)
    if generic and generic["origin"]:  # Model[int] is a class, unrelated to Model[Any]
        return generic["origin"], generic["args"]
    origin = get_origin(t) or t
    if not isinstance(origin, type):
        return None
    return origin, get_args(t) or _TEXTS.get(origin, ())


def _flow(source: Any, target: Any, depth: int) -> bool:
    source, target = bare_type(source), bare_type(target)
    if depth == 0 or source is target or source is Any or target is Any:
        return True
    if is_union(source):
        return any(_flow(member, target, depth - 1) for member in get_args(source))
    if is_union(target):
        return any(_flow(source, member, depth - 1) for member in get_args(target))
    if _is_literal(source):
        fits = value_check(target)
        return any(
            (fits is None or fits(value)) and _flow(type(value), target, depth - 1)
            for value in get_args(source)
        )
    if _is_literal(target):
        fits = value_check(source)
        return any(
            (fits is None or fits(value)) and _flow(source, type(value), depth - 1)
            for value in get_args(target)
        )
    left, right = _split(source), _split(target)
    if left is None or right is None:
        return True
    if not _related(left[0], right[0]):
        return False
    if not left[1] or not right[1]:
        return True
    return all(_flow(a, b, depth - 1) for a, b in _argument_pairs(left, right))


def _related(source: type, target: type) -> bool:
    """Tell whether an object can be an instance of both."""
    try:
        if issubclass(source, target) or issubclass(target, source):
            return True
        if issubclass(source, _NUMBERS.get(target, ())):
            return True
    except TypeError:  # a protocol that is not made to be tested
        return True
    if not (_is_abstract(source) and _is_abstract(target)):
        return False
    families = [{kind for kind in _EXCLUSIVE if issubclass(t, kind)} for t in (source, target)]
    return not all(families) or families[0] == families[1]


def _is_abstract(t: type) -> bool:
    return inspect.isabstract(t) or getattr(t, "_is_protocol", False)


def _argument_pairs(
    left: tuple[type, tuple[Any, ...]], right: tuple[type, tuple[Any, ...]]
) -> Iterable[tuple[Any, Any]]:
    """Pair the arguments that must match; tuples of different lengths yield a pair that cannot."""
    origins = left[0], right[0]
    if origins[0] is not origins[1]:  # a generic of the user's may have its arguments in any order
        if any(t.__module__ not in _ALIGNED_MODULES or t in _UNALIGNED for t in origins):
            return ()
    elif origins[0] is _CALLABLE:
        return ()
    if tuple not in origins:
        return zip(left[1], right[1], strict=False)
    (a, a_open), (b, b_open) = _items(*left), _items(*right)
    if a_open and b_open:
        return [(a[0], b[0])]
    if a_open or b_open:
        return zip(repeat(a[0]) if a_open else a, repeat(b[0]) if b_open else b, strict=False)
    return zip(a, b, strict=True) if len(a) == len(b) else [(int, str)]


def _items(origin: type, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], bool]:
    """Return the item types of a tuple or another sequence, and whether its length is open."""
    if origin is not tuple:
        return args[:1], True
    if any(getattr(arg, "__unpacked__", False) or get_origin(arg) is typing.Unpack for arg in args):
        return (Any,), True
    return (args[:1], True) if args[-1] is Ellipsis else (args, False)


_cached_flow = lru_cache(maxsize=4096)(partial(_flow, depth=_DEPTH))


def _name(t: Any, depth: int) -> str:
    if t is None or t is types.NoneType:
        return "None"
    if t is Ellipsis:
        return "..."
    if isinstance(t, str | ForwardRef):
        return t if isinstance(t, str) else t.__forward_arg__
    if t is inspect.Parameter.empty:
        return "Any"
    origin, args = get_origin(t), get_args(t)
    if origin is Annotated:
        return _name(t.__origin__, depth)
    if _is_literal(t):
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin is None and not isinstance(t, list):
        return getattr(t, "__name__", None) or repr(t).removeprefix("typing.")
    if depth == 0:
        return "..."
    if isinstance(t, list):  # the parameters of a Callable
        return f"[{', '.join(_name(item, depth - 1) for item in t)}]"
    if is_union(t):
        return " | ".join(_name(arg, depth - 1) for arg in args)
    inner = ", ".join(_name(arg, depth - 1) for arg in args)
    return _name(origin, depth) + (f"[{inner}]" if inner else "")


def _check(t: Any) -> Check | None:
    kinds: list[type] = []
    tests: list[Check] = []
    members = [t]
    for member in members:  # grows while unions are opened
        bare = bare_type(member)
        if is_union(bare):
            members.extend(get_args(bare))
            continue
        found = _own_test(bare)
        if found is None or len(members) > _MAX_MEMBERS:
            return None
        if isinstance(found, tuple):
            kinds.extend(found)
        else:
            tests.append(found)
    if kinds:
        tests.insert(0, _instance_test(kinds))
    if len(tests) == 1:
        return tests[0]

    def fits_any(value: object) -> bool:
        for test in tests:  # noqa: SIM110 - any() over a generator takes three times as long
            if test(value):
                return True
        return False

    return fits_any


def _own_test(t: Any) -> Check | tuple[type, ...] | None:
    """Return the classes that a type stands for, or a test for it; None if it has neither."""
    if _is_literal(t):
        return _literal_test(get_args(t))
    parts = None if t is Any else _split(t)
    if parts is None:
        return None
    kind = parts[0]
    if kind is _CALLABLE:
        return callable
    try:
        isinstance(None, kind)
    except TypeError:  # a protocol that is not made to be tested
        return None
    return _NUMBERS.get(kind, (kind,))


def _instance_test(kinds: list[type]) -> Check:
    if len(kinds) == 1 and type(kinds[0]) is type:
        # isinstance itself, bound in C: 25 ns, where a lambda around it takes 65.
        return typing.cast("Check", type.__instancecheck__.__get__(kinds[0]))
    wanted = kinds[0] if len(kinds) == 1 else tuple(kinds)
    return lambda value: isinstance(value, wanted)


def _literal_test(values: tuple[Any, ...]) -> Check:
    kinds = tuple({type(value) for value in values})
    if bool in kinds or int in kinds:  # True == 1, but Literal[1] does not hold True
        return lambda value: any(
            value == known and isinstance(value, bool) == isinstance(known, bool)
            for known in values
            if isinstance(value, type(known))
        )
    return lambda value: isinstance(value, kinds) and value in values


_cached_check = lru_cache(maxsize=4096)(_check)
