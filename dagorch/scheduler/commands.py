"""
Commands: what the core tells the runner to do. Imperative.

Each doubles as the ticket to report back with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from dagorch.models.events import Event
from dagorch.models.limits import NO_DEMAND, Demand, Limits
from dagorch.models.llm import LLMResponse
from dagorch.models.usage import NO_AMOUNT, Amount

if TYPE_CHECKING:
    from dagorch.scheduler.admission import Permit
    from dagorch.scheduler.deadlines import Due
    from dagorch.scheduler.frames import Frame
    from dagorch.scheduler.stimuli import AttemptSucceeded

__all__ = [
    "CONTINUE", "NOBODY", "Call", "CancelAttempt", "Command", "Continue", "Emit", "Evaluate",
    "Finish", "GrantCall", "Prepared", "Purpose", "RefuseCall", "Resource", "Source",
    "StartAttempt", "WakeRun",
]  # fmt: skip

Source = tuple[str, str]
"""Who answers: the service's name and the model's."""
NOBODY: Source = ("", "")
Purpose = Literal["select", "reduce", "until", "prepare", "items", "question"]


class Command:
    """Anything that `Core.next` gives."""

    __slots__ = ()


class Resource:
    """
    A bounded thing that attempts hold: a service, a model of it, a name with a limit of the run's.

    Args:
        name: Under which its holders are counted.
        capacity: How many may hold it at once; None is no bound.
        is_service: Whether it has rates, and can ask for pauses.
        limits: Its rates; None of a service is none known.
        within: What is held with it: a model's service.
    """

    __slots__ = ("capacity", "is_service", "limits", "name", "names", "within")

    def __init__(
        self,
        name: str,
        capacity: int | None,
        *,
        is_service: bool = False,
        limits: Limits | None = None,
        within: Resource | None = None,
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.is_service = is_service or limits is not None
        self.limits = limits
        self.within = within
        self.names: tuple[str, ...] = (name, *(within.names if within is not None else ()))
        """Its own and those of what is held with it."""


class Prepared:
    """
    An exchange that is ready to be made: what it sends, to whom, and what that may take.

    Args:
        request: What is sent; the runner's.
        provider: Who answers it; the runner's.
        resource: What it holds; None is nothing.
        worst: The most that it can use up, as far as there are ceilings.
        demand: What it asks of the service's rates.
        source: Who is paid.
        cheaper: The same of a cheaper model, to turn to before a ceiling stops the run.
    """

    __slots__ = ("cheaper", "demand", "provider", "request", "resource", "source", "worst")

    def __init__(
        self,
        request: Any,
        provider: Any,
        resource: Resource | None,
        worst: Amount = NO_AMOUNT,
        demand: Demand = NO_DEMAND,
        source: Source = NOBODY,
        cheaper: Prepared | None = None,
    ) -> None:
        self.request = request
        self.provider = provider
        self.resource = resource
        self.worst = worst
        self.demand = demand
        self.source = source
        self.cheaper = cheaper


class StartAttempt(Command):
    """
    Do the node's work once, with these inputs; report its end with this very object.

    One is made for every attempt, so it has no slots: what most attempts never need stands on
    the class and takes no time to set.
    """

    number: int = 1
    model: int = 0
    """Which model is asked: 0 the node's own, then its fallback models."""
    prepared: Prepared | None = None
    resources: tuple[Resource, ...] = ()
    permit: Permit | None = None
    """What it holds of them."""
    reserved: Amount | None = None
    cancelling: bool = False
    stop_error: BaseException | None = None
    """Why it was told to stop, if that is a failure of its own (a timeout)."""
    due: Due | None = None
    """Its deadline."""
    began: float = 0.0
    """When its exchange may have begun, if it makes one."""
    heard: LLMResponse | str | None = None
    """What came of the exchange, or why nothing did; None till then, and if it was cancelled."""
    final: bool = False
    """There is to be no other: the node's own deadline has passed."""
    hedge_due: Due | None = None
    """When it takes too long."""
    hedge_after: float = 0.0
    """How many seconds that is."""
    is_hedge: bool = False
    rival: StartAttempt | None = None
    """The other of two that answer the same, as long as both are under way."""
    won: AttemptSucceeded | None = None
    """How its rival ended, which it lost against: that counts when it has ended itself."""
    speaks: bool = False
    """Whether listeners have heard of its text."""
    unheard: str = ""
    """Its text, while they hear its rival's."""
    worker: Any = None
    """The runner's."""

    def __init__(self, frame: Frame, index: int, inputs: Mapping[str, Any]) -> None:
        self.frame = frame
        self.index = index
        self.inputs = inputs

    @property
    def is_under_way(self) -> bool:
        running = self.frame.running.get(self.index)
        return running is self or (running is not None and running.rival is self)

    @property
    def path(self) -> str:
        return self.frame.path_of(self.index)

    def __repr__(self) -> str:
        return f"StartAttempt({self.path!r}, {self.number})"


