"""
Every error that dagorch raises, in one tree.

    DagorchError
    +-- DefinitionError          the graph, config or call is wrong; no call has been paid for
    |   +-- CycleError           (also ValueError) the graph has a cycle; see `.cycle`
    +-- RunError                 something failed during a run; see `.partial_results`
    |   +-- BudgetExceededError  the next call could exceed the ceiling
    |   +-- NodeTimeoutError     (also TimeoutError) an attempt, node or run ran out of time
    |   +-- OutputTypeError      (also TypeError) a function returned a value of the wrong type
    |   +-- InvalidOutputError   (also ValueError) a model's reply does not fit the output type
    |   +-- QuorumError          a merge can no longer reach its quorum
    |   +-- ItemError            an item of a map failed, and the map continued without it
    |   +-- ExpansionError       a node returned a graph that does not compile
    |   +-- NodeEndError         the value of a node that did not complete was read
    |   +-- ProviderError        a model service failed
    |       +-- AuthenticationError, PermissionDeniedError, NotFoundError, BadRequestError,
    |           ContextTooLongError, RateLimitedError, OverloadedError, ProviderTimeoutError,
    |           ProviderConnectionError, MalformedReplyError, RefusedError
    |   +-- SourceError          a search source failed
    |       +-- SourceUnavailableError, SourceLimitedError, SourceRefusedError, SourceReplyError
    |   +-- InvariantError       a bug in dagorch; please report it

Details are attributes and survive pickling. A message says what is wrong, where, and what to do.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

__all__ = [
    "AuthenticationError",
    "BadRequestError",
    "BlockingCallWarning",
    "BudgetExceededError",
    "ContextTooLongError",
    "CycleError",
    "DagorchError",
    "DagorchWarning",
    "DefinitionError",
    "ExpansionError",
    "InvalidOutputError",
    "InvariantError",
    "ItemError",
    "MalformedReplyError",
    "NodeEndError",
    "NodeTimeoutError",
    "NotFoundError",
    "OutputTypeError",
    "OverloadedError",
    "PermissionDeniedError",
    "Problem",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "QuorumError",
    "RateLimitedError",
    "RefusedError",
    "RunError",
    "SourceError",
    "SourceLimitedError",
    "SourceRefusedError",
    "SourceReplyError",
    "SourceUnavailableError",
    "asks_to_stop",
    "did_you_mean",
]


_MAX_NAME_LENGTH: Final = 40
_MAX_NAMES: Final = 80


def did_you_mean(name: str, known: Iterable[str], limit: int = 1) -> str:
    """
    Suggest known names close to a wrong one: `; did you mean 'x'?`, or an empty string.

    Args:
        name: The wrong name.
        known: The right names.
        limit: The most suggestions.

    Example:
        >>> did_you_mean("sumary", ["summary", "title"])
        "; did you mean 'summary'?"
        >>> did_you_mean("gpt4", ["gpt-4", "gpt-4o", "grok-3"], limit=3)
        "; did you mean 'gpt-4' or 'gpt-4o'?"
        >>> did_you_mean("zzz", ["summary"])
        ''

    Cost: bounded, because names may come from an untrusted file. Names of more than 40 characters
        are ignored; of more than 80 names, only those with the same first letter are compared.
    """
    if len(name) > _MAX_NAME_LENGTH:
        return ""
    names = [other for other in dict.fromkeys(known) if len(other) <= _MAX_NAME_LENGTH]
    if len(names) > _MAX_NAMES:
        names = [other for other in names if other[:1] == name[:1]][:_MAX_NAMES]
    near = difflib.get_close_matches(name, names, n=limit, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def asks_to_stop(error: BaseException) -> bool:
    """
    Tell whether an error is an interrupt, an exit or a cancellation, which nothing may swallow.

    Other errors that are no `Exception` are failures, such as a panic of a native library.

    Example:
        >>> asks_to_stop(KeyboardInterrupt()), asks_to_stop(MemoryError())
        (True, False)
    """
    cancellations = [
        getattr(sys.modules[module], name)
        for module, name in (("asyncio", "CancelledError"), ("trio", "Cancelled"))
        if module in sys.modules
    ]
    return isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit, *cancellations))


def _rebuild(
    cls: type[DagorchError], args: tuple[Any, ...], attributes: dict[str, Any]
) -> DagorchError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class DagorchError(Exception):
    """
    The base of every error that dagorch raises.

    Attributes:
        retryable: Whether a retry may succeed.
        retry_at_once: Whether that retry needs no delay.
    """

    retryable = True
    retry_at_once = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


class DagorchWarning(UserWarning):
    """The base of every warning that dagorch issues."""


class BudgetWarning(DagorchWarning):
    """A ceiling shortened a reply, or can only be checked after each call."""


class BlockingCallWarning(DagorchWarning):
    """A node blocked the event loop, and every other node waited for it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a definition."""

    message: str
    """What is wrong, with the closest right name if there is one."""
    node: str = ""
    """The node's id; empty if the problem concerns the whole graph."""
    where: str = ""
    """`file:line` of the user's code that added the node; empty if unknown."""

    def __str__(self) -> str:
        return f"{self.message} ({self.where})" if self.where else self.message


