"""Closed frames, packed: small, and with the closed frames inside them."""

from __future__ import annotations

import struct
from array import array
from decimal import Decimal

from dagorch.graph.plan import Plan
from dagorch.models.usage import Usage
from dagorch.scheduler.records import ClosedFrame, Frame, FrameGroup, NodeDetails

__all__ = ["pack", "unpack"]

_BILL = struct.Struct("<IHHQQQQI?B")
"""
One bill.

Node, attempt, model, tokens in and out, cached and reasoning tokens, calls, estimated, length of
the cost that follows.
"""


def pack(frame: Frame) -> ClosedFrame:
    """
    Pack an ended frame.

    Most node runs only ran: each takes 25 bytes, and some 55 more if it used a model. One that
    failed, was retried or picked labels keeps its details as an object.
    """
    packed = [bytes(frame.state), frame.times.tobytes()]
    kept: dict[int, NodeDetails] = {}
    for index, details in frame.node_details.items():
        details.prepared = details.timer = None
        if (
            details.error is not None
            or details.recovered_from is not None
            or details.picked_labels
            or details.failures
        ):
            kept[index] = details
            continue
        for attempt, model, usage in details.bills:
            cost = str(usage.cost_usd).encode()
            bill = _BILL.pack(
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
            packed += (bill, cost)
    record = b"".join(packed)
    if not kept and not frame.closed_frames:
        return record
    groups = [
        (
            index,
            group.plan,
            group.suffix,
            tuple(group.frames),
            group.history,
            group.converged,
            *(
                (group.values, group.results, group.item_errors)
                if group.values or group.results or group.item_errors
                else ()
            ),
        )
        for index, found in frame.closed_frames.items()
        for group in found
    ]
    return record, kept or None, *groups


def unpack(
    plan: Plan, closed: ClosedFrame
) -> tuple[bytes, array[float], dict[int, NodeDetails], dict[int, list[FrameGroup]]]:
    """Return the states, times, details and inner frames of a packed frame."""
    packed, kept, *groups = (closed, None) if isinstance(closed, bytes) else closed
    children: dict[int, list[FrameGroup]] = {}
    for index, body, suffix, frames, history, converged, *values in groups:
        group = FrameGroup(body, suffix)
        group.frames = list(frames)
        group.history, group.converged = history, converged
        if values:
            group.values, group.results, group.item_errors = values
        children.setdefault(index, []).append(group)
    times: array[float] = array("d")
    times.frombytes(packed[plan.size : 25 * plan.size])
    all_details: dict[int, NodeDetails] = dict(kept or {})
    position = 25 * plan.size
    while position < len(packed):
        index, attempt, model, *counts, length = _BILL.unpack_from(packed, position)
        sent, written, cached, reasoning, calls, estimated = counts
        position += _BILL.size + length
        cost = Decimal(packed[position - length : position].decode())
        usage = Usage(sent, written, cost, estimated, calls, cached, reasoning)
        details = all_details.setdefault(index, NodeDetails())
        details.usage += usage
        details.bills.append((attempt, model, usage))
    return packed[: plan.size], times, all_details, children
