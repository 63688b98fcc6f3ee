"""The patterns that the command knows by name, each as an orchestrator made from the options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.models.config import DreamCascadeConfig
from dagorch.orchestrators import BaseOrchestrator, DreamCascadeOrchestrator

__all__ = ["PATTERNS", "Settings", "orchestrator_for"]


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

    def given(self) -> dict[str, Any]:
        """Those that were set."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not None}


def _cascade(settings: Settings, provider: Any) -> BaseOrchestrator:
    return DreamCascadeOrchestrator(DreamCascadeConfig(**settings.given()), provider)


PATTERNS: Final[Mapping[str, Callable[[Settings, Any], BaseOrchestrator]]] = {"cascade": _cascade}


def orchestrator_for(pattern: str, settings: Settings, provider: Any = None) -> BaseOrchestrator:
    """
    Make the orchestrator of a pattern.

    Raises:
        DefinitionError: There is no such pattern, or a setting is not what it must be.
    """
    make = PATTERNS.get(pattern)
    if make is None:
        known = ", ".join(PATTERNS)
        raise DefinitionError(
            f"no pattern {pattern!r}{did_you_mean(pattern, PATTERNS) or f'; there is {known}'}"
        )
    return make(settings, provider)
