"""
Commands: what the core tells the runner to do. Imperative, without behaviour.

`StartAttempt` and `Evaluate` are records as well: the object that starts the work is the one that
its end is reported with.
"""

from __future__ import annotations

from typing import Final

from dagorch.scheduler.records import Call, Evaluate, StartAttempt

__all__ = [
    "CONTINUE", "WAITING", "Answer", "CancelAttempt", "Command", "Continue", "Evaluate",
    "Finish", "GrantCall", "RefuseCall", "StartAttempt", "Waiting", "WakeRun",
]  # fmt: skip


class CancelAttempt:
    """Make an attempt stop, then report how it ended."""

    __slots__ = ("attempt",)

    def __init__(self, attempt: StartAttempt) -> None:
        self.attempt = attempt

    def __repr__(self) -> str:
        return f"CancelAttempt({self.attempt.path!r}, {self.attempt.number})"


class Continue:
    """Let others use the event loop, then send `Continued`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Continue()"


CONTINUE: Final = Continue()


class WakeRun:
    """Send `ResourceFreed` to another run: it waits for what this one gave back."""

    __slots__ = ("run",)

    def __init__(self, run: str) -> None:
        self.run = run

    def __repr__(self) -> str:
        return f"WakeRun({self.run!r})"


class Finish:
    """The run is over; `Core.outcome_error` and the root frame say how. The last command."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Finish()"


class GrantCall:
    """Let a waiting call go ahead; report its bill with `CallEnded`."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call

    def __repr__(self) -> str:
        return f"GrantCall({self.call.attempt.path!r})"


class RefuseCall:
    """Raise this error where the call was made."""

    __slots__ = ("call", "error")

    def __init__(self, call: Call, error: BaseException) -> None:
        self.call = call
        self.error = error

    def __repr__(self) -> str:
        return f"RefuseCall({self.call.attempt.path!r})"


class Waiting:
    """The answer to a call that must wait: `GrantCall` or `RefuseCall` follows as a command."""

    __slots__ = ()


WAITING: Final = Waiting()

Answer = GrantCall | RefuseCall | Waiting
"""What `Core.request_call` returns."""

Command = (
    StartAttempt | CancelAttempt | Evaluate | GrantCall | RefuseCall | WakeRun | Continue | Finish
)
"""What `Core.next` returns."""
