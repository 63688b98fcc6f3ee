"""
Every error dagorch raises, in one tree; no behaviour beyond carrying facts.

    DagorchError
    +-- DefinitionError          you: graph, config or call is wrong; nothing was paid for
    |   +-- CycleError           (also ValueError) the graph has a cycle; `.cycle` names it
    +-- RunError                 the world: something failed while running; `.partial_results`
    |   +-- BudgetExceededError  the next call could have broken the ceiling
    |   +-- NodeTimeoutError     (also TimeoutError) an attempt, node or run ran out of time
    |   +-- OutputTypeError      (also TypeError) a function returned what it did not promise
    |   +-- InvalidOutputError   (also ValueError) a model's reply does not fit the wanted type
    |   +-- QuorumError          a merge can no longer reach its quorum
    |   +-- ExpansionError       a node returned a graph that does not compile
    |   +-- NodeEndError         a value was asked of a node that did not complete
    |   +-- ProviderError        a model service did not answer as it should
    |       +-- AuthenticationError, PermissionDeniedError, NotFoundError, BadRequestError,
    |           ContextTooLongError, RateLimitedError, OverloadedError, ProviderTimeoutError,
    |           ProviderConnectionError, MalformedReplyError, RefusedError
    |   +-- SourceError          what a swarm searches did not answer as it should
    |       +-- SourceUnavailableError, SourceLimitedError, SourceRefusedError, SourceReplyError
    +-- InvariantError           dagorch itself: a rule of the engine was broken; please report

Facts sit in attributes and survive pickling; a message says what was found, where, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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
    "did_you_mean",
]


_MAX_NAME_LENGTH = 40
_MAX_NAMES = 80


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """
    Give `; did you mean 'x'?` for the nearest known names, at most so many, or an empty string.

    Example:
        >>> did_you_mean("sumary", ["summary", "title"])
        "; did you mean 'summary'?"
        >>> did_you_mean("gpt4", ["gpt-4", "gpt-4o", "grok-3"], most=3)
        "; did you mean 'gpt-4' or 'gpt-4o'?"
        >>> did_you_mean("zzz", ["summary"])
        ''

    Cost: bounded, whatever a stranger's file calls things: no name of more than 40 characters is
        looked at, and of more than 80 only as many that begin like it.
    """
    if len(name) > _MAX_NAME_LENGTH:
        return ""
    names = [other for other in dict.fromkeys(known) if len(other) <= _MAX_NAME_LENGTH]
    if len(names) > _MAX_NAMES:
        names = [other for other in names if other[:1] == name[:1]][:_MAX_NAMES]
    near = difflib.get_close_matches(name, names, n=most, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _rebuild(cls: type[DagorchError], args: tuple[Any, ...], facts: dict[str, Any]) -> DagorchError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class DagorchError(Exception):
    """
    Any error that dagorch raises on purpose.

    Attributes:
        retryable: Whether doing the same again may help.
        retry_at_once: Whether there is nothing to wait for before that.
    """

    retryable = True
    retry_at_once = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


class DagorchWarning(UserWarning):
    """Any warning that dagorch gives."""


class BlockingCallWarning(DagorchWarning):
    """A node kept the event loop from running; every other node waited for it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a definition."""

    message: str
    """What is wrong, and the nearest right name."""
    node: str = ""
    """The node's id; empty where the whole graph is meant."""
    where: str = ""
    """`file:line` of the user's code that added the node; empty if unknown."""

    def __str__(self) -> str:
        return f"{self.message} ({self.where})" if self.where else self.message


class DefinitionError(DagorchError):
    """
    The graph, the configuration or the call is wrong; raised before any call is paid for.

    Attributes:
        problems: Every problem found, in the order of the graph.
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
    The graph has a cycle.

    Attributes:
        cycle: The ids along it; the first is repeated at the end.
    """

    def __init__(
        self, problems: Sequence[Problem], *, cycle: Sequence[str], subject: str = ""
    ) -> None:
        super().__init__(problems, subject=subject)
        self.cycle = tuple(cycle)


