"""The logger of dagorch: structlog if the user configured it, else the standard library."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["logger"]


def logger() -> Any:
    """
    Return a structlog logger that follows the user's configuration and does not change it.

    If structlog is not configured, lines go to the standard library's logger `dagorch`. Without
    any logging configuration, that prints warnings and errors to standard error.
    """
    import structlog

    if structlog.is_configured():
        return structlog.get_logger("dagorch")
    return structlog.wrap_logger(
        logging.getLogger("dagorch"),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
    )