class DefinitionError(DagorchError):
    """
    Raised when the graph, the config or the call is wrong, before any call is paid for.

    Attributes:
        problems: Every problem that was found, in the order of the graph.
    """

    retryable = False

    def __init__(self, problems: str | Sequence[Problem], *, subject: str = "") -> None:
        self.problems = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        lines = [str(problem) for problem in self.problems]
        prefix = f"{subject}: " if subject else ""
        if len(lines) == 1:
            text = prefix + lines[0]
        else:
            text = f"{prefix}{len(lines)} problems\n" + "\n".join(f"  - {line}" for line in lines)
        super().__init__(text)


class CycleError(DefinitionError, ValueError):
    """
    Raised when the graph has a cycle.

    Attributes:
        cycle: The node ids along the cycle; the first is repeated at the end.
    """

    def __init__(
        self, problems: Sequence[Problem], *, cycle: Sequence[str], subject: str = ""
    ) -> None:
        super().__init__(problems, subject=subject)
        self.cycle = tuple(cycle)


class RunError(DagorchError):
    """
    Raised when something fails during a run; finished work is kept in `partial_results`.

    The original error is the `__cause__`.

    Attributes:
        path: The path of the failed node run (`refine[2]/critic`); empty for the run itself.
        story: The steps of that node run, one line each, with times in seconds.
        partial_results: Everything that finished, with costs: a `Result` of a graph, an
            `OrchestratorResult` of an orchestrator, None of a single call.
    """

    # For a subclass of a user's whose `__init__` does not call this one.
    path = ""
    story: tuple[str, ...] = ()
    partial_results: Any = None

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        story: Sequence[str] = (),
        partial_results: Any = None,
    ) -> None:
        super().__init__(message)
        self.path = path
        self.story = tuple(story)
        self.partial_results = partial_results


class BudgetExceededError(RunError):
    """Raised when the worst case of the next call exceeds what is left of the ceiling."""

    retryable = False


class NodeTimeoutError(RunError, TimeoutError):
    """Raised when an attempt, a node, a container or a run exceeds its timeout."""


class OutputTypeError(RunError, TypeError):
    """Raised when a function returns a value that does not fit its annotation."""

    retryable = False


class InvalidOutputError(RunError, ValueError):
    """
    Raised when a model's reply does not fit the output type.

    Attributes:
        reply: The text of the reply.
    """

    retry_at_once = True

    def __init__(self, message: str, *, reply: str = "", path: str = "") -> None:
        super().__init__(message, path=path)
        self.reply = reply


class QuorumError(RunError):
    """Raised when too many sources of a merge ended without a value to reach its quorum."""


class ItemError(RunError):
    """
    Describes a failed item of a map. With `on_item_error="collect"` it takes the item's place.

    Attributes:
        index: The position of the item, from 0.
        path: The path of the item, such as `each[3]`.
        error: The error that ended the item; also the `__cause__`.
        cost_usd: The cost of its node runs.
    """

    def __init__(
        self, message: str, *, path: str, index: int, error: BaseException, cost_usd: Decimal
    ) -> None:
        super().__init__(message, path=path)
        self.index = index
        self.error = error
        self.cost_usd = cost_usd
        self.__cause__ = error


