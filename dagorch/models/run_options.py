"""
Run options: the keywords of `Graph.run` that are not inputs of the graph, and their bounds.

What an option does is up to the runner and the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from dagorch.errors import did_you_mean
from dagorch.models.arity import takes
from dagorch.models.bounds import count_problem, seconds_problem
from dagorch.models.events import Event

__all__ = [
    "RUN_OPTIONS", "Downgrade", "Listener", "Listeners", "OnBudget", "RunArguments", "RunOptions",
]  # fmt: skip

Downgrade: TypeAlias = str | Mapping[str, str] | None
"""One cheaper model for every model, or a cheaper model by `model` or `service:model`."""

OnBudget: TypeAlias = Literal["stop", "finish"]
"""If the next call does not fit: `stop` ends the run, `finish` skips paid calls."""

Listener: TypeAlias = Callable[[Event], Any]
"""A function or a callable object that takes an event, sync or async."""

Listeners: TypeAlias = Listener | Sequence[Listener] | None
"""One listener, several, or none."""


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
    max_cost: float | Decimal | None = None
    max_tokens: int | None = None
    downgrade: Downgrade = None
    on_budget: OnBudget = "stop"
    max_node_runs: int = 1_000_000
    timeout_seconds: float | None = None
    deps: Any = None
    limits: Mapping[str, int] = field(default_factory=dict)
    seed: int | None = None
    on_event: Listeners = None
    retain: Literal["all", "outputs"] = "all"
    drain_seconds: float = 5.0

    def problems(self) -> list[str]:
        """Return a message for each value that cannot be used."""
        found = [
            count_problem("max_parallel", self.max_parallel),
            count_problem("max_node_runs", self.max_node_runs),
            seconds_problem("timeout_seconds", self.timeout_seconds),
            seconds_problem("drain_seconds", self.drain_seconds, zero=True),
            self._cost_problem(),
            self.max_tokens is not None and count_problem("max_tokens", self.max_tokens, 0),
            self._downgrade_problem(),
            self._on_budget_problem(),
        ]
        if self.retain not in ("all", "outputs"):
            found.append(f"retain={self.retain!r:.60} is neither 'all' nor 'outputs'")
        if self.seed is not None and not isinstance(self.seed, int):
            found.append(f"seed={self.seed!r:.60} must be a whole number")
        if isinstance(self.limits, Mapping):
            found += [count_problem(f"limits[{k!r}]", bound) for k, bound in self.limits.items()]
        else:
            found.append(f"limits={self.limits!r:.60} is not a mapping of resource to bound")
        found += [
            f"on_event: {listener!r:.60} cannot be called with an event; pass a function of one"
            for listener in self.listeners
            if not callable(listener) or not takes(listener, 1)
        ]
        return [problem for problem in found if problem]

    def _cost_problem(self) -> str | None:
        if isinstance(self.max_cost, str):
            return (
                f"max_cost={self.max_cost!r:.60} is text; pass dollars as a number: max_cost=1.00"
            )
        try:
            if self.ceiling is None or (self.ceiling >= 0 and self.ceiling.is_finite()):
                return None
        except InvalidOperation:
            return f"max_cost={self.max_cost!r:.60} is not an amount of dollars"
        return f"max_cost={self.max_cost!r} must be dollars of at least 0"

    def _downgrade_problem(self) -> str | None:
        if not isinstance(self.downgrade, str | Mapping | None) or self.downgrade == "":
            return f"downgrade={self.downgrade!r:.60} is neither a model nor a mapping of models"
        if self.downgrade and not self.has_ceiling:
            return "downgrade= does nothing without a ceiling; give max_cost or max_tokens"
        return None

    def _on_budget_problem(self) -> str | None:
        if self.on_budget not in ("stop", "finish"):
            return f"on_budget={self.on_budget!r:.60} is neither 'stop' nor 'finish'"
        if self.on_budget != "stop" and not self.has_ceiling:
            return "on_budget= does nothing without a ceiling; give max_cost or max_tokens"
        return None

    @property
    def has_ceiling(self) -> bool:
        """Whether money or tokens are bounded."""
        return self.max_cost is not None or self.max_tokens is not None

    @property
    def ceiling(self) -> Decimal | None:
        """`max_cost` as an exact amount of dollars."""
        return None if self.max_cost is None else Decimal(str(self.max_cost))

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """`on_event` as a tuple."""
        if self.on_event is None:
            return ()
        if callable(self.on_event) or not isinstance(self.on_event, Collection):
            return (self.on_event,)
        return (self.on_event,) if isinstance(self.on_event, str) else tuple(self.on_event)


RUN_OPTIONS: Final = frozenset(RunOptions.__dataclass_fields__)
"""The names of the options: keywords of `Graph.run` that are not inputs of the graph."""


class RunArguments(NamedTuple):
    """
    The arguments of `Graph.run`: options by keyword, inputs by keyword or as one mapping.

    With a mapping every keyword is an option, so an input may have the name of an option.
    """

    mapping: Any
    """The argument by position; None if the inputs are keywords."""
    keywords: Mapping[str, Any]

    @property
    def options(self) -> RunOptions:
        """The options; the defaults of those that were left out."""
        return RunOptions(**{k: v for k, v in self.keywords.items() if k in RUN_OPTIONS})

    @property
    def inputs(self) -> dict[str, Any]:
        """The inputs by name; empty if the argument by position is not a mapping."""
        if self.mapping is None:
            return {k: v for k, v in self.keywords.items() if k not in RUN_OPTIONS}
        return dict(self.mapping) if isinstance(self.mapping, Mapping) else {}

    def missing(self, name: str) -> str:
        """Return the message for an input that was not passed, with how to pass it."""
        if self.mapping is not None:
            how = f"put {name!r} into the mapping"
        else:
            how = f"pass run({{{name!r}: ...}})" if name in RUN_OPTIONS else f"pass {name}=..."
        return f"input {name!r} is missing; {how}"

    def problems(self, declared: Iterable[str]) -> list[str]:
        """
        Return a message for each name that is unknown or could mean two things.

        Args:
            declared: The inputs of the graph.
        """
        found: list[str] = []
        known = dict.fromkeys(declared)
        names = [*known, *RUN_OPTIONS]
        if self.mapping is None:
            for name in self.keywords:
                if name in known and name in RUN_OPTIONS:
                    found.append(
                        f"{name}= is an option of run(), and the graph has an input of that name; "
                        f"pass the inputs as a mapping: run({{{name!r}: ...}})"
                    )
                elif name not in known and name not in RUN_OPTIONS:
                    hint = did_you_mean(name, names)
                    found.append(f"run() has no option and the graph no input {name!r}{hint}")
            return found
        if not isinstance(self.mapping, Mapping):
            found.append(
                f"run({self.mapping!r:.60}): inputs are passed by keyword, or as one mapping of "
                "name to value"
            )
        for name in self.inputs:
            if name not in known:
                hint = did_you_mean(str(name), known)
                found.append(f"the graph has no input {name!r}{hint}")
        for name in self.keywords:
            if name in known and name not in RUN_OPTIONS:
                found.append(f"input {name!r} is passed beside the mapping of inputs; put it in it")
            elif name not in RUN_OPTIONS:
                hint = did_you_mean(name, names)
                found.append(f"run() has no option {name!r}{hint}")
        return found
