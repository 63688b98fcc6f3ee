"""`KeyboardInterrupt` and `SystemExit` of user code pass through every door as themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import anyio
import pytest

from dagorch import Event, EventType, Graph

INTERRUPTS: Final = (KeyboardInterrupt, SystemExit)


async def _run(graph: Graph, **options: Any) -> None:
    await graph.run(**options)


async def _start(graph: Graph, **options: Any) -> None:
    async with graph.start(**options) as run:
        await run.result()


async def _start_beside_work(graph: Graph, **options: Any) -> None:
    async with graph.start(**options):
        await anyio.sleep_forever()


async def _stream(graph: Graph, **options: Any) -> None:
    async for _ in graph.stream(**options):
        pass


class Interrupted:
    """A graph whose node `bad` raises an interrupt while others run."""

    def __init__(self, place: str, interrupt: type[BaseException]) -> None:
        self.cleaned_up = 0
        self.started = 0
        self.graph = Graph("interrupted")
        gate = self.graph.function(self._gate, id="gate")

        def bad(gate: int) -> Any:
            raise interrupt("mine")

        async def bad_async(gate: int) -> Any:
            raise interrupt("mine")

        async def bad_in_group(gate: int) -> Any:
            async with anyio.create_task_group() as group:
                group.start_soon(bad_async, 0)
                await anyio.sleep_forever()

        if place == "condition":
            self.graph.branch("bad", bad, labels=("x", "y"), gate=gate)
        else:
            function = {"sync": bad, "async": bad_async, "group": bad_in_group}[place]
            self.graph.function(function, id="bad", gate=gate)
        self.graph.function(self._other, id="other")
        self.graph.function(self._other, id="another")

    async def _gate(self) -> int:
        while self.started < 2:
            await anyio.lowlevel.checkpoint()
        return 1

    async def _other(self) -> None:
        self.started += 1
        try:
            await anyio.sleep_forever()
        finally:
            self.cleaned_up += 1


@pytest.mark.parametrize("place", ["async", "sync", "group", "condition"])
@pytest.mark.parametrize("interrupt", INTERRUPTS)
@pytest.mark.parametrize("door", [_run, _start, _start_beside_work, _stream])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_interrupt_passes_through_and_the_run_is_cancelled_in_order(
    backend: str, door: Callable[..., Any], interrupt: type[BaseException], place: str
) -> None:
    case = Interrupted(place, interrupt)
    events: list[Event] = []

    async def main() -> None:
        await door(case.graph, on_event=events.append)

    with pytest.raises(interrupt, match="mine"):
        anyio.run(main, backend=backend)
    assert (case.started, case.cleaned_up) == (2, 2)
    if (backend, place) != ("asyncio", "group"):  # asyncio stops its loop there and then
        assert events[-1].type is EventType.RUN_CANCELLED
        assert interrupt.__name__ in events[-1].data["reason"]


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_an_interrupt_passes_through_run_sync(interrupt: type[BaseException]) -> None:
    case = Interrupted("sync", interrupt)
    with pytest.raises(interrupt, match="mine"):
        case.graph.run_sync()
    assert case.cleaned_up == 2
