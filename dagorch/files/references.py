"""
Functions and classes by reference, `module:name`: which may be named, finding one, naming one.

Nothing is imported that was not allowed.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.files.plain import plain
from dagorch.models.ref import Ref
from dagorch.nodes.function import Function

__all__ = ["TRUSTED", "found", "named", "refusal", "written"]

TRUSTED: Final = (
    "dagorch.models",
    "dagorch.nodes.conditions",
    "dagorch.nodes.deciding",
    "dagorch.nodes.reducers",
    "dagorch.patterns",
)
"""Modules of our own that every file may name: nothing in them reaches beyond its arguments."""

_FORM: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def refusal(reference: str, modules: Iterable[str]) -> str:
    """
    Say why a file may not name this; empty if it may. Nothing is imported.

    Example:
        >>> refusal("my.steps:score", ["my"]), refusal("dagorch.nodes.reducers:first", [])
        ('', '')
        >>> refusal("os:system", ["my"])
        "module 'os' is not allowed; load with modules=('os',), or --allow os, if you trust it"
    """
    if not _FORM.fullmatch(reference):
        return f"{reference!r:.80} is not of the form module:name"
    module, _, name = reference.partition(":")
    if any(part.startswith("__") for part in name.split(".")):
        return f"{reference!r:.80} names what is Python's own"
    if not _is_allowed(module, modules):
        return (
            f"module {module!r:.80} is not allowed; load with modules=({module!r:.80},), or "
            f"--allow {module:.80}, if you trust it"
        )
    return ""


def _is_allowed(module: str, modules: Iterable[str]) -> bool:
    """Whether a module, or a package that it is in, was allowed."""
    return any(module == known or module.startswith(f"{known}.") for known in (*TRUSTED, *modules))


def found(reference: str, modules: Iterable[str]) -> Any:
    """
    Import what is named. Of a node added by `@graph.function`, its function.

    Raises:
        DefinitionError: It may not be named, is not there, or is another module's.
    """
    modules = tuple(modules)
    if said := refusal(reference, modules):
        raise DefinitionError(said)
    module, _, name = reference.partition(":")
    try:
        thing: Any = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise DefinitionError(
            f"module {module!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    for part in name.split("."):
        if not hasattr(thing, part):
            public = [known for known in dir(thing) if not known.startswith("_")]
            raise DefinitionError(f"{reference}: there is no {part!r}{did_you_mean(part, public)}")
        thing = getattr(thing, part)
    thing = _inside(thing)
    home = _home(thing)
    if not _is_allowed(home, modules):  # what an allowed module has imported is not its own
        raise DefinitionError(
            f"{reference} is of module {home!r}, which is not allowed; name it there, and load "
            f"with modules=({home!r},), or --allow {home}, if you trust it"
        )
    return thing


def named(thing: Any) -> str:
    """
    Give the reference of a function or class.

    Raises:
        DefinitionError: A file cannot name it; the message tells what to do.

    Example:
        >>> from dagorch.nodes.reducers import first
        >>> named(first)
        'dagorch.nodes.reducers:first'
        >>> named(lambda: 1)
        Traceback (most recent call last):
            ...
        dagorch.errors.DefinitionError: it is a lambda; define it with def in a module of your own
    """
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise DefinitionError(
            f"it is an object of {type(thing).__module__}.{type(thing).__qualname__}, which has no "
            "name of its own; give a function of a module"
        )
    if "<locals>" in name and module.startswith("dagorch."):
        raise DefinitionError(
            "an orchestrator made it, and it holds what no file can: its handlers, sources or "
            "provider; keep the orchestrator in Python"
        )
    if "<lambda>" in name:
        raise DefinitionError("it is a lambda; define it with def in a module of your own")
    if "<locals>" in name:
        raise DefinitionError(
            f"{name.rpartition('.')[2]!r} is defined inside of {name.partition('.<locals>')[0]!r}; "
            "define it at the top of a module, and give what it closes over by partial(...) or "
            "as an input"
        )
    if module == "__main__":
        raise DefinitionError(
            f"{name!r} is defined in the script that runs; put it into a module that can be "
            "imported"
        )
    there: Any = sys.modules.get(module)
    for part in name.split("."):
        there = getattr(there, part, None)
    if _inside(there) != thing:
        raise DefinitionError(
            f"{module}:{name} is something else, or is bound to an object; define it under a name "
            "of its own at the top of a module"
        )
    return f"{module}:{name}"


def written(call: Any) -> Any:
    """
    Give how a file has a function: its reference, and what a `partial` gives it by name.

    Raises:
        DefinitionError: See `named`.
    """
    if not isinstance(call, partial):
        return named(call)
    if call.args:
        raise DefinitionError("it is a partial with arguments by position; give them by name")
    given = {name: plain(value) for name, value in call.keywords.items()}
    return {"function": named(call.func), "with": given}


def _inside(thing: Any) -> Any:
    """Of a node that a decorator left in the place of its function, the function."""
    if isinstance(thing, Ref) and thing.id in thing.graph:
        node = thing.graph.node(thing.id)
        return node.fn if isinstance(node, Function) else thing
    return thing


def _home(thing: Any) -> str:
    while isinstance(thing, partial):
        thing = thing.func
    return str(getattr(thing, "__module__", None))
