"""What a function takes and gives, read off its definition; nothing here calls it."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated, Any, ForwardRef, Literal, get_args, get_origin
from weakref import WeakKeyDictionary

__all__ = ["FunctionSignature", "ParameterSpec", "signature_of"]

ParameterKind = Literal["any", "keyword-only", "positional-only"]


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter of a function."""

    name: str
    annotation: Any = Any
    """Resolved; Any if absent or unresolvable."""
    required: bool = True
    """Whether it has no default."""
    kind: ParameterKind = "any"


@dataclass(frozen=True, slots=True)
class FunctionSignature:
    """What a function takes and gives, as far as its definition tells."""

    parameters: tuple[ParameterSpec, ...] = ()
    """In order of definition, without `self` of a bound method, `*args` and `**kwargs`."""
    accepts_any_keyword: bool = False
    """Whether it takes `**kwargs`."""
    returns: Any = Any
    """What it gives once awaited; Any if absent or unresolvable."""
    is_async: bool = False
    """Whether calling it gives an awaitable: by `async def`, or by its return annotation."""
    problem: str = ""
    """Why it cannot be called by name alone; empty if it can."""
    unresolved: tuple[str, ...] = ()
    """Parameters, or `return`, whose annotation names what is not (yet) defined."""


def signature_of(fn: Callable[..., Any]) -> FunctionSignature:
    """
    Give what a callable takes and gives: functions, methods, classes, partials, objects.

    Decorators are looked through by `__wrapped__`; string annotations are resolved in the
    function's module and closure. Kept per function for as long as the function lives, unless
    an annotation was unresolved: asked again, it may be defined by then.

    Args:
        fn: Any callable. A built-in that does not tell its parameters gets a `problem`.

    Cost: for a plain function O(parameters), without `inspect.signature`, which is slower by
        an order of magnitude; then a look-up.

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
    # A bound method is a new object each time it is read: its function is the key. An object
    # with a `__call__` may be unhashable, its class's function is not.
    target: Any = fn
    if isinstance(fn, types.MethodType):
        target = fn.__func__
    elif not isinstance(fn, _OWN_KEYS) and callable(fn):
        target = type(fn).__call__
    bound = target is not fn
    plain = isinstance(target, types.FunctionType) and _OVERRIDES.isdisjoint(target.__dict__)
    cache, key = (_BOUND if bound else _FREE, target) if plain else (_FREE, fn)
    try:
        known = cache.get(key)
    except TypeError:  # neither weakly referable nor hashable
        return _read_foreign(fn)
    if known is None:
        known = _read_plain(target, int(bound)) if plain else _read_foreign(fn)
        # A class's signature returns the class: kept, it would keep its own key alive.
        if not known.unresolved and not isinstance(fn, type):
            cache[key] = known
    return known


_FREE: WeakKeyDictionary[Any, FunctionSignature] = WeakKeyDictionary()
_BOUND: WeakKeyDictionary[Any, FunctionSignature] = WeakKeyDictionary()
_OWN_KEYS = (types.FunctionType, type)
# Attributes that make a function look unlike its code; `inspect` knows what they mean.
_OVERRIDES = frozenset({"__wrapped__", "__signature__", "_is_coroutine_mark"})
_KINDS: dict[Any, ParameterKind] = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "any",
    inspect.Parameter.KEYWORD_ONLY: "keyword-only",
}


class _Scope:
    """Resolves the annotations of one function, and remembers which could not be."""

    __slots__ = ("module", "names", "unresolved")

    def __init__(self, module: dict[str, Any], names: Mapping[str, Any]) -> None:
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
        except Exception:  # the user's expression is evaluated here
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


def _hint(note: Any, module: dict[str, Any], names: Mapping[str, Any]) -> Any:
    def holder() -> None: ...

    holder.__annotations__ = {"note": note}
    return typing.get_type_hints(holder, module, names, include_extras=True)["note"]


def _read_plain(fn: types.FunctionType, skipped: int) -> FunctionSignature:
    code, notes = fn.__code__, fn.__annotations__
    scope = _Scope(fn.__globals__, _enclosed(fn))
    count, only = code.co_argcount, code.co_posonlyargcount
    optional = count - len(fn.__defaults__ or ())
    names = code.co_varnames
    parameters = [
        ParameterSpec(
            name,
            scope.resolve(name, notes[name]) if name in notes else Any,
            index < optional,
            "positional-only" if index < only else "any",
        )
        for index, name in enumerate(names[skipped:count], skipped)
    ]
    star = count + code.co_kwonlyargcount
    defaults = fn.__kwdefaults__ or {}
    for name in names[count:star]:
        note = scope.resolve(name, notes[name]) if name in notes else Any
        parameters.append(ParameterSpec(name, note, name not in defaults, "keyword-only"))
    return _signature(
        parameters,
        scope,
        star=names[star] if code.co_flags & inspect.CO_VARARGS else "",
        any_keyword=bool(code.co_flags & inspect.CO_VARKEYWORDS),
        returns=notes.get("return", Any),
        is_async=bool(code.co_flags & inspect.CO_COROUTINE),
    )


def _enclosed(fn: types.FunctionType) -> dict[str, Any]:
    """Give the names that only the function sees: type parameters (3.12) and its closure."""
    names: dict[str, Any] = {t.__name__: t for t in getattr(fn, "__type_params__", ())}
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
        return FunctionSignature(problem=f"{name!r} hides its parameters; wrap it in a function")
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
    return _signature(
        parameters,
        scope,
        star=star,
        any_keyword=any_keyword,
        returns=Any if returns is inspect.Signature.empty else returns,
        is_async=any(map(inspect.iscoroutinefunction, (called, type(called).__call__))),
    )


def _signature(
    parameters: list[ParameterSpec],
    scope: _Scope,
    *,
    star: str,
    any_keyword: bool,
    returns: Any,
    is_async: bool,
) -> FunctionSignature:
    problem = ""
    if parameters and parameters[0].kind == "positional-only":
        only = parameters[0].name
        problem = f"parameter {only!r} is positional-only; nodes receive inputs by name"
    elif star:
        problem = f"parameter '*{star}' has no names; nodes receive inputs by name"
    returns = scope.resolve("return", returns)
    if not is_async:
        origin = get_origin(returns) or returns
        if isinstance(origin, type) and issubclass(origin, Awaitable):
            # Awaitable[T], Future[T], Coroutine[Y, S, T]: what awaiting gives comes last.
            returns, is_async = (get_args(returns) or (Any,))[-1], True
    return FunctionSignature(
        tuple(parameters), any_keyword, returns, is_async, problem, tuple(scope.unresolved)
    )
