"""A graph of sleeping nodes for the tests of each way to run a graph."""

from __future__ import annotations

from typing import Any

import anyio

from dagorch import Graph


class Watched:
    """A chain of sleeping nodes that records what happened to each."""

    def __init__(self, naps: int = 3, seconds: float = 1.0) -> None:
        self.done = 0
        self.cancelled = 0
        self.active = 0
        self.graph = Graph("naps")
        earlier: Any = ()

        async def nap() -> int:
            self.active += 1
            try:
                await anyio.sleep(seconds)
            except anyio.get_cancelled_exc_class():
                self.cancelled += 1
                raise
            finally:
                self.active -= 1
            self.done += 1
            return self.done

        for number in range(naps):
            earlier = self.graph.function(nap, id=f"nap{number}", after=earlier)


async def boom() -> None:
    await anyio.sleep(1)
    raise ValueError("boom")
