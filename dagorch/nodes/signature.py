"""
Signatures: the parameters and the return type of a callable, with resolved annotations.

`inspect.signature` reads all but plain functions, see `docs/adr/0026`.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, ForwardRef, Literal, get_args, get_origin
from weakref import WeakKeyDictionary, WeakValueDictionary

from dagorch.ids import RESERVED_CHARACTERS

__all__ = ["FunctionSignature", "ParameterSpec", "function_name", "signature_of"]

ParameterKind = Literal["any", "keyword-only", "positional-only"]


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter of a function."""

    name: str
    annotation: Any = Any
    """The resolved annotation; Any if it is absent or cannot be resolved."""
    required: bool = True
    """Whether it has no default."""
    kind: ParameterKind = "any"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class FunctionSignature:
    """The signature of a function, as far as its definition declares it."""

    parameters: tuple[ParameterSpec, ...] = ()
    """In order, without the `self` of a bound method, `*args` and `**kwargs`."""
    accepts_any_keyword: bool = False
    """Whether it takes `**kwargs`."""
    returns: Any = Any
    """The annotation of its (awaited) value; Any if it is absent or cannot be resolved."""
    is_async: bool = False
    """Whether a call returns an awaitable: by `async def`, or by the return annotation."""
    problem: str = ""
    """Why it cannot be called with keywords alone; empty if it can."""
    unresolved: tuple[str, ...] = ()
    """Parameters, or `return`, whose annotation has a name that is not defined (yet)."""


def function_name(function: Callable[..., Any]) -> str:
    """
    Name a user's function for errors and node ids: its own name, or the place of a lambda.

    Example:
        >>> def is_short(context): ...
        >>> function_name(is_short)
        'is_short'
    """
    name = getattr(function, "__name__", "")
    code = getattr(function, "__code__", None)
    if name == "<lambda>" and code is not None:
        name = f"lambda of {Path(code.co_filename).name}:{code.co_firstlineno}"
    return RESERVED_CHARACTERS.sub("_", name or type(function).__name__)


def signature_of(fn: Callable[..., Any]) -> FunctionSignature:
    """
    Return the signature of a callable: a function, method, class, partial or callable object.

    Decorators are followed through `__wrapped__`. String annotations are resolved in the
    function's module and closure. A signature is kept while its function lives, unless an
    annotation could not be resolved, because its name may be defined later.

    Args:
        fn: Any callable. A built-in without a signature gets a `problem`.

    Cost: O(parameters) for the first call with a function; then a look-up.

    Example:
        >>> async def views(topic: str, *, count: int = 3) -> list[str]: ...
        >>> signature = signature_of(views)
        >>> [(p.name, p.annotation, p.required) for p in signature.parameters]
        [('topic', <class 'str'>, True), ('count', <class 'int'>, False)]
        >>> signature.is_async, signature.returns
        (True, list[str])
        >>> signature_of(len).problem
        "parameter 'obj' is positional-only; nodes receive inputs by name"
    """
    # A bound method is a new object each time it is read, so its function is the key. An object
    # with a `__call__` may be unhashable; the function in its class is not.
    target: Any = fn
    if not isinstance(fn, _OWN_KEYS):
        if isinstance(fn, types.MethodType):
            target = fn.__func__
        elif callable(fn):
            target = type(fn).__call__
    bound = target is not fn
    plain = isinstance(target, types.FunctionType) and not _looks_unlike_its_code(target)
    cache, key = (_BOUND if bound else _FREE, target) if plain else (_FREE, fn)
    try:
        known = cache.get(key)
    except TypeError:  # neither weakly referable nor hashable
        return _read_foreign(fn)
    if known is None:
        known = _read_plain(target, int(bound)) if plain else _read_foreign(fn)
        # The signature of a class refers to the class, so it would keep its own key alive.
        if not known.unresolved and not isinstance(fn, type):
            if len(cache) >= _KEPT:
                cache.clear()
            cache[key] = known
    return known


