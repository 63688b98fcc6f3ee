"""Exit codes, and the one message on standard error that explains a failure."""

from __future__ import annotations

import traceback
from enum import IntEnum

from dagorch.cli.streams import print_err
from dagorch.errors import BudgetExceededError, DagorchError, DefinitionError, InvariantError
from dagorch.models.clean import clean

__all__ = ["ExitCode", "exit_code_for", "print_error"]


class ExitCode(IntEnum):
    """The exit codes of the command."""

    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    BUDGET = 4
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code_for(error: BaseException) -> ExitCode:
    """
    Return the exit code of an error.

    Example:
        >>> exit_code_for(DefinitionError("no")).name, exit_code_for(KeyboardInterrupt()).name
        ('USAGE', 'INTERRUPTED')
    """
    if isinstance(error, KeyboardInterrupt):
        return ExitCode(getattr(error, "code", ExitCode.INTERRUPTED))
    if isinstance(error, BudgetExceededError):
        return ExitCode.BUDGET
    return ExitCode.USAGE if isinstance(error, DefinitionError) else ExitCode.FAILED


def print_error(error: BaseException, *, debug: bool) -> ExitCode:
    """Print an error on standard error and return its exit code; `debug` adds the traceback."""
    if debug:
        # Without local variables: they may hold keys.
        print_err(clean("".join(traceback.format_exception(error))), end="")
    if isinstance(error, KeyboardInterrupt):
        text = "interrupted"
    elif isinstance(error, InvariantError) or not isinstance(error, DagorchError):
        hint = "" if debug else " (--debug shows the traceback)"
        text = f"error: {type(error).__name__}: {error}{hint}"
    else:
        text = f"error: {error}"
    print_err(f"dagorch: {clean(text)}")
    return exit_code_for(error)