class CancelAttempt(Command):
    """Make an attempt stop, then report how it ended."""

    __slots__ = ("attempt",)

    def __init__(self, attempt: StartAttempt) -> None:
        self.attempt = attempt

    def __repr__(self) -> str:
        return f"CancelAttempt({self.attempt.path!r}, {self.attempt.number})"


class Evaluate(Command):
    """Call a short sync function of the user's on the loop; report what it returned."""

    __slots__ = ("argument", "frame", "function", "index", "inputs", "purpose")

    def __init__(
        self,
        frame: Frame,
        index: int,
        purpose: Purpose,
        function: Callable[..., Any] | None,
        inputs: Mapping[str, Any],
        argument: Any = None,
    ) -> None:
        self.frame = frame
        self.index = index
        self.purpose = purpose
        self.function = function
        self.inputs = inputs
        """By name, for `select`, `prepare` and `question`."""
        self.argument = argument
        """
        For the others.

        For `prepare`, which of the node's models to ask, and why its attempt before failed.
        """

    @property
    def path(self) -> str:
        return self.frame.path_of(self.index)

    def __repr__(self) -> str:
        return f"Evaluate({self.frame.path_of(self.index)!r}, {self.purpose!r})"


class Continue(Command):
    """Let others have a turn, then send `Continued`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Continue()"


CONTINUE = Continue()


class Emit(Command):
    """Tell the listeners."""

    __slots__ = ("event",)

    def __init__(self, event: Event) -> None:
        self.event = event

    def __repr__(self) -> str:
        return f"Emit({self.event.type.value!r}, {self.event.path!r})"


class WakeRun(Command):
    """Another run waits for what this one gave back; send it `ResourceFreed`."""

    __slots__ = ("run",)

    def __init__(self, run: str) -> None:
        self.run = run

    def __repr__(self) -> str:
        return f"WakeRun({self.run!r})"


class Finish(Command):
    """The run is over; `Core.outcome` tells how. The last command of all."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Finish()"


class Call:
    """
    A call that a function node makes through its provider.

    The ticket of request, grant and bill.

    Args:
        attempt: Makes it.
        prepared: The exchange; of a granted call, the one to be made.
        wait: False: grant or refuse at once, for the caller stands on the loop.
    """

    __slots__ = ("attempt", "began", "heard", "permit", "prepared", "reply", "reserved", "wait")

    def __init__(self, attempt: StartAttempt, prepared: Prepared, *, wait: bool) -> None:
        self.attempt = attempt
        self.prepared = prepared
        self.wait = wait
        self.permit: Permit | None = None
        """What it holds, once it is granted."""
        self.reserved: Amount | None = None
        self.began = 0.0
        """When it was granted."""
        self.heard: LLMResponse | str | None = None
        """What came of it, or why nothing did; None till then, and if it was cancelled."""
        self.reply: Any = None
        """The runner's."""


class GrantCall(Command):
    """Let a call go ahead; report its bill with `CallEnded`."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call

    def __repr__(self) -> str:
        return f"GrantCall({self.call.attempt.path!r})"


class RefuseCall(Command):
    """Raise this error where the call was made."""

    __slots__ = ("call", "error")

    def __init__(self, call: Call, error: BaseException) -> None:
        self.call = call
        self.error = error

    def __repr__(self) -> str:
        return f"RefuseCall({self.call.attempt.path!r})"
