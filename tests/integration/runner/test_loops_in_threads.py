"""One provider, several event loops in threads: its limits hold over all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Final

import anyio
import pytest

from dagorch import LLM, Graph
from dagorch.models.limits import Limits
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.runner.service_limits import limits_of_process
from dagorch.testing import ScriptedProvider

THREADS: Final = 4


class Counting(ScriptedProvider):
    """Counts its exchanges, over all threads; every exchange waits for its turn of the loop."""

    def __init__(self, **options: Any) -> None:
        super().__init__("ok", **options)
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0
        self.total = 0
        self.all_started = threading.Barrier(THREADS, timeout=20)

    async def exchange(self, request: LLMRequest, observer: Any) -> LLMResponse:
        with self._lock:
            self._now += 1
            self.total += 1
            self.most = max(self.most, self._now)
        try:
            await anyio.sleep(0.005)
            return await super().exchange(request, observer)
        finally:
            with self._lock:
                self._now -= 1


def _wide() -> Graph:
    graph = Graph("wide")
    for number in range(5):
        graph.add(LLM(f"n{number}", prompt="x"))
    return graph


def _in_threads(work: Any) -> None:
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert not failures, failures


@pytest.fixture(autouse=True)
def _at_rest() -> Iterator[None]:
    yield
    assert limits_of_process().admission.at_rest


def test_max_concurrency_holds_over_threads_with_run_sync() -> None:
    provider = Counting(max_concurrency=2)
    graph = _wide()

    def work(_number: int) -> None:
        provider.all_started.wait()
        assert graph.run_sync(provider=provider).status == "completed"

    _in_threads(work)
    assert provider.total == 5 * THREADS
    assert provider.most == 2


def test_max_concurrency_holds_over_asyncio_and_trio_loops() -> None:
    provider = Counting(max_concurrency=2)
    graph = _wide()

    async def main() -> None:
        assert (await graph.run(provider=provider, seed=1)).status == "completed"

    def work(number: int) -> None:
        provider.all_started.wait()
        anyio.run(main, backend="trio" if number % 2 else "asyncio")

    _in_threads(work)
    assert provider.most == 2


def test_a_rate_holds_over_threads() -> None:
    provider = Counting(limits=Limits(requests=7, window_seconds=3600))
    graph = Graph("one")
    graph.add(LLM("n", prompt="x"))

    async def run() -> None:
        await graph.run(provider=provider)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(run)
            while provider.total < 7:  # noqa: ASYNC110  other threads count, too
                await anyio.sleep(0.001)
            await anyio.sleep(0.02)  # time enough for one more
            group.cancel_scope.cancel()

    def work(_number: int) -> None:
        provider.all_started.wait()
        anyio.run(main)

    _in_threads(work)
    assert provider.total == 7


def test_a_cancelled_run_in_one_thread_gives_back_what_it_held() -> None:
    provider = Counting(max_concurrency=1)
    graph = _wide()

    async def main(number: int) -> None:
        with anyio.CancelScope() as scope:
            if number % 2:
                scope.cancel()
            await graph.run(provider=provider)

    def work(number: int) -> None:
        provider.all_started.wait()
        anyio.run(main, number)

    _in_threads(work)
    assert provider.total >= 10
    assert provider.most == 1


def test_run_sync_inside_a_sync_node_shares_the_limits() -> None:
    provider = Counting(max_concurrency=1)
    inner = _wide()
    outer = Graph("outer")

    def nested() -> str:
        return inner.run_sync(provider=provider).status

    for name in ("a", "b"):
        outer.function(nested, id=name)
    outer.add(LLM("beside", prompt="x"))
    result = outer.run_sync(provider=provider)
    assert (result["a"], result["b"]) == ("completed", "completed")
    assert (provider.total, provider.most) == (11, 1)