class RunError(DagorchError):
    """
    Something failed while running; what had finished is not lost.

    The original error is the `__cause__`.

    Attributes:
        path: Address of the node run that failed (`refine[2]/critic`); empty for the run.
        story: What happened to that node run, a line a step, with times in seconds.
        partial_results: Everything that had finished, with costs: a `Result` from a graph,
            an `OrchestratorResult` from an orchestrator, None from a single call.
    """

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
    """Nothing is reserved any more, and the next call's worst case exceeds the ceiling."""

    retryable = False


class NodeTimeoutError(RunError, TimeoutError):
    """An attempt, a node, a container or a run ran out of its seconds; the message says which."""


class OutputTypeError(RunError, TypeError):
    """A function returned a value of another type than it is annotated with."""

    retryable = False


class InvalidOutputError(RunError, ValueError):
    """
    A model's reply does not fit the wanted output type.

    Attributes:
        reply: The text that the model gave.
    """

    retry_at_once = True

    def __init__(self, message: str, *, reply: str = "", path: str = "") -> None:
        super().__init__(message, path=path)
        self.reply = reply


class QuorumError(RunError):
    """So many of a merge's sources ended without a value that its quorum cannot be reached."""


class ExpansionError(RunError):
    """A node returned a graph that does not compile; the cause lists every problem."""


class NodeEndError(RunError, LookupError):
    """A value was asked of a node that did not complete; the message names its end and why."""


class ProviderError(RunError):
    """
    A model service did not answer as it should.

    Attributes:
        service: The provider's name (`openai`).
        model: The model asked for; empty if none was.
        status: HTTP status, or None where no reply came.
        request_id: The service's own id of the request; empty if none was given.
        retryable: Whether the same request may succeed later.
        retry_after_seconds: The pause the service asked for, or None.
        rate_limits: What the service said of its limits (`dagorch.models.rates.RateLimits`), or
            None if nothing.
        sent: Whether the request may have reached the service.
        answer_begun: Whether a part of an answer had come, which the service may well bill.
        usage: What the service counted for it (`dagorch.models.usage.Usage`), or None where it
            did not say.
    """

    retryable = False

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
    """The key is missing or was not accepted (401)."""


class PermissionDeniedError(ProviderError):
    """The key is known but may not do this (403)."""


class NotFoundError(ProviderError):
    """The model or the address does not exist there (404)."""


class BadRequestError(ProviderError):
    """The service refused the request as malformed (other 4xx)."""


class ContextTooLongError(BadRequestError):
    """The request has more tokens than the model reads."""


class RateLimitedError(ProviderError):
    """Too many requests or tokens (429); `retry_after_seconds` where the service said so."""

    retryable = True


class OverloadedError(ProviderError):
    """The service failed or is overloaded (5xx)."""

    retryable = True


class ProviderTimeoutError(ProviderError, TimeoutError):
    """No answer came in time."""

    retryable = True


class ProviderConnectionError(ProviderError, ConnectionError):
    """The service could not be reached, or closed the connection mid-answer."""

    retryable = True


class MalformedReplyError(ProviderError):
    """What came back is not what the protocol promises (HTML, broken JSON, no choices)."""

    retryable = True


class RefusedError(ProviderError):
    """The model or a filter of the service refused to answer."""


class SourceError(RunError):
    """
    What was searched did not answer as it should.

    Attributes:
        source: The source's name (`arxiv`).
        status: HTTP status, or None where no reply came.
        retry_after_seconds: The pause that the service asked for, or None.
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
    """It could not be reached, was silent for too long, or failed (5xx)."""


class SourceLimitedError(SourceError):
    """It was asked too often (429); `retry_after_seconds` where the service said so."""


class SourceRefusedError(SourceError):
    """It does not take the search as it is (other 4xx), or there is nothing to search."""

    retryable = False


class SourceReplyError(SourceError):
    """What came back is not what its interface promises."""


class InvariantError(DagorchError):
    """
    A rule of the engine itself was broken. This is a bug in dagorch.

    The story shows how it came about.
    """
