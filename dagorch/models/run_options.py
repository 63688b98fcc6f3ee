"""
Run options: the keywords of `Graph.run` that are not inputs of the graph, and their bounds.

What an option does is up to the runner and the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from dagorch.models.events import Event

__all__ = ["RUN_OPTIONS", "Downgrade", "RunOptions"]

Downgrade = str | Mapping[str, str] | None
"""One cheaper model for every model, or a cheaper model by `model` or `service:model`."""


@dataclass(slots=True)
class RunOptions:
    """
    How a graph is run. `dagorch.graph.run_methods.RunMethods` says what each option means.

    Example:
        >>> RunOptions(max_parallel=0).problems()
        ['max_parallel=0 must be a whole number of at least 1']
    """

    provider: Any = None
    max_parallel: int = 16
    max_cost: Any = None
    max_tokens: int | None = None
    downgrade: Downgrade = None
    max_node_runs: int = 1_000_000
    timeout_seconds: float | None = None
    deps: Any = None
    limits: Mapping[str, int] = field(default_factory=dict)
    seed: int | None = None
    on_event: Any = ()
    retain: str = "all"
    drain_seconds: float = 5.0

    def problems(self) -> list[str]:
        """Return a message for each value that cannot be used."""
        found = []
        if not isinstance(self.max_parallel, int) or self.max_parallel < 1:
            found.append(f"max_parallel={self.max_parallel!r} must be a whole number of at least 1")
        if not isinstance(self.max_node_runs, int) or self.max_node_runs < 1:
            found.append(
                f"max_node_runs={self.max_node_runs!r} must be a whole number of at least 1"
            )
        if self.timeout_seconds is not None and not self.timeout_seconds > 0:
            found.append(f"timeout_seconds={self.timeout_seconds!r} must be above 0, or None")
        if not self.drain_seconds >= 0:
            found.append(f"drain_seconds={self.drain_seconds!r} must be at least 0")
        if self.retain not in ("all", "outputs"):
            found.append(f"retain={self.retain!r} is neither 'all' nor 'outputs'")
        for name, bound in self.limits.items():
            if not isinstance(bound, int) or bound < 1:
                found.append(f"limits[{name!r}]={bound!r} must be a whole number of at least 1")
        try:
            if self.ceiling is not None and not self.ceiling >= 0:
                found.append(f"max_cost={self.max_cost!r} must be dollars of at least 0")
        except InvalidOperation:
            found.append(f"max_cost={self.max_cost!r} is not an amount of dollars")
        if self.max_tokens is not None and (
            not isinstance(self.max_tokens, int) or self.max_tokens < 0
        ):
            found.append(f"max_tokens={self.max_tokens!r} must be a whole number of at least 0")
        if self.downgrade and not self.has_ceiling:
            found.append("downgrade= does nothing without a ceiling; give max_cost or max_tokens")
        return found

    @property
    def has_ceiling(self) -> bool:
        """Whether money or tokens are bounded."""
        return self.max_cost is not None or self.max_tokens is not None

    @property
    def ceiling(self) -> Decimal | None:
        """`max_cost` as an exact amount of dollars."""
        return None if self.max_cost is None else Decimal(str(self.max_cost))

    @property
    def listeners(self) -> tuple[Callable[[Event], Any], ...]:
        """`on_event` as a tuple: one callable, or several."""
        return (self.on_event,) if callable(self.on_event) else tuple(self.on_event)


RUN_OPTIONS: Final = frozenset(RunOptions.__dataclass_fields__)
"""The names of the options: keywords of `Graph.run` that are not inputs of the graph."""
