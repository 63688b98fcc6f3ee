"""The patterns that the command line knows by name, and how each is made from its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dagorch.cli.options import option_name
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

__all__ = ["PATTERNS", "Pattern", "make_orchestrator"]

_STEPS: Final = ("research", "analyze", "synthesize")
_BRANCHES: Final = {
    "condition": "Does it take several facts or steps to answer this well?",
    "true_branch": (
        "List the facts, figures and points of view that matter",
        "Write the answer, using the notes",
    ),
    "false_branch": ("Answer in a few sentences",),
}


def _cascade(config: dict[str, Any], options: dict[str, Any]) -> BaseOrchestrator:
    return DreamCascadeOrchestrator(DreamCascadeConfig(**config, **options))


def _sequential(config: dict[str, Any], options: dict[str, Any]) -> BaseOrchestrator:
    steps = _split_names(options.get("steps")) or _STEPS
    return SequentialOrchestrator(OrchestratorConfig(**config, steps=steps))


def _conditional(config: dict[str, Any], options: dict[str, Any]) -> BaseOrchestrator:
    if missing := [name for name in _BRANCHES if options and name not in options]:
        raise DefinitionError(
            f"conditional lacks {' and '.join(map(option_name, missing))}: give all of "
            f"{', '.join(map(option_name, _BRANCHES))}, or none of them"
        )
    return ConditionalOrchestrator(OrchestratorConfig(**config), None, **(options or _BRANCHES))


def _iterative(config: dict[str, Any], options: dict[str, Any]) -> BaseOrchestrator:
    if "steps" in options:
        config = {**config, "steps": _split_names(options.pop("steps"))}
    until = options.pop("until", None)
    return IterativeOrchestrator(OrchestratorConfig(**config), convergence_fn=until, **options)


def _swarm(config: dict[str, Any], options: dict[str, Any]) -> BaseOrchestrator:
    domains = [name for name in _split_names(options.pop("domains", None)) if name]
    folder: Path | None = options.pop("folder", None)
    sources = {}
    if folder is not None:
        sources["files"] = get_source("files", folder=folder)
        domains += ["files"] if "files" not in domains else []
    elif "files" in domains:
        raise DefinitionError("the domain 'files' needs --folder, with your documents in it")
    if domains:
        options["domains"] = domains
    return DreamSwarmOrchestrator(DreamSwarmConfig(**config, **options), sources=sources)


def _split_names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",")] if text is not None else []


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of the command line."""

    make: Callable[[dict[str, Any], dict[str, Any]], BaseOrchestrator]
    """Takes the fields that every config has, and the options of the pattern."""
    options: tuple[str, ...]
    """The pattern's options, by field name."""


PATTERNS: Final[Mapping[str, Pattern]] = {
    "cascade": Pattern(_cascade, ("belter_count", "drummer_count", "camina_count")),
    "swarm": Pattern(_swarm, ("num_agents", "domains", "folder")),
    "sequential": Pattern(_sequential, ("steps",)),
    "conditional": Pattern(_conditional, tuple(_BRANCHES)),
    "iterative": Pattern(_iterative, ("max_iterations", "until", "steps")),
}
_CONFIG_FIELDS: Final = frozenset(OrchestratorConfig.model_fields) - {"steps", "num_agents"}


def make_orchestrator(pattern: str, settings: Mapping[str, Any]) -> BaseOrchestrator:
    """
    Make the orchestrator of a pattern, without a provider.

    Args:
        pattern: One of `PATTERNS`.
        settings: The options that the user set, by field name.

    Raises:
        DefinitionError: The pattern is unknown, or an option does not apply to it or is invalid.
    """
    found = PATTERNS.get(pattern)
    if found is None:
        hint = did_you_mean(pattern, PATTERNS) or (
            f"; use {', '.join(PATTERNS)}, a file that ends in {', '.join(ENDINGS)}, or module:name"
        )
        raise DefinitionError(f"no pattern {pattern!r}{hint}")
    config = {name: value for name, value in settings.items() if name in _CONFIG_FIELDS}
    options = {name: value for name, value in settings.items() if name not in _CONFIG_FIELDS}
    if unknown := [option_name(name) for name in options if name not in found.options]:
        raise DefinitionError(
            f"{', '.join(unknown)} cannot be used with {pattern}; "
            f"its options are {', '.join(map(option_name, found.options))}"
        )
    return found.make(config, options)
