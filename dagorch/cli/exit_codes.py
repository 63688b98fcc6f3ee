"""Exit codes, and the one message on standard error that explains a failure."""

from __future__ import annotations

import os
import sys
import traceback
from enum import IntEnum

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
    INTERRUPTED = 130


def exit_code_for(error: BaseException) -> ExitCode:
    """
    Return the exit code of an error.

    Example:
        >>> exit_code_for(DefinitionError("no")).name, exit_code_for(KeyboardInterrupt()).name
        ('USAGE', 'INTERRUPTED')
    """
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, BudgetExceededError):
        return ExitCode.BUDGET
    return ExitCode.USAGE if isinstance(error, DefinitionError) else ExitCode.FAILED


def print_error(error: BaseException, *, debug: bool) -> ExitCode:
    """Print an error on standard error and return its exit code; `debug` adds the traceback."""
    if isinstance(error, BrokenPipeError):  # the reader of our output is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    if debug:
        # Without local variables: they may hold keys.
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, KeyboardInterrupt):
        text = "interrupted"
    elif isinstance(error, InvariantError) or not isinstance(error, DagorchError):
        hint = "" if debug else " (--debug shows the traceback)"
        text = f"error: {type(error).__name__}: {error}{hint}"
    else:
        text = f"error: {error}"
    print(f"dagorch: {clean(text)}", file=sys.stderr, flush=True)
    return exit_code_for(error)
