"""What a closed frame leaves behind, packed; the frames inside of it are in its record, too."""

from __future__ import annotations

import struct
from array import array
from decimal import Decimal

from dagorch.graph.plan import Plan
from dagorch.models.usage import Usage
from dagorch.scheduler.frames import Closed, Facts, Frame, Group

__all__ = ["pack", "unpack"]

_BILL = struct.Struct("<IHHQQQQI?B")
"""
A bill in a record.

Index, attempt, model, tokens in and out, cached and of reasoning, calls, estimated, length of the
cost behind it.
"""


def pack(frame: Frame) -> Closed:
    """
    Shrink an ended frame to what a record needs.

    Nothing special happened to most node runs: they take 25 bytes, and some 55 more if they used a
    model. Whatever failed, was tried again or picked labels keeps its facts.
    """
    packed = [bytes(frame.state), frame.times.tobytes()]
    facts: dict[int, Facts] = {}
    for index, known in frame.facts.items():
        known.prepared = known.due = None
        if (
            known.error is None
            and known.recovered_from is None
            and not known.picked
            and not known.failures
        ):
            for attempt, model, usage in known.bills:
                cost = str(usage.cost_usd).encode()
                packed.append(
                    _BILL.pack(
                        index,
                        attempt,
                        model,
                        usage.input_tokens,
                        usage.output_tokens,
                        usage.cached_tokens,
                        usage.reasoning_tokens,
                        usage.calls,
                        usage.estimated,
                        len(cost),
                    )
                )
                packed.append(cost)
        else:
            facts[index] = known
    record = b"".join(packed)
    if not facts and not frame.children:
        return record
    groups = [
        (
            index,
            group.plan,
            group.indexed,
            tuple(group.records),
            group.history,
            group.converged,
            *((group.left, group.given) if group.left or group.given else ()),
        )
        for index, found in frame.children.items()
        for group in found
    ]
    return record, facts or None, *groups


def unpack(
    plan: Plan, closed: Closed
) -> tuple[bytes, array[float], dict[int, Facts], dict[int, list[Group]]]:
    """The states, times, facts and inner frames of a record."""
    packed, kept, *groups = (closed, None) if isinstance(closed, bytes) else closed
    children: dict[int, list[Group]] = {}
    for index, body, indexed, records, history, converged, *left in groups:
        group = Group(body, indexed)
        group.records = list(records)
        group.history, group.converged = history, converged
        if left:
            group.left, group.given = left
        children.setdefault(index, []).append(group)
    times: array[float] = array("d")
    times.frombytes(packed[plan.size : 25 * plan.size])
    facts: dict[int, Facts] = dict(kept or {})
    place = 25 * plan.size
    while place < len(packed):
        (
            index,
            attempt,
            model,
            given,
            taken,
            cached,
            reasoned,
            calls,
            estimated,
            length,
        ) = _BILL.unpack_from(packed, place)
        place += _BILL.size + length
        cost = Decimal(packed[place - length : place].decode())
        usage = Usage(given, taken, cost, estimated, calls, cached, reasoned)
        known = facts.setdefault(index, Facts())
        known.usage += usage
        known.bills.append((attempt, model, usage))
    return packed[: plan.size], times, facts, children
