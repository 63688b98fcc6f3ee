"""Runs one workflow to its end; the first Ctrl-C stops it in order, the second at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import anyio

from dagorch.cli.display import Display
from dagorch.errors import RunError
from dagorch.models.events import Event
from dagorch.models.orchestration import OrchestratorResult
from dagorch.orchestrators import BaseOrchestrator
from dagorch.orchestrators.workflow import Workflow
from dagorch.ports import Provider

__all__ = ["Outcome", "execute"]


@dataclass(slots=True)
class Outcome:
    """How a workflow ended: with a result, an error, or both."""

    result: OrchestratorResult | None = None
    error: BaseException | None = None
    interrupted: bool = False


def execute(
    orchestrator: BaseOrchestrator,
    workflow: Workflow,
    provider: Provider,
    display: Display,
    listeners: Sequence[Callable[[Event], Any]],
) -> Outcome:
    """
    Run a workflow and show it; close the provider afterwards.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed twice.
    """
    outcome = Outcome()

    async def main() -> None:
        with _stop_on_interrupt(orchestrator, display, outcome):
            try:
                outcome.result = await orchestrator.execute_prepared(
                    workflow, on_event=[display, *listeners]
                )
            except RunError as error:
                outcome.error = error
                outcome.result = error.partial_results
            finally:
                with anyio.CancelScope(shield=True):
                    await provider.aclose()

    with display:
        asyncio.run(main())
    return outcome


@contextmanager
def _stop_on_interrupt(
    orchestrator: BaseOrchestrator, display: Display, outcome: Outcome
) -> Iterator[None]:
    """Cancel the workflow on the first Ctrl-C, and raise on the second."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        display.note("interrupted: stopping; press Ctrl-C again to leave at once")
        orchestrator.cancel("interrupted")

    def handle(number: int, frame: FrameType | None) -> None:
        if outcome.interrupted:
            raise KeyboardInterrupt
        outcome.interrupted = True
        # A signal may arrive inside any step of the loop, so the loop itself runs `stop`.
        loop.call_soon_threadsafe(stop)

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
