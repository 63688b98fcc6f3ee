"""Packed frames: small, and with everything that a result needs."""

from __future__ import annotations

from decimal import Decimal

from dagorch import LLM, Graph, Policy
from dagorch.models.usage import Usage
from dagorch.scheduler.closed_frames import pack, unpack
from dagorch.scheduler.states import State
from tests.unit.scheduler.by_hand import ByHand


async def work() -> int: ...


def test_an_uneventful_frame_is_25_bytes_a_node_run() -> None:
    graph = Graph("plain")
    for place in range(10):
        graph.function(work, id=f"n{place}", policy=Policy(timeout_seconds=9))
    hand = ByHand(graph).start()
    for place in range(10):
        hand.wait(0.1).succeed(f"n{place}", place)
    record = pack(hand.root)
    assert isinstance(record, bytes)
    assert len(record) == 250
    states, times, details, children = unpack(graph.compile(), record)
    assert states == bytes([State.COMPLETED]) * 10
    assert times == hand.root.times
    assert (details, children) == ({}, {})


def test_bills_survive_packing() -> None:
    graph = Graph("bills")
    bills = [
        Usage(0, 0, calls=1),
        Usage(123_456_789_012, 7, Decimal("0.0000015"), calls=1),
        Usage(5, 6, Decimal("12.50"), True, 3),
        Usage(100, 50, Decimal("1E-10"), calls=2, cached_tokens=90, reasoning_tokens=40),
    ]
    for place in range(5):
        graph.add(LLM(f"n{place}", prompt="Hello"))
    hand = ByHand(graph).start()
    for place, bill in enumerate(bills):
        hand.succeed(f"n{place}", "hi", bill)
    hand.succeed("n4", "hi")
    record = pack(hand.root)
    assert isinstance(record, bytes)
    _, times, details, _ = unpack(graph.compile(), record)
    assert times == hand.root.times
    assert {index: found.usage for index, found in details.items()} == dict(enumerate(bills))
    assert [str(details[index].usage.cost_usd) for index in range(4)] == [
        str(b.cost_usd) for b in bills
    ]


def test_failures_labels_and_recoveries_keep_their_facts() -> None:
    graph = Graph("details")
    graph.branch("road", lambda: "true")
    graph.function(work, id="broken", policy=Policy(on_error="continue"))
    graph.function(work, id="saved", policy=Policy(fallback=1))
    graph.add(LLM("asks", prompt="Hello"))
    hand = ByHand(graph).start()
    hand.fail("broken").fail("saved").succeed("asks", "hi", Usage(1, 2, calls=1))
    record = pack(hand.root)
    details = unpack(graph.compile(), record)[2]
    assert details[0].picked_labels == ("true",)
    assert isinstance(details[1].error, OSError)
    assert isinstance(details[2].recovered_from, OSError)
    assert details[3].usage == Usage(1, 2, calls=1)
