"""Shared by the tests of Sequential, Conditional and Iterative: each with three steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from dagorch import (
    BaseOrchestrator,
    ConditionalOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    SequentialOrchestrator,
)

Work = Callable[[int, dict[str, Any]], Awaitable[Any]]
"""Performs a step; takes its number (from 1) and its context."""
STEPS = ["one", "two", "three"]
KINDS = ["sequential", "conditional", "iterative"]


def of_handlers(
    kind: str, config: OrchestratorConfig, work: Work, provider: Any = None
) -> BaseOrchestrator:
    """Return a pattern whose three steps are handlers."""

    def handler(number: int) -> Callable[..., Awaitable[Any]]:
        return lambda context: work(number, context)

    if kind == "sequential":
        config.steps = STEPS
        handlers = {name: handler(n) for n, name in enumerate(STEPS, 1)}
        return SequentialOrchestrator(config, provider, step_handlers=handlers)
    if kind == "conditional":
        return ConditionalOrchestrator(
            config,
            provider,
            condition=lambda context: True,
            true_branch=[handler(n) for n in (1, 2, 3)],
            false_branch=[handler(9)],
        )
    return IterativeOrchestrator(
        config,
        provider,
        max_iterations=3,
        handler=lambda context: work(context["iteration"], context),
    )


def of_models(kind: str, config: OrchestratorConfig, provider: Any) -> BaseOrchestrator:
    """Return a pattern whose three steps are done by a model."""
    if kind == "sequential":
        config.steps = STEPS
        return SequentialOrchestrator(config, provider)
    if kind == "conditional":
        return ConditionalOrchestrator(
            config,
            provider,
            condition=lambda context: True,
            true_branch=STEPS,
            false_branch="never",
        )
    return IterativeOrchestrator(config, provider, max_iterations=3)
