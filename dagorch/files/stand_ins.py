"""
Stand-ins for the functions and types that a file names, to draw and check a graph without imports.

The parameters of a function are read from the source of its module. Nothing in it runs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, Final

from dagorch.errors import DefinitionError
from dagorch.files.type_names import read_type
from dagorch.nodes.function import Context

__all__ = ["StandIns"]

_MAX_BYTES: Final = 1_000_000
_CONTEXT: Final = re.compile(r"(\w+\.)*Context(\[.*\])?")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef


class StandIns:
    """
    Makes stand-ins, and records the names that have one.

    Args:
        folders: Where modules are searched for, as in `sys.path`.

    Attributes:
        names: Every `module:name` that has a stand-in.
        unread: The functions among them whose parameters could not be read. They take the inputs
            that the file binds.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = tuple(folders)
        self.names: set[str] = set()
        self.unread: set[str] = set()

    def annotation(self, reference: str) -> Any:
        """Return the stand-in of a class: any type matches it."""
        self.names.add(reference)
        return Any

    def error(self, reference: str) -> type[Exception]:
        """Return the stand-in of an exception class."""
        self.names.add(reference)
        return Exception

    def function(self, reference: str, *, takes_inputs: bool) -> Callable[..., Any]:
        """
        Return a function with the parameters of the real one.

        Args:
            reference: `module:name`.
            takes_inputs: Whether it gets inputs by name, and not one value, if it cannot be read.
        """
        self.names.add(reference)
        definition = self._definition(reference)
        if definition is None:
            self.unread.add(reference)
            kind = Parameter.VAR_KEYWORD if takes_inputs else Parameter.POSITIONAL_OR_KEYWORD
            signature = Signature([Parameter("unread", kind)])
        else:
            signature = _signature(definition)

        def stand_in(*_: Any, **__: Any) -> Any:
            raise DefinitionError(f"{reference} was not imported, so it cannot run")

        stand_in.__module__, _, stand_in.__qualname__ = reference.partition(":")
        stand_in.__name__ = stand_in.__qualname__.rpartition(".")[2]
        as_any: Any = stand_in
        as_any.__signature__ = signature
        return stand_in

    def _definition(self, reference: str) -> _Definition | None:
        """
        Find the `def` of a function; None if it is imported, computed, a class or a method.

        A method is bound in ways that its definition alone does not show.
        """
        module, _, name = reference.partition(":")
        tree = self._parse(module)
        for statement in reversed(tree.body if tree is not None else []):
            if isinstance(statement, (_Definition, ast.ClassDef)) and statement.name == name:
                return None if isinstance(statement, ast.ClassDef) else statement
        return None

    def _parse(self, module: str) -> ast.Module | None:
        *packages, name = module.split(".")
        for folder in self._folders:
            place = Path(folder or ".", *packages)
            for file in (place / name / "__init__.py", place / f"{name}.py"):
                try:
                    if not file.is_file():  # a pipe would block
                        continue
                    with file.open("rb") as stream:
                        return ast.parse(stream.read(_MAX_BYTES))
                except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
                    return None
        return None


def _signature(definition: _Definition) -> Signature:
    arguments = definition.args
    positional = [*arguments.posonlyargs, *arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    parameters = [
        _parameter(
            argument,
            Parameter.POSITIONAL_ONLY
            if index < len(arguments.posonlyargs)
            else Parameter.POSITIONAL_OR_KEYWORD,
            has_default=index >= first_default,
        )
        for index, argument in enumerate(positional)
    ]
    if arguments.vararg:
        parameters.append(Parameter(arguments.vararg.arg, Parameter.VAR_POSITIONAL))
    parameters += [
        _parameter(argument, Parameter.KEYWORD_ONLY, has_default=default is not None)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        parameters.append(Parameter(arguments.kwarg.arg, Parameter.VAR_KEYWORD))
    return Signature(parameters, return_annotation=_annotation(definition.returns))


def _parameter(argument: ast.arg, kind: Any, *, has_default: bool) -> Parameter:
    default = None if has_default else Parameter.empty
    return Parameter(
        argument.arg, kind, default=default, annotation=_annotation(argument.annotation)
    )


def _annotation(written: ast.expr | None) -> Any:
    """Return a builtin type or `Context` as written; Any for all others."""
    if written is None:
        return Any
    text = ast.unparse(written)
    if isinstance(written, ast.Constant) and isinstance(written.value, str):
        text = written.value
    if _CONTEXT.fullmatch(text):
        return Context
    try:
        return read_type(text, lambda _: Any)
    except DefinitionError:
        return Any
