"""
Delivering events.

A bounded queue per listener, so that a slow or failing one never slows or breaks a run.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import anyio

from dagorch.models.events import END_EVENTS, Event, EventType
from dagorch.models.log import logger

__all__ = ["QUEUE_LENGTH", "Listener", "Queue"]

QUEUE_LENGTH: Final = 10_000
"""Events that may wait for one listener; beyond it the oldest go."""
_BUSY_SECONDS: Final = 0.0025
"""Events that come sooner than this after those before are told in batches."""
_BATCH_SECONDS: Final = 0.01
"""How long a batch is gathered: waking a listener's task costs 14 µs, whatever it is told."""


class Queue:
    """
    Events on their way to one listener.

    Text of one attempt that still waits is joined to one event. When the queue is full the
    oldest event is dropped and counted, but never the run's last.
    """

    __slots__ = ("_bound", "_event", "_items", "_many", "closed", "dropped")

    def __init__(self, bound: int = QUEUE_LENGTH) -> None:
        self._items: deque[Event] = deque()
        self._bound = bound
        self._event: anyio.Event | None = None
        self._many = 0
        """Events at which the reader is woken."""
        self.dropped = 0
        self.closed = False

    def put(self, event: Event) -> None:
        """Take an event; never waits."""
        items = self._items
        if event.type is EventType.NODE_TOKENS and items:
            last = items[-1]
            if (
                last.type is event.type
                and last.path == event.path
                and last.attempt == event.attempt
            ):
                if not event.data.get("instead"):
                    text = last.data["text"] + event.data["text"]
                    event = replace(event, data={**last.data, "text": text})
                items[-1] = event
                return
        if len(items) >= self._bound:
            items.popleft()
            self.dropped += 1
        items.append(event)
        if event.type in END_EVENTS:
            self.closed = True
        self._wake()

    def close(self) -> None:
        """Let the reader end once it has read what there is."""
        self.closed = True
        self._wake()

    def drop_rest(self) -> None:
        """Count what nobody will read any more as dropped."""
        self.dropped += len(self._items)
        self._items.clear()

    def _wake(self) -> None:
        if self._event is not None and (self.closed or len(self._items) >= self._many):
            self._event.set()
            self._event = None

    async def get(self) -> Event | None:
        """The next event, or None after the last."""
        while not self._items:
            if self.closed:
                return None
            await self._hear(1)
        return self._items.popleft()

    async def gather(self) -> None:
        """Let events come for a while; not so many that one would be dropped."""
        if not self.closed:
            with anyio.move_on_after(_BATCH_SECONDS):
                await self._hear(self._bound // 4)

    async def _hear(self, many: int) -> None:
        self._event, self._many = anyio.Event(), many
        await self._event.wait()

    def __len__(self) -> int:
        return len(self._items)


class Listener:
    """
    One callback, served from its own queue by its own task.

    Its errors are logged, once each kind.
    """

    __slots__ = ("_callback", "_deadline", "_failed", "_scope", "queue")

    def __init__(self, callback: Callable[[Event], Any]) -> None:
        self._callback = callback
        self._failed: set[type] = set()
        self.queue = Queue()
        self._deadline = float("inf")
        self._scope: anyio.CancelScope | None = None

    def finish(self, deadline: float) -> None:
        """
        Let the callback have what there is until `deadline`, on the event loop's clock.

        No longer.
        """
        self.queue.close()
        self._deadline = deadline
        if self._scope is not None:
            self._scope.deadline = deadline

    async def serve(self) -> None:
        """
        Call the callback with each event until the last, in batches while they come thick.

        Shielded: when the run is cancelled from outside, its listeners still learn how it ended.
        """
        queue, busy = self.queue, False
        with anyio.CancelScope(shield=True, deadline=self._deadline) as self._scope:
            while True:
                if busy and not queue:
                    await queue.gather()
                    busy = len(queue) > 0
                waits = not queue
                since = anyio.current_time() if waits else 0.0
                event = await queue.get()
                if event is None:
                    break
                if waits:
                    busy = anyio.current_time() - since < _BUSY_SECONDS
                await self._tell(event)
        self.queue.drop_rest()

    async def _tell(self, event: Event) -> None:
        try:
            outcome = self._callback(event)
            if inspect.isawaitable(outcome):
                await outcome
        except Exception as error:
            self._log(event, error)

    def _log(self, event: Event, error: Exception) -> None:
        if type(error) in self._failed:
            return
        self._failed.add(type(error))
        logger().warning(
            "listener failed",
            listener=repr(self._callback),
            event_type=event.type.value,
            error=repr(error),
        )