# With many functions, an entry for each would cost more in the cycle collector than reading a
# signature again.
_KEPT = 1_000
_FREE: WeakKeyDictionary[Any, FunctionSignature] = WeakKeyDictionary()
_BOUND: WeakKeyDictionary[Any, FunctionSignature] = WeakKeyDictionary()
_OWN_KEYS = (types.FunctionType, type)
_KINDS: dict[Any, ParameterKind] = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "any",
    inspect.Parameter.KEYWORD_ONLY: "keyword-only",
}


def _looks_unlike_its_code(fn: types.FunctionType) -> bool:
    # `inspect` handles these attributes. Reading `__dict__` instead would create one for each
    # function that has none yet.
    return (
        hasattr(fn, "__wrapped__")
        or hasattr(fn, "__signature__")
        or hasattr(fn, "_is_coroutine_mark")
    )


class _Scope:
    """Resolves the annotations of one function, and records which cannot be resolved."""

    __slots__ = ("module", "names", "unresolved")

    def __init__(self, module: dict[str, Any], names: dict[str, Any]) -> None:
        self.module = module
        self.names = names
        self.unresolved: list[str] = []

    def resolve(self, name: str, note: Any) -> Any:
        if type(note) is type:
            return note
        try:
            if isinstance(note, str):
                # What get_type_hints does, without its 30 microseconds of checks.
                note = eval(_compiled(note), self.module, self.names)  # noqa: S307
            if type(note) is not type and _has_forward_reference(note):
                note = _hint(note, self.module, self.names)
        except Exception:  # the annotation may be any expression of the user's
            self.unresolved.append(name)
            return Any
        return types.NoneType if note is None else note


@lru_cache(maxsize=1024)
def _compiled(note: str) -> types.CodeType:
    return compile(note, "<annotation>", "eval", dont_inherit=True)


def _has_forward_reference(note: Any) -> bool:
    if isinstance(note, type):
        return False
    if isinstance(note, (str, ForwardRef)):
        return True
    origin = get_origin(note)
    if origin is Literal:
        return False
    args = note if isinstance(note, list) else get_args(note)
    if origin is Annotated:
        args = args[:1]
    return any(map(_has_forward_reference, args))


def _hint(note: Any, module: dict[str, Any], names: dict[str, Any]) -> Any:
    def holder() -> None: ...

    holder.__annotations__ = {"note": note}
    return typing.get_type_hints(holder, module, names, include_extras=True)["note"]


def _read_plain(fn: types.FunctionType, skipped: int) -> FunctionSignature:
    code, notes = fn.__code__, fn.__annotations__
    count, flags = code.co_argcount, code.co_flags
    named = count + code.co_kwonlyargcount
    names = code.co_varnames[: named + 1 if flags & inspect.CO_VARARGS else named]
    keyword_defaults = tuple(fn.__kwdefaults__ or ())
    defaults = len(fn.__defaults__ or ())
    shape = (names, skipped, count, code.co_posonlyargcount, flags, defaults, keyword_defaults)

    scope = _Scope(fn.__globals__, _enclosed(fn))
    found: list[Any] = []
    shared = True
    for name in (*names[skipped:named], "return"):
        note = notes.get(name, Any)
        if type(note) is not type and note is not Any:
            note = scope.resolve(name, note)
            shared = shared and isinstance(note, type)
        found.append(note)
    if scope.unresolved or not shared:
        return _from_shape(shape, found, tuple(scope.unresolved))
    key = (shape, *map(id, found))
    known = _SHARED.get(key)
    if known is None:
        _SHARED[key] = known = _from_shape(shape, found, ())
    return known


# What a plain function's code says of its parameters, apart from types: all names, with that of
# `*args` last; the number that is bound already, that is positional, and that is positional only;
# the code's flags; the number of positional defaults, and the names with keyword defaults.
_Shape = tuple[tuple[str, ...], int, int, int, int, int, tuple[str, ...]]

