"""
References to functions and classes, `module:name`: the allowed ones, importing, and naming.

Nothing outside the allowed modules is imported.
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

__all__ = [
    "TRUSTED", "function_data", "import_reference", "is_allowed", "malformation", "reference_to",
    "refusal",
]  # fmt: skip

TRUSTED: Final = (
    "dagorch.models",
    "dagorch.nodes.conditions",
    "dagorch.nodes.choice",
    "dagorch.nodes.reducers",
    "dagorch.patterns",
)
"""Modules of dagorch that every file may name. Their functions use only their arguments."""

_FORM: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def refusal(reference: str, modules: Iterable[str]) -> str:
    """
    Return why a file may not name this, or an empty string. Nothing is imported.

    Example:
        >>> refusal("my.steps:score", ["my"]), refusal("dagorch.nodes.reducers:first", [])
        ('', '')
        >>> refusal("os:system", ["my"])
        "module 'os' is not allowed; load with modules=('os',), or --allow os, if you trust it"
    """
    if problem := malformation(reference):
        return problem
    module = reference.partition(":")[0]
    if not is_allowed(module, modules):
        return (
            f"module {module!r:.80} is not allowed; load with modules=({module!r:.80},), or "
            f"--allow {module:.80}, if you trust it"
        )
    return ""


def malformation(reference: str) -> str:
    """Return why a text cannot name a function or class, or an empty string."""
    if not _FORM.fullmatch(reference):
        return f"{reference!r:.80} is not of the form module:name"
    name = reference.partition(":")[2]
    if any(part.startswith("__") for part in name.split(".")):
        return f"{reference!r:.80} names an internal of Python; name a function or class"
    return ""


def is_allowed(module: str, modules: Iterable[str]) -> bool:
    """Return whether a module, or a package that contains it, is allowed."""
    return any(module == known or module.startswith(f"{known}.") for known in (*TRUSTED, *modules))


def import_reference(reference: str, modules: Iterable[str]) -> Any:
    """
    Import a function or class; of a node added by `@graph.function`, its function.

    Raises:
        DefinitionError: The reference is not allowed, does not exist, or is defined in a module
            that is not allowed.
    """
    modules = tuple(modules)
    if problem := refusal(reference, modules):
        raise DefinitionError(problem)
    module, _, name = reference.partition(":")
    try:
        value: Any = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise DefinitionError(
            f"module {module!r} cannot be imported: {type(error).__name__}: {error}"
            f"{_allow_hint(error)}"
        ) from error
    for part in name.split("."):
        if not hasattr(value, part):
            public = [known for known in dir(value) if not known.startswith("_")]
            raise DefinitionError(f"{reference}: there is no {part!r}{did_you_mean(part, public)}")
        value = getattr(value, part)
    value = _unwrap_node(value)
    home = _home(value)
    if not is_allowed(home, modules):  # an import of an allowed module is not its own
        raise DefinitionError(
            f"{reference} is defined in module {home!r}, which is not allowed; name it there, and "
            f"load with modules=({home!r},), or --allow {home}, if you trust it"
        )
    return value


def reference_to(value: Any) -> str:
    """
    Return the reference to a function or class.

    Raises:
        DefinitionError: A file cannot name it. The message says what to do.

    Example:
        >>> from dagorch.nodes.reducers import first
        >>> reference_to(first)
        'dagorch.nodes.reducers:first'
        >>> reference_to(lambda: 1)
        Traceback (most recent call last):
            ...
        dagorch.errors.DefinitionError: it is a lambda; define it with def in a module of your own
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise DefinitionError(
            f"it is an object of {type(value).__module__}.{type(value).__qualname__}, which has no "
            "name of its own; use a function of a module"
        )
    if "<locals>" in name and module.startswith("dagorch."):
        raise DefinitionError(
            "it belongs to an orchestrator and holds its handlers, sources or provider, which a "
            "file cannot; keep the orchestrator in Python"
        )
    if "<lambda>" in name:
        raise DefinitionError("it is a lambda; define it with def in a module of your own")
    if "<locals>" in name:
        raise DefinitionError(
            f"{name.rpartition('.')[2]!r} is defined inside {name.partition('.<locals>')[0]!r}; "
            "define it at the top of a module, and pass what it closes over through partial(...) "
            "or as an input"
        )
    if module == "__main__":
        raise DefinitionError(
            f"{name!r} is defined in the script that runs; move it to a module that can be imported"
        )
    imported: Any = sys.modules.get(module)
    for part in name.split("."):
        imported = getattr(imported, part, None)
    if _unwrap_node(imported) != value:
        raise DefinitionError(
            f"{module}:{name} is something else, or is bound to an object; define it under a "
            "name of its own at the top of a module"
        )
    return f"{module}:{name}"


def function_data(function: Any) -> Any:
    """
    Return a function as a file holds it: its reference, and the keywords of a `partial`.

    Raises:
        DefinitionError: See `reference_to`.
    """
    if not isinstance(function, partial):
        return reference_to(function)
    if function.args:
        raise DefinitionError("it is a partial with positional arguments; pass them by name")
    settings = {name: plain(value) for name, value in function.keywords.items()}
    return {"function": reference_to(function.func), "with": settings}


def _allow_hint(error: BaseException) -> str:
    """Say how a module of the current folder is found that an allowed one imports."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    return f"; if it is in the current folder, the command line needs --allow {error.name}"


def _unwrap_node(value: Any) -> Any:
    """Return the function of a node that `@graph.function` left under the function's name."""
    if isinstance(value, Ref) and value.id in value.graph:
        node = value.graph.node(value.id)
        return node.fn if isinstance(node, Function) else value
    return value


def _home(value: Any) -> str:
    while isinstance(value, partial):
        value = value.func
    return str(getattr(value, "__module__", None))
