"""The entry point. It handles Ctrl-C before it loads the commands of `app.py`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dagorch.cli.stop_signals import leave_on_signals, raise_on_signals

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Run the command line and exit with its code.

    Args:
        arguments: Without the program's name; None is `sys.argv`.
    """
    leave_on_signals()
    from dagorch.cli.app import run_command

    raise_on_signals()
    code = run_command(sys.argv[1:] if arguments is None else arguments)
    leave_on_signals()
    sys.exit(code)
