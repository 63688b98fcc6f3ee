"""
Stimuli: what the runner reports to the core. Past tense, each with its time. Without behaviour.

Two questions that need an answer at once are methods of the core: `Core.request_call` and
`Core.request_resend`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagorch.graph.plan import Plan
from dagorch.models.rates import RateLimits
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.scheduler.records import Call, Evaluate, StartAttempt

__all__ = [
    "Answered", "AttemptCancelled", "AttemptEnded", "AttemptFailed", "AttemptSucceeded",
    "CallEnded", "Continued", "Evaluated", "EvaluationFailed", "Expanded", "ReplyBegan",
    "ResourceFreed", "RunCancelled", "RunStarted", "Stimulus", "TimerFired", "TokensArrived",
]  # fmt: skip


class Stimulus:
    """
    Anything that `Core.handle` takes.

    Args:
        now: The time in seconds; it never falls.
    """

    __slots__ = ("now",)

    def __init__(self, now: float) -> None:
        self.now = now


class RunStarted(Stimulus):
    """The run starts; the first stimulus of every run."""

    __slots__ = ("inputs",)

    def __init__(self, inputs: Mapping[str, Any], now: float) -> None:
        self.inputs = inputs
        self.now = now


class RunCancelled(Stimulus):
    """The run is to stop."""

    __slots__ = ("reason",)

    def __init__(self, reason: str, now: float) -> None:
        self.reason = reason
        self.now = now


class Continued(Stimulus):
    """Others have used the event loop; the core continues with its agenda."""

    __slots__ = ()


class TimerFired(Stimulus):
    """The time that `Core.next_timer_at` named has come."""

    __slots__ = ()


class ResourceFreed(Stimulus):
    """Another run gave back something that this one waits for."""

    __slots__ = ()


# -- attempts ---------------------------------------------------------------------------------


class AttemptEnded(Stimulus):
    """An attempt has ended in one of four ways; what it used is billed in each."""

    __slots__ = ("attempt", "usage")

    attempt: StartAttempt
    usage: Usage


class AttemptSucceeded(AttemptEnded):
    """An attempt returned a value."""

    __slots__ = ("value",)

    def __init__(
        self, attempt: StartAttempt, value: Any, now: float, usage: Usage = NOTHING_USED
    ) -> None:
        self.attempt = attempt
        self.value = value
        self.usage = usage
        self.now = now


class Expanded(AttemptEnded):
    """An attempt returned a graph, compiled here; it runs in the node's place."""

    __slots__ = ("plan",)

    def __init__(
        self, attempt: StartAttempt, plan: Plan, now: float, usage: Usage = NOTHING_USED
    ) -> None:
        self.attempt = attempt
        self.plan = plan
        self.usage = usage
        self.now = now


class AttemptFailed(AttemptEnded):
    """An attempt raised."""

    __slots__ = ("error",)

    def __init__(
        self, attempt: StartAttempt, error: BaseException, now: float, usage: Usage = NOTHING_USED
    ) -> None:
        self.attempt = attempt
        self.error = error
        self.usage = usage
        self.now = now


class AttemptCancelled(AttemptEnded):
    """An attempt has stopped as `CancelAttempt` asked."""

    __slots__ = ()

    def __init__(self, attempt: StartAttempt, now: float, usage: Usage = NOTHING_USED) -> None:
        self.attempt = attempt
        self.usage = usage
        self.now = now


class TokensArrived(Stimulus):
    """A piece of an attempt's text arrived. Sent only while there is a listener."""

    __slots__ = ("attempt", "text")

    def __init__(self, attempt: StartAttempt, text: str, now: float) -> None:
        self.attempt = attempt
        self.text = text
        self.now = now


class ReplyBegan(Stimulus):
    """
    A service began to reply to an exchange, or refused it.

    Args:
        ticket: The attempt or the call that the exchange is for.
        now: The time in seconds.
        rates: What the reply says of the service's limits.
        pause_seconds: Its `Retry-After`.
        refused: Whether the service is overloaded: a 429 or a 503.
    """

    __slots__ = ("pause_seconds", "rates", "refused", "ticket")

    def __init__(
        self,
        ticket: StartAttempt | Call,
        now: float,
        rates: RateLimits | None = None,
        pause_seconds: float | None = None,
        *,
        refused: bool = False,
    ) -> None:
        self.ticket = ticket
        self.rates = rates
        self.pause_seconds = pause_seconds
        self.refused = refused
        self.now = now


class CallEnded(Stimulus):
    """A call has ended with this bill, or its caller no longer waits for a grant."""

    __slots__ = ("call", "usage")

    def __init__(self, call: Call, usage: Usage, now: float) -> None:
        self.call = call
        self.usage = usage
        self.now = now


# -- evaluations and answers ------------------------------------------------------------------


class Evaluated(Stimulus):
    """An evaluation returned a value."""

    __slots__ = ("ticket", "value")

    def __init__(self, ticket: Evaluate, value: Any, now: float) -> None:
        self.ticket = ticket
        self.value = value
        self.now = now


class EvaluationFailed(Stimulus):
    """An evaluation raised."""

    __slots__ = ("error", "ticket")

    def __init__(self, ticket: Evaluate, error: BaseException, now: float) -> None:
        self.ticket = ticket
        self.error = error
        self.now = now


class ThreadEnded(Stimulus):
    """A thread that outlived its attempt has ended, and gives its slot back."""

    __slots__ = ()

    def __init__(self, now: float) -> None:
        self.now = now


class Answered(Stimulus):
    """A person answered a parked node run."""

    __slots__ = ("path", "value")

    def __init__(self, path: str, value: Any, now: float) -> None:
        self.path = path
        self.value = value
        self.now = now
