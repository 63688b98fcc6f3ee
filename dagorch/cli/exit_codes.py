"""How the command ends: one exit code per kind of end, one short message on standard error."""

from __future__ import annotations

import os
import sys
import traceback
from enum import IntEnum

from dagorch.errors import BudgetExceededError, DagorchError, DefinitionError, InvariantError
from dagorch.models.clean import clean

__all__ = ["Exit", "exit_for", "say_error"]


class Exit(IntEnum):
    """What the shell is told."""

    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    BUDGET = 4
    INTERRUPTED = 130


def exit_for(error: BaseException) -> Exit:
    """
    Give the exit code that an error ends with.

    Example:
        >>> exit_for(DefinitionError("no")).name, exit_for(KeyboardInterrupt()).name
        ('USAGE', 'INTERRUPTED')
    """
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, BudgetExceededError):
        return Exit.BUDGET
    return Exit.USAGE if isinstance(error, DefinitionError) else Exit.FAILED


def say_error(error: BaseException, *, debug: bool) -> Exit:
    """Tell of an error on standard error, with its traceback only if asked for; give its code."""
    if isinstance(error, BrokenPipeError):  # whoever read our output has gone; nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    if debug:
        # Never with the values of variables: they may hold keys.
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, KeyboardInterrupt):
        text = "interrupted"
    elif isinstance(error, InvariantError) or not isinstance(error, DagorchError):
        hint = "" if debug else " (--debug shows where)"
        text = f"error: {type(error).__name__}: {error}{hint}"
    else:
        text = f"error: {error}"
    print(f"dagorch: {clean(text)}", file=sys.stderr, flush=True)
    return exit_for(error)
