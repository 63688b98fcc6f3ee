"""Tracebacks of user errors begin at the user's lines, not in the engine or the event loop."""

from __future__ import annotations

from types import TracebackType
from typing import Final

__all__ = ["begin_at_user_code"]

_ENGINE: Final = frozenset(
    {"anyio", "asyncio", "concurrent", "contextvars", "dagorch", "outcome", "threading", "trio"}
)


def begin_at_user_code(error: BaseException) -> None:
    """
    Cut the frames before the first frame of user code from an error's traceback.

    The traceback of dagorch's own error has no such frame, and is not changed.
    """
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        module: str = traceback.tb_frame.f_globals.get("__name__") or ""
        if module.partition(".")[0] not in _ENGINE:
            error.__traceback__ = traceback
            return
        traceback = traceback.tb_next
