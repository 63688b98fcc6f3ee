"""The patterns that the command knows by name, each as an orchestrator made from the options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.files import ENDINGS
from dagorch.models.config import DreamCascadeConfig, DreamSwarmConfig, OrchestratorConfig
from dagorch.orchestrators import (
    BaseOrchestrator,
    ConditionalOrchestrator,
    DreamCascadeOrchestrator,
    DreamSwarmOrchestrator,
    IterativeOrchestrator,
    SequentialOrchestrator,
)
from dagorch.sources import get_source

__all__ = ["PATTERNS", "Pattern", "Settings", "option_of", "orchestrator_for"]

_STEPS: Final = ("research", "analyze", "synthesize")
_WAYS: Final = {
    "condition": "Does it take several facts or steps to answer this well?",
    "true_branch": (
        "List the facts, figures and points of view that matter",
        "Write the answer, using the notes",
    ),
    "false_branch": ("Answer in a few sentences",),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options say; None is the pattern's own default."""

    belter_count: int | None = None
    drummer_count: int | None = None
    camina_count: int | None = None
    max_parallel: int | None = None
    timeout_seconds: float | None = None
    max_cost: float | None = None
    primary_model: str | None = None
    fallback_model: str | None = None
    steps: str | None = None
    """Names, with commas between."""
    condition: str | None = None
    true_branch: tuple[str, ...] | None = None
    false_branch: tuple[str, ...] | None = None
    max_iterations: int | None = None
    until: str | None = None
    num_agents: int | None = None
    domains: str | None = None
    """Names with commas in between."""
    folder: Path | None = None
    """Of documents, for the domain `files`."""

    def given(self) -> dict[str, Any]:
        """Those that were set."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not None}


def _cascade(config: dict[str, Any], own: dict[str, Any], provider: Any) -> BaseOrchestrator:
    return DreamCascadeOrchestrator(DreamCascadeConfig(**config, **own), provider)


def _sequential(config: dict[str, Any], own: dict[str, Any], provider: Any) -> BaseOrchestrator:
    steps = _names(own.get("steps"))
    return SequentialOrchestrator(OrchestratorConfig(**config, steps=steps or _STEPS), provider)


def _conditional(config: dict[str, Any], own: dict[str, Any], provider: Any) -> BaseOrchestrator:
    if missing := [name for name in _WAYS if own and name not in own]:
        raise DefinitionError(
            f"conditional lacks {' and '.join(map(option_of, missing))}: give all of "
            f"{', '.join(map(option_of, _WAYS))}, or none of them"
        )
    return ConditionalOrchestrator(OrchestratorConfig(**config), provider, **(own or _WAYS))


def _iterative(config: dict[str, Any], own: dict[str, Any], provider: Any) -> BaseOrchestrator:
    steps = {"steps": _names(own["steps"])} if "steps" in own else {}
    options = {"max_iterations": own["max_iterations"]} if "max_iterations" in own else {}
    return IterativeOrchestrator(
        OrchestratorConfig(**config, **steps),
        provider,
        convergence_fn=own.get("until"),
        **options,
    )


def _swarm(config: dict[str, Any], own: dict[str, Any], provider: Any) -> BaseOrchestrator:
    names = [name for name in _names(own.pop("domains", None)) if name]
    folder: Path | None = own.pop("folder", None)
    sources = {}
    if folder is not None:
        sources["files"] = get_source("files", folder=folder)
        names += ["files"] if "files" not in names else []
    elif "files" in names:
        raise DefinitionError("the domain 'files' needs --folder, with your documents in it")
    domains = {"domains": names} if names else {}
    return DreamSwarmOrchestrator(
        DreamSwarmConfig(**config, **own, **domains), provider, sources=sources
    )


def _names(listed: str | None) -> list[str]:
    return [name.strip() for name in listed.split(",")] if listed is not None else []


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as the command knows it."""

    make: Callable[[dict[str, Any], dict[str, Any], Any], BaseOrchestrator]
    """Gets the fields of every config, those of its own, and the provider."""
    options: tuple[str, ...]
    """Settings of its own."""


PATTERNS: Final[Mapping[str, Pattern]] = {
    "cascade": Pattern(_cascade, ("belter_count", "drummer_count", "camina_count")),
    "swarm": Pattern(_swarm, ("num_agents", "domains", "folder")),
    "sequential": Pattern(_sequential, ("steps",)),
    "conditional": Pattern(_conditional, tuple(_WAYS)),
    "iterative": Pattern(_iterative, ("max_iterations", "until", "steps")),
}
_SHORTER: Final = {"num_agents": "agents", "timeout_seconds": "timeout"}
_ANYONES: Final = frozenset(OrchestratorConfig.model_fields) - {"steps", "num_agents"}


def orchestrator_for(pattern: str, settings: Settings, provider: Any = None) -> BaseOrchestrator:
    """
    Make the orchestrator of a pattern.

    Raises:
        DefinitionError: There is no such pattern, it has no use for a setting, or a setting is
            not what it must be.
    """
    found = PATTERNS.get(pattern)
    if found is None:
        known = f"; there are {', '.join(PATTERNS)}, files named {', '.join(ENDINGS)}, module:name"
        raise DefinitionError(f"no pattern {pattern!r}{did_you_mean(pattern, PATTERNS) or known}")
    given = settings.given()
    own = {name: value for name, value in given.items() if name not in _ANYONES}
    if alien := [option_of(name) for name in own if name not in found.options]:
        raise DefinitionError(
            f"{pattern} has no use for {', '.join(alien)}; "
            f"it has {', '.join(map(option_of, found.options))}"
        )
    config = {name: value for name, value in given.items() if name in _ANYONES}
    return found.make(config, own, provider)


def option_of(name: str) -> str:
    """Give the option that a setting is told by."""
    return "--" + _SHORTER.get(name, name).replace("_", "-")
