"""
How a node behaves when it is slow or fails.

Plain frozen options, no decisions (those are in `scheduler/`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from dagorch.errors import DefinitionError

__all__ = ["DEFAULT_POLICY", "NO_FALLBACK", "ErrorPolicy", "Policy", "Retry"]

ErrorPolicy = Literal["fail", "continue"]


class _NoFallback:
    """The absence of a fallback; `None` is a value like any other."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_FALLBACK"

    def __reduce__(self) -> str:
        return "NO_FALLBACK"


NO_FALLBACK: Final = _NoFallback()


def _positive(name: str, value: float | None) -> None:
    if value is not None and not (value > 0 and math.isfinite(value)):
        raise DefinitionError(
            f"{name}={value!r} is not a number of seconds above 0; leave it out for no limit"
        )


@dataclass(frozen=True, slots=True)
class Retry:
    """
    How often a node is tried, and how long it waits in between.

    The n-th wait is drawn evenly from 0 to `base_delay_seconds * multiplier**(n-1)`, at most
    `max_delay_seconds`: "full jitter". A service's `Retry-After` wins over the draw.

    An error is worth a retry if it is one of `on` and does not say `retryable = False` itself.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.

    Example:
        >>> Retry(attempts=5, base_delay_seconds=0.5).ceiling_seconds(3)
        2.0
    """

    attempts: int = 3
    """All tries together; 1 is no retry."""
    base_delay_seconds: float = 1.0
    multiplier: float = 2.0
    max_delay_seconds: float = 60.0
    on: tuple[type[BaseException], ...] = (Exception,)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise DefinitionError(f"attempts={self.attempts} must be at least 1 (1 is no retry)")
        for name in ("base_delay_seconds", "multiplier", "max_delay_seconds"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise DefinitionError(f"{name}={value!r} must be a finite number of at least 0")

    def ceiling_seconds(self, failures: int) -> float:
        """The longest wait after that many failures (1 or more)."""
        try:
            wait = self.base_delay_seconds * self.multiplier ** (failures - 1)
        except OverflowError:
            return self.max_delay_seconds
        return min(wait, self.max_delay_seconds)

    def covers(self, error: BaseException) -> bool:
        """Whether this error is worth another try."""
        return isinstance(error, self.on) and bool(getattr(error, "retryable", True))


@dataclass(frozen=True, slots=True)
class Policy:
    """
    What a node may be told beyond its work. One object, whatever the kind of node.

    Containers (loop, map, subgraph), branches and merges take no `retry`, `fallback_models`,
    `resources` or `attempt_timeout_seconds`: they make no attempts.
    """

    retry: Retry | None = None
    """None: LLM nodes get `Retry()`, functions are tried once."""
    attempt_timeout_seconds: float | None = None
    """Of one attempt, from its start; worth a retry."""
    timeout_seconds: float | None = None
    """Of the node: from its first attempt, waits included; of a container: from its opening."""
    on_error: ErrorPolicy = "fail"
    """After the last attempt: `fail` stops the frame; `continue` blocks only what depends on it."""
    fallback: Any = NO_FALLBACK
    """A value, or a node or graph given the same inputs, to complete with after a last failure."""
    fallback_models: tuple[str, ...] = ()
    """
    Asked in turn, each with as many attempts, when the model before has failed for good.

    Before `fallback`. `name:model` names the run's provider as well. Of a function: its calls
    go there.
    """
    hedge_after: float | Literal["p95"] | None = None
    """
    Of an LLM node: seconds after which the same is asked a second time beside the first, or `p95`,
    what nineteen of twenty answers of that model keep to.

    The first answer wins, both are billed. It needs a slot of its own, and that service's limits
    and the budget have room for it while nobody else waits for them; else there is none.
    """
    priority: int | None = None
    """Among ready nodes the higher starts first. None: the container's, 0 at the top."""
    resources: tuple[str, ...] = ()
    """Names of bounded things that an attempt holds; the bounds come with `run(limits=...)`."""
    keep: bool = False
    """Run to the end even when nothing waits for the output any more."""
    version: str | None = None
    """Stands for the function's source when outcomes are looked up again."""

    def __post_init__(self) -> None:
        _positive("attempt_timeout_seconds", self.attempt_timeout_seconds)
        _positive("timeout_seconds", self.timeout_seconds)
        if self.hedge_after != "p95":
            if isinstance(self.hedge_after, str):
                raise DefinitionError(
                    f"hedge_after={self.hedge_after!r} is neither 'p95' nor seconds"
                )
            _positive("hedge_after", self.hedge_after)
        if self.on_error not in ("fail", "continue"):
            raise DefinitionError(
                f"on_error={self.on_error!r} is not 'fail' or 'continue'; "
                "for a substitute value or node use fallback="
            )
        if isinstance(self.fallback_models, str):
            raise DefinitionError(
                f"fallback_models={self.fallback_models!r} is a text; give a tuple of names, "
                f"({self.fallback_models!r},)"
            )
        object.__setattr__(self, "fallback_models", tuple(self.fallback_models))
        if self.fallback is not NO_FALLBACK and self.on_error == "continue":
            raise DefinitionError(
                "on_error='continue' with a fallback: a recovered node does not fail"
            )


DEFAULT_POLICY: Final = Policy()
