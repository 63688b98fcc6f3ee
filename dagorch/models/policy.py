"""
The policy of a node: retries, timeouts, fallbacks, priority, resources.

Only options; `scheduler/` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, Literal

from dagorch.errors import DefinitionError
from dagorch.models.bounds import count_problem, seconds_problem
from dagorch.models.ref import Ref
from dagorch.models.several import several
from dagorch.models.suggest import suggest_options
from dagorch.models.unawaited import unawaited
from dagorch.models.user_objects import error_flag

__all__ = ["DEFAULT_POLICY", "NO_FALLBACK", "ErrorPolicy", "Policy", "Retry"]

ErrorPolicy = Literal["fail", "continue"]


class _NoFallback:
    """The absence of a fallback; None is a valid fallback value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_FALLBACK"

    def __reduce__(self) -> str:
        return "NO_FALLBACK"


NO_FALLBACK: Final = _NoFallback()


def _check(problem: str | None) -> None:
    if problem is not None:
        raise DefinitionError(problem)


def _is_exception_class(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


def _names(policy: Policy, option: str) -> None:
    """Make an option a tuple of names."""
    names = several(getattr(policy, option), option, ordered=option == "fallback_models")
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise DefinitionError(f"{option}={names!r:.60} must be a name or a list of names")
    object.__setattr__(policy, option, names)


RESERVE_INPUT_TOKENS: Final = 16_384
"""The longest prompt that `Policy.reserve` covers by default."""


@suggest_options
@dataclass(frozen=True, slots=True)
class Retry:
    """
    How many attempts a node has, and the delays between them.

    The n-th delay is uniform between 0 and `base_delay_seconds * multiplier**(n-1)`, capped at
    `max_delay_seconds` ("full jitter"). The `Retry-After` of a service takes precedence.

    An error is retried if it is an instance of `on` and has no `retryable = False`.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.

    Example:
        >>> Retry(attempts=5, base_delay_seconds=0.5).ceiling_seconds(3)
        2.0
    """

    attempts: int = 3
    """The total, including the first; 1 means no retry."""
    base_delay_seconds: float = 1.0
    multiplier: float = 2.0
    max_delay_seconds: float = 60.0
    on: tuple[type[BaseException], ...] = (Exception,)

    if TYPE_CHECKING:  # the constructor accepts more types than the fields have

        def __init__(
            self,
            attempts: int = 3,
            base_delay_seconds: float = 1.0,
            multiplier: float = 2.0,
            max_delay_seconds: float = 60.0,
            on: type[BaseException] | Iterable[type[BaseException]] = (Exception,),
        ) -> None: ...

    def __post_init__(self) -> None:
        _check(count_problem("attempts", self.attempts))
        for name in ("base_delay_seconds", "multiplier", "max_delay_seconds"):
            value = getattr(self, name)
            if value is None or seconds_problem(name, value, zero=True):
                raise DefinitionError(f"{name}={value!r:.60} must be a finite number of at least 0")
        kinds = several(self.on, "on", type)
        if not kinds or not all(map(_is_exception_class, kinds)):
            raise DefinitionError(
                f"on={self.on!r:.60} must be an exception class, or several; it says which errors "
                "are retried"
            )
        object.__setattr__(self, "on", kinds)

    def ceiling_seconds(self, failures: int) -> float:
        """Return the longest delay after `failures` failed attempts (at least 1)."""
        try:
            delay = self.base_delay_seconds * self.multiplier ** (failures - 1)
        except OverflowError:
            return self.max_delay_seconds
        return min(delay, self.max_delay_seconds)

    def covers(self, error: BaseException) -> bool:
        """Whether this error is retried."""
        return isinstance(error, self.on) and error_flag(error, "retryable", default=True)


@suggest_options
@dataclass(frozen=True, slots=True)
class Policy:
    """
    How a node runs, apart from its work; the same options for every kind of node.

    Containers (loop, map, subgraph), branches and merges take no `retry`, `fallback_models`,
    `resources` or `attempt_timeout_seconds`, because they make no attempts.
    """

    retry: Retry | None = None
    """
    None is `Retry()` for LLM nodes, and a single attempt for functions.

    A whole number is a `Retry` of that many attempts.
    """
    attempt_timeout_seconds: float | None = None
    """The limit of one attempt, from its start; a timeout is retried."""
    timeout_seconds: float | None = None
    """The limit of the node, from its first attempt, with delays; of a container, from opening."""
    on_error: ErrorPolicy = "fail"
    """After the last attempt, `fail` ends the frame; `continue` blocks only the dependants."""
    fallback: Any = NO_FALLBACK
    """A value, or a node or graph with the same inputs, that replaces the failed node's value."""
    fallback_models: tuple[str, ...] = ()
    """
    Models to use, in order, after the one before has failed; each has the same number of attempts.

    They come before `fallback`. `name:model` also names a provider of the run. In a function,
    they serve its calls.
    """
    hedge_after: float | Literal["p95"] | None = None
    """
    For an LLM node: seconds after which a second, identical call starts beside the first.

    `p95` is the 95th percentile of the response times of that model. The first response wins, and
    both are billed. A hedge needs its own slot. It is only sent if the limits of the service and
    the budget have room, and no other call waits for them.
    """
    priority: int | None = None
    """Of ready nodes, the higher starts first. None is the container's, or 0 in the root frame."""
    resources: tuple[str, ...] = ()
    """Names of the resources that an attempt holds; `run(limits=...)` sets their bounds."""
    keep: bool = False
    """Run to the end even when no node needs the output any more."""
    reserve: bool = False
    """
    Set the worst case of one call aside from the run's start, if the run has a ceiling.

    Nothing else can use it up, so that with `on_budget="finish"` a synthesis still runs when the
    rest is spent. It covers `reserve_input_tokens` and a reply of `max_tokens`, or of 4,096 tokens
    at most if the node sets none. What a longer prompt costs more must fit beside the rest; if it
    does not, the reply gets shorter, or the call is refused. For LLM nodes without tools and
    functions with a `Context`, in the graph that is run itself.
    """
    reserve_input_tokens: int = RESERVE_INPUT_TOKENS
    """The prompt that `reserve` covers; each byte counts as a token, as in every worst case."""
    version: str | None = None
    """Replaces the source of the function in the key of a stored outcome."""

    if TYPE_CHECKING:  # the constructor accepts more types than the fields have

        def __init__(
            self,
            retry: Retry | int | None = None,
            attempt_timeout_seconds: float | None = None,
            timeout_seconds: float | None = None,
            on_error: ErrorPolicy = "fail",
            fallback: Any = NO_FALLBACK,
            fallback_models: str | Iterable[str] = (),
            hedge_after: float | Literal["p95"] | None = None,
            priority: int | None = None,
            resources: str | Iterable[str] = (),
            keep: bool = False,
            reserve: bool = False,
            reserve_input_tokens: int = RESERVE_INPUT_TOKENS,
            version: str | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        if self.retry is not None and not isinstance(self.retry, Retry):
            if count_problem("retry", self.retry):
                raise DefinitionError(
                    f"retry={self.retry!r:.60} must be a Retry, or a number of attempts"
                )
            object.__setattr__(self, "retry", Retry(self.retry))
        _check(seconds_problem("attempt_timeout_seconds", self.attempt_timeout_seconds))
        _check(seconds_problem("timeout_seconds", self.timeout_seconds))
        if self.hedge_after != "p95" and seconds_problem("hedge_after", self.hedge_after):
            raise DefinitionError(
                f"hedge_after={self.hedge_after!r:.60} must be 'p95' or a number of seconds above 0"
            )
        if self.on_error not in ("fail", "continue"):
            raise DefinitionError(
                f"on_error={self.on_error!r:.60} must be 'fail' or 'continue'; "
                "for a substitute value or node use fallback="
            )
        _names(self, "fallback_models")
        _names(self, "resources")
        if self.priority is not None and (
            not isinstance(self.priority, int) or isinstance(self.priority, bool)
        ):
            raise DefinitionError(f"priority={self.priority!r:.60} must be a whole number")
        for name in ("keep", "reserve"):
            if not isinstance(getattr(self, name), bool):
                raise DefinitionError(f"{name}={getattr(self, name)!r:.60} must be True or False")
        _check(count_problem("reserve_input_tokens", self.reserve_input_tokens))
        if not self.reserve and self.reserve_input_tokens != RESERVE_INPUT_TOKENS:
            raise DefinitionError("reserve_input_tokens= does nothing without reserve=True")
        if self.version is not None and not isinstance(self.version, str):
            raise DefinitionError(f"version={self.version!r:.60} must be a text")
        self._check_fallback()

    def _check_fallback(self) -> None:
        if self.fallback is NO_FALLBACK:
            return
        if self.on_error == "continue":
            raise DefinitionError(
                "on_error='continue' has no effect with a fallback; leave one of them out"
            )
        if isinstance(self.fallback, Ref):
            raise DefinitionError(
                f"fallback={self.fallback!r} is a ref; pass a value, or a node, which gets the "
                "inputs of the failed one"
            )
        if what := unawaited(self.fallback):
            raise DefinitionError(f"fallback= is {what}")
        if isinstance(self.fallback, type):
            name = self.fallback.__name__
            raise DefinitionError(f"fallback={name} is a class; pass an instance: {name}(...)")
        if isinstance(self.fallback, Iterator):
            raise DefinitionError(
                f"fallback={self.fallback!r:.60} is empty after its first use; pass a list of its "
                "items"
            )
        if isinstance(self.fallback, FunctionType | MethodType | BuiltinFunctionType):
            name = self.fallback.__name__
            raise DefinitionError(
                f"fallback={name} is a function; as a node that is called, pass "
                f"Function({name!r}, {name})"
            )


DEFAULT_POLICY: Final = Policy()
