"""
Hedges: a second exchange beside an attempt that takes longer than most; the first answer wins.

A hedge is an attempt like any other, with a slot, a permit, a reservation and a bill of its own,
under the number of the attempt that it stands by. The two are each other's `rival` as long as
both are under way, and the node run ends when both have. docs/adr/0018
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagorch.models.events import EventType
from dagorch.models.usage import NOTHING_USED
from dagorch.scheduler.commands import Resource, StartAttempt
from dagorch.scheduler.deadlines import Due
from dagorch.scheduler.run_state import describe
from dagorch.scheduler.stimuli import AttemptFailed, AttemptSucceeded, Stimulus

if TYPE_CHECKING:
    from dagorch.scheduler.core import Core

__all__ = ["arm", "may_tell", "one_ended", "serve", "take_over"]


def arm(core: Core, attempt: StartAttempt) -> None:
    """Set when an attempt is to be hedged, if its node wants that and enough is known."""
    after = attempt.frame.plan.nodes[attempt.index].policy.hedge_after
    if after == "p95":
        after = None if attempt.permit is None else core.admission.p95(attempt.permit)
    if after is not None:
        due = Due(core.now + after, "hedge", attempt.frame, attempt.index, attempt)
        attempt.hedge_after = after
        attempt.hedge_due = core.deadlines.add(due)


def serve(core: Core) -> None:
    """
    Start the hedges whose time has come, before anything else: their nodes came first.

    Only for a slot do they wait. They stand in no other line: one for which there is no room at
    its service or in the budget is looked at again when the core next has a slot to give.
    """
    if core.slots_used < core.max_parallel:
        late, full = core.late, set[tuple[Resource, ...]]()
        late[:] = [attempt for attempt in late if not _is_settled(core, attempt, full)]


def _is_settled(core: Core, first: StartAttempt, full: set[tuple[Resource, ...]]) -> bool:
    """
    Start an attempt's hedge if that is possible.

    Returns whether it need not be tried again. `full` has what there was no room for just now.
    """
    if first.cancelling or not first.is_under_way:
        return True
    frame, index, worst = first.frame, first.index, first.reserved
    if core.slots_used >= core.max_parallel or first.resources in full:
        return False
    if worst is not None and (core.waits_for_money or not core.budget.reserve(worst)):
        return False
    permit = None if first.permit is None else core.admission.twice(first.permit, core.now)
    if permit is None and first.permit is not None:
        if worst is not None:
            core.budget.settle(worst, NOTHING_USED)
        full.add(first.resources)
        return False
    hedge = StartAttempt(frame, index, first.inputs)
    hedge.number, hedge.model, hedge.prepared = first.number, first.model, first.prepared
    hedge.resources, hedge.permit, hedge.reserved = first.resources, permit, worst
    hedge.is_hedge, hedge.began = True, core.now
    hedge.rival, first.rival = first, hedge
    core.slots_used += 1
    _note(core, first, "is slow; hedged")
    if core.observed:
        data = {"after_seconds": first.hedge_after}
        core.emit(EventType.NODE_HEDGED, frame, index, first.number, data)
    core.outbox.append(hedge)
    return True


def one_ended(core: Core, attempt: StartAttempt, ended: Stimulus) -> None:
    """
    Take in how one of two ended while the other is under way; its slot and bill are settled.

    After a success the other is told to stop, and the value stands when it has. After a failure
    the other goes on alone, as the attempt.
    """
    frame, index, other = attempt.frame, attempt.index, attempt.rival
    assert other is not None
    attempt.rival = other.rival = None
    frame.running[index] = other
    due, attempt.due = attempt.due, None
    if due is not None:
        due.subject, other.due = other, due
    if isinstance(ended, AttemptSucceeded):
        other.won = ended
        if other.due is not None:
            core.deadlines.drop(other.due)
        _note(core, attempt, "answered first")
        if not other.cancelling:
            core.cancel_attempt(other, None)
    elif not attempt.cancelling:
        error = describe(ended.error) if isinstance(ended, AttemptFailed) else "stopped"
        _note(core, attempt, f"failed: {error}; the other of the two goes on")
        take_over(core, other, attempt)


def may_tell(attempt: StartAttempt, text: str) -> bool:
    """
    Whether a piece of text is for listeners: of two attempts the one that spoke first has the word.

    The other's is kept, in case that it takes over.
    """
    rival = attempt.rival
    if rival is not None and rival.speaks:
        attempt.unheard += text
        return False
    attempt.speaks = True
    return True


def take_over(core: Core, speaker: StartAttempt, silenced: StartAttempt) -> None:
    """Tell listeners the text of the one that counts, in place of what they heard of the other."""
    if silenced.speaks and core.observed and not speaker.cancelling:
        data = {"text": speaker.unheard, "instead": True}
        core.emit(EventType.NODE_TOKENS, speaker.frame, speaker.index, speaker.number, data)
        speaker.speaks = True
    speaker.unheard = ""


def _note(core: Core, attempt: StartAttempt, what: str) -> None:
    """Add a line to the story."""
    which = "the hedge of attempt" if attempt.is_hedge else "attempt"
    line = f"{core.now - core.started:.3f} s: {which} {attempt.number} {what}"
    attempt.frame.fact(attempt.index).retries.append(line)
