"""The virtual clock: it jumps when nothing is left to do, and only then."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from dagorch.errors import DefinitionError
from dagorch.testing import run_virtual

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@BOTH
def test_sleeps_add_up_exactly_and_cost_nothing(backend: Any) -> None:
    async def main(times: int) -> float:
        before = anyio.current_time()
        for _ in range(times):
            await anyio.sleep(1024)
        return anyio.current_time() - before

    assert run_virtual(main, 2_000, backend=backend) == 2_048_000


@BOTH
def test_timers_fire_in_their_order_and_at_their_times(backend: Any) -> None:
    fired: list[float] = []

    async def main() -> float:
        before = anyio.current_time()

        async def nap(seconds: float) -> None:
            await anyio.sleep(seconds)
            fired.append(anyio.current_time() - before)

        async with anyio.create_task_group() as group:
            for seconds in (30, 0.5, 86_400 * 30, 7):
                group.start_soon(nap, seconds)
        with anyio.move_on_after(5) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        return anyio.current_time() - before

    assert run_virtual(main, backend=backend) == pytest.approx(86_400 * 30 + 5)
    assert fired == pytest.approx([0.5, 7, 30, 86_400 * 30])


@BOTH
def test_work_takes_no_time(backend: Any) -> None:
    async def main() -> float:
        before = anyio.current_time()
        for _ in range(10):
            time.sleep(0.002)  # noqa: ASYNC251  blocking is the work
            await anyio.lowlevel.checkpoint()
        return anyio.current_time() - before

    assert run_virtual(main, backend=backend) == 0


@BOTH
def test_a_timeout_does_not_overtake_a_thread(backend: Any) -> None:
    async def main() -> bool:
        with anyio.move_on_after(3600) as scope:
            await anyio.to_thread.run_sync(time.sleep, 0.05)
        return scope.cancelled_caught

    assert run_virtual(main, backend=backend) is False


@BOTH
def test_work_in_a_thread_takes_no_time(backend: Any) -> None:
    async def main() -> float:
        before = anyio.current_time()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(anyio.to_thread.run_sync, time.sleep, 0.02)
        return anyio.current_time() - before

    assert run_virtual(main, backend=backend) == 0


@BOTH
def test_a_thread_that_waits_for_a_timer_does_not_stop_the_clock(backend: Any) -> None:
    go_on = threading.Event()

    async def main() -> float:
        before = anyio.current_time()
        with anyio.move_on_after(7.5):
            await anyio.to_thread.run_sync(go_on.wait, 20, abandon_on_cancel=True)
        return anyio.current_time() - before

    try:
        assert run_virtual(main, backend=backend, stall_seconds=0.05) == 7.5
    finally:
        go_on.set()


@BOTH
def test_a_thread_may_await_a_timer_of_the_loop(backend: Any) -> None:
    async def main() -> float:
        await anyio.to_thread.run_sync(anyio.from_thread.run, anyio.sleep, 60)
        return anyio.current_time()

    assert run_virtual(main, backend=backend, stall_seconds=0.05) == 60


def test_the_loops_executor_counts_as_well() -> None:
    async def main() -> bool:
        try:
            async with asyncio.timeout(3600):
                await asyncio.to_thread(time.sleep, 0.05)
        except TimeoutError:
            return True
        return False

    assert run_virtual(main) is False


def test_files_are_polled_before_a_jump() -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            right.send(b"here")
            async with asyncio.timeout(3600):
                return await loop.sock_recv(left, 4)

    assert run_virtual(main) == b"here"


@BOTH
def test_the_functions_error_is_raised(backend: Any) -> None:
    async def main() -> None:
        await anyio.sleep(1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_virtual(main, backend=backend)


@BOTH
def test_arguments_and_result_go_through(backend: Any) -> None:
    async def main(left: int, right: str) -> tuple[int, str]:
        return left, right

    assert run_virtual(main, 1, "x", backend=backend) == (1, "x")


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "x", None])
def test_a_wrong_stall_time_is_refused(seconds: Any) -> None:
    async def main() -> None: ...

    with pytest.raises(DefinitionError, match="stall_seconds="):
        run_virtual(main, stall_seconds=seconds)
