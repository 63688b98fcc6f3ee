"""One workflow run to its end, whatever that is; Ctrl-C ends it in order, and again at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import anyio

from dagorch.cli.display import Display
from dagorch.cli.reporting import Reports
from dagorch.cli.tracing import tracers
from dagorch.errors import RunError
from dagorch.models.orchestration import OrchestratorResult
from dagorch.orchestrators import BaseOrchestrator
from dagorch.ports import Provider

__all__ = ["Ended", "execute"]


class Ended:
    """How a workflow ended: with a result, with an error, or both."""

    def __init__(self) -> None:
        self.result: OrchestratorResult | None = None
        self.error: BaseException | None = None
        self.interrupted = False


def execute(
    orchestrator: BaseOrchestrator,
    provider: Provider,
    task: str,
    display: Display,
    reports: Reports,
) -> Ended:
    """
    Run a workflow, show it, and record it if there are reports to be written.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed a second time.
    """
    ended = Ended()

    async def main() -> None:
        with _on_interrupt(orchestrator, display, ended):
            try:
                ended.result = await orchestrator.execute_workflow(
                    task, on_event=[display, *reports.listeners, *tracers()]
                )
            except RunError as error:
                ended.error = error
                ended.result = error.partial_results
            finally:
                with anyio.CancelScope(shield=True):
                    await provider.aclose()

    with display:
        asyncio.run(main())
    return ended


@contextmanager
def _on_interrupt(orchestrator: BaseOrchestrator, display: Display, ended: Ended) -> Iterator[None]:
    """Stop the workflow on the first Ctrl-C, and give up waiting for it on the second."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        display.note("interrupted: stopping; Ctrl-C again to leave at once")
        orchestrator.cancel("interrupted")

    def interrupted(number: int, frame: FrameType | None) -> None:
        if ended.interrupted:
            raise KeyboardInterrupt
        ended.interrupted = True
        # A signal comes between any two steps of the loop; what it asks for is done in a turn.
        loop.call_soon_threadsafe(stop)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
