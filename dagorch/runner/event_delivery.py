"""
The delivery of events to listeners.

Each listener has a bounded queue, so that a slow or failing listener never slows or breaks a run.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import anyio

from dagorch.models.events import RUN_ENDS, Event, EventType
from dagorch.models.log import logger
from dagorch.models.user_objects import short_repr
from dagorch.runner.cancellation import is_foreign_cancellation
from dagorch.scheduler.events import describe

__all__ = ["QUEUE_LENGTH", "EventQueue", "Listener"]

QUEUE_LENGTH: Final = 10_000
"""Events that may wait for one listener; beyond it the oldest are dropped."""
_BUSY_SECONDS: Final = 0.0025
"""Events that follow each other faster than this are delivered in batches."""
_BATCH_SECONDS: Final = 0.01
"""How long to collect a batch. To wake a listener's task costs 14 µs for a batch of any size."""


class EventQueue:
    """
    The events that wait for one listener.

    Waiting text of one attempt is merged into one event. When the queue is full, the oldest
    event is dropped and counted, but never the run's last event.
    """

    __slots__ = ("_capacity", "_wake_at", "_wakeup", "closed", "dropped", "items")

    def __init__(self, capacity: int = QUEUE_LENGTH) -> None:
        self.items: deque[Event] = deque()
        self._capacity = capacity
        self._wakeup: anyio.Event | None = None
        self._wake_at = 0
        """The queue length at which the reader is woken."""
        self.dropped = 0
        self.closed = False

    def extend(self, events: Iterable[Event]) -> None:
        """Add events without waiting."""
        items, last = self.items, None
        for event in events:
            last = event.type
            if last is EventType.NODE_TOKENS:
                self._add_text(event)
            else:
                items.append(event)
        while len(items) > self._capacity:
            items.popleft()
            self.dropped += 1
        if last in RUN_ENDS:
            self.closed = True
        self._wake_reader()

    def _add_text(self, event: Event) -> None:
        """Add text, to that of the same attempt if it is still waiting."""
        items = self.items
        last = items[-1] if items else event
        if last is event or last[2:6] != event[2:6]:  # type, run, path, attempt
            items.append(event)
            return
        if not event.data.get("replaces_text"):
            text = last.data["text"] + event.data["text"]
            event = event._replace(data={**last.data, "text": text})
        items[-1] = event

    def close(self) -> None:
        """End the queue: the reader stops after the events that are in it."""
        self.closed = True
        self._wake_reader()

    def drop_rest(self) -> None:
        """Drop and count the events that are left."""
        self.dropped += len(self.items)
        self.items.clear()

    def _wake_reader(self) -> None:
        if self._wakeup is not None and (self.closed or len(self.items) >= self._wake_at):
            self._wakeup.set()
            self._wakeup = None

    async def get(self) -> Event | None:
        """Wait for the next event; None after the last one."""
        while not self.items:
            if self.closed:
                return None
            await self._wait_for(1)
        return self.items.popleft()

    async def collect_batch(self) -> None:
        """Let events accumulate for a short time, and stop well before one would be dropped."""
        if not self.closed:
            with anyio.move_on_after(_BATCH_SECONDS):
                await self._wait_for(self._capacity // 4)

    async def _wait_for(self, length: int) -> None:
        self._wakeup, self._wake_at = anyio.Event(), length
        await self._wakeup.wait()

    def __len__(self) -> int:
        return len(self.items)


class Listener:
    """
    A callback with its own queue and task.

    Its errors are logged, once for each exception type.
    """

    __slots__ = ("_callback", "_deadline", "_logged_types", "_scope", "queue")

    def __init__(self, callback: Callable[[Event], Any]) -> None:
        self._callback = callback
        self._logged_types: set[type] = set()
        self.queue = EventQueue()
        self._deadline = float("inf")
        self._scope: anyio.CancelScope | None = None

    def finish(self, deadline: float) -> None:
        """Deliver what is queued, until `deadline` on the event loop's clock at the latest."""
        self.queue.close()
        self._deadline = deadline
        if self._scope is not None:
            self._scope.deadline = deadline

    async def serve(self) -> None:
        """
        Call the callback with each event until the last, in batches while events come fast.

        Shielded from cancellation: the listeners of a cancelled run still receive its last event.
        """
        queue, items, busy = self.queue, self.queue.items, False
        with anyio.CancelScope(shield=True, deadline=self._deadline) as self._scope:
            while True:
                if busy and not items:
                    await queue.collect_batch()
                    busy = bool(items)
                if items:
                    event: Event | None = items.popleft()
                else:
                    wait_began = anyio.current_time()
                    event = await queue.get()
                    busy = anyio.current_time() - wait_began < _BUSY_SECONDS
                if event is None:
                    break
                try:
                    outcome = self._callback(event)
                    if outcome is not None and inspect.isawaitable(outcome):
                        await outcome
                except Exception as error:
                    self._log(event, error)
                except BaseException as error:
                    if not is_foreign_cancellation(error):
                        raise
                    self._log(event, error)
        self.queue.drop_rest()

    def _log(self, event: Event, error: BaseException) -> None:
        if type(error) in self._logged_types:
            return
        self._logged_types.add(type(error))
        logger().warning(
            "listener failed",
            listener=short_repr(self._callback, 200),
            event_type=event.type.value,
            error=describe(error),
        )
