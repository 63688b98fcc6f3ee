"""
Attempts: what the end of one means for its node run and for its rival, as rules.

Each rule updates the records of the attempts and of their node run, and returns what should
happen. Whether an attempt may start is decided in `dispatcher.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from dagorch.errors import BudgetExceededError, NodeTimeoutError
from dagorch.scheduler import stimuli
from dagorch.scheduler.events import describe
from dagorch.scheduler.records import Frame, StartAttempt, Timer, TimerKind
from dagorch.scheduler.retry import next_delay

__all__ = [
    "RetryDecision", "decide_retry", "refusal_in", "rival_ended", "take_text_from",
    "timeout_error",
]  # fmt: skip


class RetryDecision(NamedTuple):
    """Whether a failed attempt is followed by another."""

    delay: float | None
    """Seconds until then; None: there is none."""
    fallback_model: str | None
    """The model to switch to."""
    line: str
    """What the story says of the failure."""


def decide_retry(
    attempt: StartAttempt,
    error: BaseException,
    now: float,
    run_deadline: float,
    rng: Callable[[], random.Random],
) -> RetryDecision:
    """Decide whether another attempt follows a failure: with this model, or the next fallback."""
    frame, index = attempt.frame, attempt.index
    node = frame.plan.nodes[index]
    details, fallbacks = frame.details(index), node.policy.fallback_models
    retry = getattr(node, "retry", None) or node.policy.retry
    delay, model = None, None
    if retry is not None and not frame.is_stopping(index) and not attempt.is_final:
        delay = next_delay(retry, details.model_failures, error, rng())
        if delay is not None and _is_too_late(frame, index, now + delay, run_deadline):
            delay = None
        if delay is None and details.model < len(fallbacks):
            model = fallbacks[details.model]
            details.model += 1
            details.model_failures = 0
            delay = 0.0
    line = f"attempt {attempt.number} failed: {describe(error)}"
    line += "" if delay is None else f"; next in {delay:.3f} s"
    line += "" if model is None else f", with model {model!r}"
    return RetryDecision(delay, model, line)


def refusal_in(error: BaseException) -> BudgetExceededError | None:
    """
    Return the budget's refusal of a function's own call; None for any other error.

    The refusal of a run inside the function does not count; it has that run's partial results.
    """
    if isinstance(error, BaseExceptionGroup):
        refusals = [refusal_in(inner) for inner in error.exceptions]
        return refusals[0] if all(refusals) else None
    if isinstance(error, BudgetExceededError) and error.partial_results is None:
        return error
    return None


def _is_too_late(frame: Frame, index: int, when: float, run_deadline: float) -> bool:
    """Return whether a deadline will have passed: the node run's own, or one around it."""
    while True:
        details = frame.node_details.get(index)
        if details is not None and details.timer is not None and when >= details.timer.when:
            return True
        if frame.parent is None:
            return when >= run_deadline
        frame, index = frame.parent, frame.parent_index


def rival_ended(attempt: StartAttempt, other: StartAttempt, s: stimuli.AttemptEnded) -> str | None:
    """
    Separate two rivals, one of which has ended; the other is now the node run's attempt.

    If the first succeeded, its value counts once the other has ended. If it failed, the other
    continues alone, with its deadline.

    Returns:
        What the story says of it.
    """
    attempt.rival = other.rival = None
    attempt.frame.running[attempt.index] = other
    timer, attempt.timer = attempt.timer, None
    if timer is not None:
        timer.attempt, other.timer = other, timer
    name = f"{'the hedge of ' if attempt.is_hedge else ''}attempt {attempt.number}"
    if isinstance(s, stimuli.AttemptSucceeded):
        other.winning_value = s.value
        return f"{name} answered first"
    if attempt.cancelling:
        return None
    error = describe(s.error) if isinstance(s, stimuli.AttemptFailed) else "stopped"
    return f"{name} failed: {error}; the other of the two goes on"


def take_text_from(winner: StartAttempt, loser: StartAttempt) -> str | None:
    """Return the text that replaces what listeners received of the loser; None if it was none."""
    text, winner.suppressed_text = winner.suppressed_text, ""
    if not loser.emits_text or winner.cancelling:
        return None
    winner.emits_text = True
    return text


def timeout_error(timer: Timer) -> NodeTimeoutError:
    """Return the error of a deadline that has passed: of an attempt, or of a node run."""
    path, policy = timer.frame.path_of(timer.index), timer.frame.plan.nodes[timer.index].policy
    if timer.kind is TimerKind.ATTEMPT:
        assert timer.attempt is not None
        what, option = f"attempt {timer.attempt.number} of node", "attempt_timeout_seconds"
        seconds = policy.attempt_timeout_seconds
    else:
        what, option, seconds = "node", "timeout_seconds", policy.timeout_seconds
    text = f"{what} {path!r} took longer than {option}={seconds or 0.0:g}"
    return NodeTimeoutError(text, path=path)
