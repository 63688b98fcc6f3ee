"""
Stimuli: what the world tells the core. Past tense, each with the time it happened.

No behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagorch.models.rates import RateLimits
from dagorch.models.usage import NOTHING_USED, Usage

if TYPE_CHECKING:
    from dagorch.graph.plan import Plan
    from dagorch.scheduler.commands import Call, Evaluate, StartAttempt

__all__ = [
    "Answered", "AttemptCancelled", "AttemptFailed", "AttemptSucceeded", "CallEnded",
    "CallRequested",
    "Continued", "Evaluated", "EvaluationFailed", "Expanded", "ReplyBegan", "ResourceFreed",
    "RunCancelled",
    "RunStarted", "SendingAgain", "Stimulus", "TimerFired", "TokensArrived",
]  # fmt: skip


class Stimulus:
    """Anything that `Core.handle` takes. `now` is in seconds and never falls."""

    __slots__ = ("now",)

    now: float


class RunStarted(Stimulus):
    """The first stimulus of every run."""

    __slots__ = ("inputs",)

    def __init__(self, inputs: Mapping[str, Any], now: float) -> None:
        self.inputs = inputs
        self.now = now


class AttemptSucceeded(Stimulus):
    """An attempt gave a value."""

    __slots__ = ("attempt", "usage", "value")

    def __init__(
        self, attempt: StartAttempt, value: Any, now: float, usage: Usage = NOTHING_USED
    ) -> None:
        self.attempt = attempt
        self.value = value
        self.usage = usage
        self.now = now


class Expanded(Stimulus):
    """An attempt gave a graph, compiled; it runs in the node's place."""

    __slots__ = ("attempt", "plan", "usage")

    def __init__(
        self, attempt: StartAttempt, plan: Plan, now: float, usage: Usage = NOTHING_USED
    ) -> None:
        self.attempt = attempt
        self.plan = plan
        self.usage = usage
        self.now = now


class AttemptFailed(Stimulus):
    """An attempt raised; what it cost counts all the same."""

    __slots__ = ("attempt", "error", "usage")

    def __init__(
        self, attempt: StartAttempt, error: BaseException, now: float, usage: Usage = NOTHING_USED
    ) -> None:
        self.attempt = attempt
        self.error = error
        self.usage = usage
        self.now = now


class AttemptCancelled(Stimulus):
    """An attempt that was told to stop has stopped."""

    __slots__ = ("attempt", "usage")

    def __init__(self, attempt: StartAttempt, now: float, usage: Usage = NOTHING_USED) -> None:
        self.attempt = attempt
        self.usage = usage
        self.now = now


class Evaluated(Stimulus):
    """A function that the core asked to have evaluated returned."""

    __slots__ = ("ticket", "value")

    def __init__(self, ticket: Evaluate, value: Any, now: float) -> None:
        self.ticket = ticket
        self.value = value
        self.now = now


class EvaluationFailed(Stimulus):
    """A function that the core asked to have evaluated raised."""

    __slots__ = ("error", "ticket")

    def __init__(self, ticket: Evaluate, error: BaseException, now: float) -> None:
        self.ticket = ticket
        self.error = error
        self.now = now


class TimerFired(Stimulus):
    """The time that `Core.deadline` named has come."""

    __slots__ = ()

    def __init__(self, now: float) -> None:
        self.now = now


class Continued(Stimulus):
    """The loop has had a turn; the core goes on with its agenda."""

    __slots__ = ()

    def __init__(self, now: float) -> None:
        self.now = now


class RunCancelled(Stimulus):
    """Somebody wants the run to stop."""

    __slots__ = ("reason",)

    def __init__(self, reason: str, now: float) -> None:
        self.reason = reason
        self.now = now


class ResourceFreed(Stimulus):
    """Another run gave back something that this one waits for."""

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


class TokensArrived(Stimulus):
    """A piece of an attempt's text came; sent only while somebody listens."""

    __slots__ = ("attempt", "text")

    def __init__(self, attempt: StartAttempt, text: str, now: float) -> None:
        self.attempt = attempt
        self.text = text
        self.now = now


class ReplyBegan(Stimulus):
    """A service has begun to answer an attempt or a call, or has refused it."""

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
        self.refused = refused
        """Whether it would have no more now: a 429 or a 503."""
        self.rates = rates
        """What it said of its limits."""
        self.pause_seconds = pause_seconds
        """Its `Retry-After`."""
        self.now = now


class SendingAgain(Stimulus):
    """
    A connection broke as it was used again, and the exchange would be sent on another.

    Decided at once: the answer is in `granted`.
    """

    __slots__ = ("granted", "ticket")

    def __init__(self, ticket: StartAttempt | Call, now: float) -> None:
        self.ticket = ticket
        self.granted = False
        self.now = now


class CallRequested(Stimulus):
    """A function node wants to call a provider; the core grants or refuses."""

    __slots__ = ("call",)

    def __init__(self, call: Call, now: float) -> None:
        self.call = call
        self.now = now


class CallEnded(Stimulus):
    """A granted call is over; its bill is settled."""

    __slots__ = ("call", "usage")

    def __init__(self, call: Call, usage: Usage, now: float) -> None:
        self.call = call
        self.usage = usage
        self.now = now
