"""One closable thing per event loop; what the thing is, others know."""

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
    One closable thing per event loop, closed by hand or else when its loop ends.

    Connections belong to the loop that opened them, while a provider object may live through
    several loops. Each thing is held open by an async generator, and every event loop closes
    its async generators as it ends: so a script that never says `aclose` leaks nothing.
    """

    def __init__(self, make: Callable[[], ClosableT]) -> None:
        self._make = make
        self._held: WeakKeyDictionary[object, tuple[ClosableT, AsyncGenerator[ClosableT, None]]] = (
            WeakKeyDictionary()
        )

    async def get(self) -> ClosableT:
        """Give this loop's thing, made now if there is none."""
        loop = current_token().native_token
        held = self._held.get(loop)
        if held is None:
            generator = self._hold(loop)
            held = self._held[loop] = (await anext(generator), generator)
        return held[0]

    async def _hold(self, loop: object) -> AsyncGenerator[ClosableT, None]:
        thing = self._make()
        try:
            yield thing
        finally:
            self._held.pop(loop, None)
            with anyio.CancelScope(shield=True):
                await thing.aclose()

    async def aclose(self) -> None:
        """Close this loop's thing, if there is one; `get` makes another."""
        held = self._held.get(current_token().native_token)
        if held is not None:
            await held[1].aclose()
