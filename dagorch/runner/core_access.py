"""How attempts and calls change the core: stimuli and two questions. They read it directly."""

from __future__ import annotations

from typing import Protocol

from dagorch.errors import RunError
from dagorch.scheduler.commands import Answer, RefuseCall
from dagorch.scheduler.records import Call, StartAttempt
from dagorch.scheduler.stimuli import Stimulus

__all__ = ["CoreAccess", "EndedRun", "run_has_ended"]


class CoreAccess(Protocol):
    """What attempts and calls need of a runner."""

    def feed(self, stimulus: Stimulus) -> None:
        """Hand the core a stimulus."""

    def request_call(self, call: Call) -> Answer:
        """Ask for a call of a function node."""

    def request_resend(self, ticket: StartAttempt | Call) -> bool:
        """Ask whether an exchange may be sent once more."""


class EndedRun:
    """Takes the place of a runner that has ended, for threads that outlive it."""

    def feed(self, stimulus: Stimulus) -> None:
        """Ignore the stimulus: it changes nothing."""

    def request_call(self, call: Call) -> Answer:
        return RefuseCall(call, run_has_ended(call.attempt))

    def request_resend(self, ticket: StartAttempt | Call) -> bool:
        return False


def run_has_ended(attempt: StartAttempt) -> RunError:
    """Return the error of a call whose attempt is over."""
    return RunError(
        f"node {attempt.path!r} was cancelled, so it may call no more", path=attempt.path
    )
