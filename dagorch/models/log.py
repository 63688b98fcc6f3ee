"""Where dagorch logs: the user's structlog, else the standard library's logger of its name."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["logger"]


def logger() -> Any:
    """
    Give a structlog logger that keeps to what the user has set up, and changes none of it.

    Where structlog is not configured, lines go through the standard library's logger `dagorch`,
    and so to where the user's logging says; where that says nothing, warnings and errors go to
    standard error.
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