class ExpansionError(RunError):
    """Raised when a node returns a graph that does not compile; the cause lists every problem."""


class NodeEndError(RunError, LookupError):
    """Raised when the value of a node that did not complete is read; the message says why."""


class ProviderError(RunError):
    """
    Raised when a model service fails.

    Attributes:
        service: The provider's name (`openai`).
        model: The model of the request; empty if it named none.
        status: The HTTP status; None if there was no response.
        request_id: The service's id of the request; empty if it sent none.
        retryable: Whether the same request may succeed later.
        retry_after_seconds: The delay that the service asked for, or None.
        rate_limits: The rate limits in the response (`dagorch.models.rates.RateLimits`), or None.
        sent: Whether the request may have reached the service.
        answer_begun: Whether part of a response arrived; the service may bill it.
        usage: The usage that the service reported (`dagorch.models.usage.Usage`), or None.
        service_wide: Whether every call of this model would fail in the same way. Such an error
            stops the run: no fallback value, fallback node or `on_error` applies to it.
    """

    retryable = False
    service_wide = False
    # For a subclass of a user's whose `__init__` does not call this one.
    service = model = request_id = ""
    status: int | None = None
    retry_after_seconds: float | None = None
    rate_limits: Any = None
    sent = True
    answer_begun = False
    usage: Any = None

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        model: str = "",
        status: int | None = None,
        request_id: str = "",
        retry_after_seconds: float | None = None,
        rate_limits: Any = None,
        sent: bool = True,
        answer_begun: bool = False,
        usage: Any = None,
    ) -> None:
        super().__init__(message)
        self.service = service
        self.model = model
        self.status = status
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.rate_limits = rate_limits
        self.sent = sent
        self.answer_begun = answer_begun
        self.usage = usage


class AuthenticationError(ProviderError):
    """The API key is missing or invalid (401)."""

    service_wide = True


class PermissionDeniedError(ProviderError):
    """The API key has no permission for this request (403)."""

    service_wide = True


class NotFoundError(ProviderError):
    """The service has no such model or address (404)."""

    service_wide = True


class BadRequestError(ProviderError):
    """The service rejected the request as malformed (other 4xx)."""


class ContextTooLongError(BadRequestError):
    """The request has more tokens than the context of the model."""


class RateLimitedError(ProviderError):
    """Too many requests or tokens (429); `retry_after_seconds` is set if the service sent it."""

    retryable = True


class OverloadedError(ProviderError):
    """The service failed or is overloaded (5xx)."""

    retryable = True


class ProviderTimeoutError(ProviderError, TimeoutError):
    """The response did not arrive in time."""

    retryable = True


class ProviderConnectionError(ProviderError, ConnectionError):
    """The service could not be reached, or closed the connection during the response."""

    retryable = True


class MalformedReplyError(ProviderError):
    """The response does not follow the protocol (HTML, broken JSON, no choices)."""

    retryable = True


class RefusedError(ProviderError):
    """The model or a content filter of the service refused to answer."""


class SourceError(RunError):
    """
    Raised when a search source fails.

    Attributes:
        source: The source's name (`arxiv`).
        status: The HTTP status; None if there was no response.
        retry_after_seconds: The delay that the service asked for, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str = "",
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.source = source
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class SourceUnavailableError(SourceError, ConnectionError):
    """The source could not be reached, did not answer in time, or failed (5xx)."""


class SourceLimitedError(SourceError):
    """Too many searches (429); `retry_after_seconds` is set if the source sent it."""


class SourceRefusedError(SourceError):
    """The source rejected the search (other 4xx), or there is nothing to search."""

    retryable = False


class SourceReplyError(SourceError):
    """The response does not follow the interface of the source."""


class InvariantError(RunError):
    """
    Raised when the engine breaks one of its own rules. This is a bug in dagorch.

    The story shows the steps that led to it. Raised out of a run, it has partial results like any
    other `RunError`.
    """
