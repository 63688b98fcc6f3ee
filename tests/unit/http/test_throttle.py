"""A throttle spaces requests out by start time."""

from __future__ import annotations

import anyio

from dagorch.http.throttle import Throttle


async def test_the_interval_applies_to_all_requests() -> None:
    now, starts = 100.0, []

    async def sleep(seconds: float) -> None:
        starts.append(now + seconds)

    throttle = Throttle(3.0, now=lambda: now, sleep=sleep)
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(throttle.acquire)
    assert sorted(starts) == [103.0, 106.0, 109.0], "the first need not wait"
