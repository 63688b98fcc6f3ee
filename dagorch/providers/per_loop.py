"""One closable object per event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token

__all__ = ["PerLoop"]


class _Closable(Protocol):
    async def aclose(self) -> None: ...


ClosableT = TypeVar("ClosableT", bound=_Closable)


class PerLoop(Generic[ClosableT]):
    """
    Creates one object per event loop, and closes it on request or when the loop ends.

    Connections belong to the loop that opened them, but a provider may be used on several loops.
    An async generator holds each object open, and an event loop closes its async generators as
    it ends. So a script that never calls `aclose` leaks nothing.
    """

    def __init__(self, create: Callable[[], ClosableT]) -> None:
        self._create = create
        self._open: WeakKeyDictionary[object, tuple[ClosableT, AsyncGenerator[ClosableT, None]]] = (
            WeakKeyDictionary()
        )

    async def get(self) -> ClosableT:
        """Return this loop's object; the first call creates it."""
        loop = current_token().native_token
        entry = self._open.get(loop)
        if entry is None:
            generator = self._hold_open(loop)
            entry = self._open[loop] = (await anext(generator), generator)
        return entry[0]

    async def _hold_open(self, loop: object) -> AsyncGenerator[ClosableT, None]:
        closable = self._create()
        try:
            yield closable
        finally:
            self._open.pop(loop, None)
            with anyio.CancelScope(shield=True):
                await closable.aclose()

    async def aclose(self) -> None:
        """Close this loop's object if there is one; `get` then creates a new one."""
        entry = self._open.get(current_token().native_token)
        if entry is not None:
            await entry[1].aclose()
