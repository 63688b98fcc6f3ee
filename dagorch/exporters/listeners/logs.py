"""A run's events as structlog events in the user's own logging. This module configures nothing."""

from __future__ import annotations

from typing import Any, Final

from dagorch.models.events import CONTENT_FIELDS, Event, EventType
from dagorch.models.log import logger

__all__ = ["LogLines"]

_LEVELS: Final = {
    EventType.NODE_READY: "debug",
    EventType.NODE_STARTED: "debug",
    EventType.NODE_SKIPPED: "debug",
    EventType.EXCHANGE_ENDED: "debug",
    EventType.ATTEMPT_FAILED: "warning",
    EventType.NODE_RETRYING: "warning",
    EventType.NODE_BLOCKED: "warning",
    EventType.RUN_CANCELLED: "warning",
    EventType.NODE_FAILED: "error",
    EventType.RUN_FAILED: "error",
}
"""All other events are logged as `info`."""
_NOT_LOGGED: Final = CONTENT_FIELDS | {"question"}


class LogLines:
    """
    A listener that logs each event except tokens, with `run`, `node` and `attempt` bound.

    Failures are errors, problems that the run survives are warnings, ends are infos, and
    everything in between is debug output. Prompts, replies and questions to people are not
    logged, but error messages are.

    Args:
        logger: Any object with structlog's methods. None uses structlog as configured at the
            first event, or the standard library's logger `dagorch` if it is not configured.

    Example:
        >>> import structlog
        >>> lines = structlog.processors.KeyValueRenderer(key_order=["event", "run", "node"])
        >>> log = structlog.wrap_logger(structlog.PrintLogger(), processors=[lines])
        >>> LogLines(log)(Event(3, 1.5, EventType.NODE_STARTED, "r", "ask", 1))
        event='node_started' run='r' node='ask' attempt=1 seconds=1.5
    """

    def __init__(self, logger: Any = None) -> None:
        self._logger = logger

    def __call__(self, event: Event) -> None:
        kind = event.type
        if kind is EventType.NODE_TOKENS:
            return
        if self._logger is None:
            self._logger = logger()
        bound: dict[str, Any] = {"run": event.run_id}
        if event.path:
            bound["node"] = event.path
        if event.attempt:
            bound["attempt"] = event.attempt
        log = getattr(self._logger.bind(**bound), _LEVELS.get(kind, "info"))
        data = {name: value for name, value in event.data.items() if name not in _NOT_LOGGED}
        log(kind.value, seconds=round(event.seconds, 6), **data)