# Functions of one shape share a signature if their annotations are the same classes. The
# signature keeps the classes alive, so their ids stay valid. Other annotations are mostly new
# objects in each function.
_SHARED: WeakValueDictionary[tuple[Any, ...], FunctionSignature] = WeakValueDictionary()


def _from_shape(shape: _Shape, found: list[Any], unresolved: tuple[str, ...]) -> FunctionSignature:
    names, skipped, count, only, flags, defaults, keyword_defaults = shape
    parameters = []
    for index, note in enumerate(found[:-1], skipped):
        name = names[index]
        if index < count:
            required = index < count - defaults
            kind: ParameterKind = "positional-only" if index < only else "any"
        else:
            required = name not in keyword_defaults
            kind = "keyword-only"
        parameters.append(ParameterSpec(name, note, required, kind))
    return _signature(
        parameters,
        found[-1],
        unresolved,
        star=names[-1] if flags & inspect.CO_VARARGS else "",
        any_keyword=bool(flags & inspect.CO_VARKEYWORDS),
        is_async=bool(flags & inspect.CO_COROUTINE),
    )


def _enclosed(fn: types.FunctionType) -> dict[str, Any]:
    """Return the names that only the function sees: its type parameters and its closure."""
    parameters = getattr(fn, "__type_params__", ())
    names: dict[str, Any] = {t.__name__: t for t in parameters} if parameters else {}
    if fn.__closure__:
        for name, cell in zip(fn.__code__.co_freevars, fn.__closure__, strict=True):
            try:
                names[name] = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
    return names


def _read_foreign(fn: Callable[..., Any]) -> FunctionSignature:
    try:
        found = inspect.signature(fn)
    except (TypeError, ValueError):
        name = getattr(fn, "__name__", type(fn).__name__)
        return FunctionSignature(
            problem=f"{name!r} has no readable signature; wrap it in a function"
        )
    called: Any = fn
    while isinstance(called, partial):
        called = called.func
    inner = inspect.unwrap(called)
    inner = getattr(inner, "__func__", inner)
    module = sys.modules.get(getattr(inner, "__module__", None) or "")
    scope = _Scope(getattr(inner, "__globals__", None) or getattr(module, "__dict__", {}), {})
    parameters, star, any_keyword = [], "", False
    for name, parameter in found.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            star = name
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            any_keyword = True
        else:
            bare = parameter.annotation is inspect.Parameter.empty
            note = Any if bare else scope.resolve(name, parameter.annotation)
            required = parameter.default is inspect.Parameter.empty
            parameters.append(ParameterSpec(name, note, required, _KINDS[parameter.kind]))
    returns = fn if isinstance(fn, type) else found.return_annotation
    returns = Any if returns is inspect.Signature.empty else scope.resolve("return", returns)
    return _signature(
        parameters,
        returns,
        tuple(scope.unresolved),
        star=star,
        any_keyword=any_keyword,
        is_async=any(map(inspect.iscoroutinefunction, (called, type(called).__call__))),
    )


def _signature(
    parameters: list[ParameterSpec],
    returns: Any,
    unresolved: tuple[str, ...],
    *,
    star: str,
    any_keyword: bool,
    is_async: bool,
) -> FunctionSignature:
    problem = ""
    if parameters and parameters[0].kind == "positional-only":
        only = parameters[0].name
        problem = f"parameter {only!r} is positional-only; nodes receive inputs by name"
    elif star:
        problem = f"parameter '*{star}' has no names; nodes receive inputs by name"
    if not is_async:
        origin = get_origin(returns) or returns
        if isinstance(origin, type) and issubclass(origin, Awaitable):
            # Awaitable[T], Future[T], Coroutine[Y, S, T]: the type of the result comes last.
            returns, is_async = (get_args(returns) or (Any,))[-1], True
    return FunctionSignature(tuple(parameters), any_keyword, returns, is_async, problem, unresolved)
