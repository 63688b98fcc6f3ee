# ruff: noqa: ASYNC251  blocking the loop is what these tests do
"""A node that blocks the event loop causes one warning with its name and line; no other does."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from dagorch import Graph
from dagorch.errors import BlockingCallWarning
from dagorch.runner.watchdog import BLOCKED_SECONDS

LINES = Path(__file__).read_text("utf-8").splitlines()
TOO_LONG = 3 * BLOCKED_SECONDS


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(LINES, start=1) if text in line)


async def test_a_blocking_call_is_noticed_once_with_node_and_line() -> None:
    graph = Graph("blocks")

    @graph.function
    async def rude() -> int:
        await anyio.lowlevel.checkpoint()
        time.sleep(TOO_LONG)  # in rude
        await anyio.lowlevel.checkpoint()
        time.sleep(TOO_LONG)
        return 1

    with pytest.warns(BlockingCallWarning) as caught:
        await graph.run()
    assert len(caught) == 1
    message = str(caught[0].message)
    line = line_of("# in rude")
    assert f"node 'rude' keeps the event loop from running ({__file__}:{line})" in message
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


async def test_blocking_before_the_first_await_and_inside_a_map_is_noticed_too() -> None:
    body = Graph("body")
    body.input("item", float)

    @body.function
    async def deep(item: float) -> float:
        time.sleep(item)
        return item

    graph = Graph("blocks")
    graph.map(body, over=[0.0, TOO_LONG, 0.0], id="all", max_parallel=1)
    with pytest.warns(BlockingCallWarning, match=r"node 'all\[1\]/deep'") as caught:
        await graph.run()
    assert len(caught) == 1


async def test_a_node_that_takes_over_a_slot_is_named_and_not_its_predecessor() -> None:
    graph = Graph("chain")

    async def polite() -> int:
        return 1

    async def rude(polite: int) -> int:
        time.sleep(TOO_LONG)
        return polite

    graph.function(polite)
    graph.function(rude)
    with pytest.warns(BlockingCallWarning, match="node 'rude'") as caught:
        await graph.run()
    assert len(caught) == 1


async def test_a_blocking_condition_is_named_by_its_node() -> None:
    graph = Graph("blocks")

    def choose() -> bool:
        time.sleep(TOO_LONG)
        return True

    pick = graph.branch("pick", choose)

    @graph.function(after=pick["true"])
    async def behind() -> int:
        return 1

    with pytest.warns(BlockingCallWarning, match="node 'pick' keeps") as caught:
        await graph.run()
    assert len(caught) == 1


async def test_the_run_continues_if_warnings_are_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    graph = Graph("blocks")

    @graph.function
    async def rude() -> int:
        time.sleep(TOO_LONG)
        return 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (await graph.run()).output == 1
    assert "BlockingCallWarning: node 'rude'" in capsys.readouterr().err


async def test_a_well_behaved_run_never_warns() -> None:
    graph = Graph("polite")
    until = time.monotonic() + 4 * BLOCKED_SECONDS

    async def busy() -> None:
        while time.monotonic() < until:
            time.sleep(0.01)  # short work on the loop, which others may interleave
            await anyio.lowlevel.checkpoint()

    async def waits() -> None:
        await anyio.sleep(3 * BLOCKED_SECONDS)

    def works() -> None:
        time.sleep(3 * BLOCKED_SECONDS)

    for number in range(3):
        graph.function(busy, id=f"busy{number}")
        graph.function(waits, id=f"waits{number}")
        graph.function(works, id=f"works{number}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await graph.run()


async def test_many_short_nodes_in_a_row_do_not_count_as_one_long_node() -> None:
    graph = Graph("short")

    async def short() -> None:
        time.sleep(0.02)

    earlier: object = ()
    for number in range(30):
        earlier = graph.function(short, id=f"n{number}", after=earlier)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await graph.run()
