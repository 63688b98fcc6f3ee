"""The entry point. It loads the commands of `app.py`, so that Ctrl-C is handled from the start."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Run the command line and exit with its code.

    Args:
        arguments: Without the program's name; None is `sys.argv`.
    """
    try:
        from dagorch.cli.app import run_command

        code = run_command(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        print("dagorch: interrupted", file=sys.stderr)
        code = _INTERRUPTED
    sys.exit(code)
