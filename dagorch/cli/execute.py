"""Runs one workflow to its end; the first signal to stop ends it in order."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from dagorch.cli.display import Display
from dagorch.cli.questions import Questions
from dagorch.cli.stop_signals import RunStop
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


def execute(
    orchestrator: BaseOrchestrator,
    workflow: Workflow,
    provider: Provider,
    display: Display,
    listeners: Sequence[Callable[[Event], Any]],
    stop: RunStop,
    questions: Questions | None = None,
) -> Outcome:
    """
    Run a workflow and show it, until its end or a signal; close the provider afterwards.

    What the workflow's own code prints goes to standard error: the answer alone belongs on
    standard output.
    """
    outcome = Outcome()
    if questions is not None:
        listeners = [*listeners, questions]

    async def main() -> None:
        asking = None
        if questions is not None:
            asking = asyncio.create_task(questions.serve(orchestrator, display))
        with _woken_by_signals(), _stopped_by(stop, orchestrator, display):
            try:
                outcome.result = await orchestrator.execute_prepared(
                    workflow, on_event=[display, *listeners]
                )
            except RunError as error:
                outcome.error = error
                outcome.result = error.partial_results
            finally:
                if asking is not None:
                    asking.cancel()
                with anyio.CancelScope(shield=True):
                    await provider.aclose()

    with redirect_stdout(sys.stderr), display:
        asyncio.run(main())
    return outcome


@contextmanager
def _woken_by_signals() -> Iterator[None]:
    """Wake the loop at a signal, which may arrive just before the loop waits for its next event."""
    if sys.platform == "win32":  # its loop wakes by itself
        yield
        return
    loop = asyncio.get_running_loop()
    receiver, sender = socket.socketpair()
    with receiver, sender:
        receiver.setblocking(False)
        sender.setblocking(False)
        loop.add_reader(receiver, receiver.recv, 64)
        previous = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous)
            loop.remove_reader(receiver)


@contextmanager
def _stopped_by(stop: RunStop, orchestrator: BaseOrchestrator, display: Display) -> Iterator[None]:
    """Cancel the workflow when a signal comes, or has come."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        display.note("interrupted: stopping; press Ctrl-C again to leave at once")
        orchestrator.cancel("interrupted")

    # A signal may arrive inside any step of the loop, so the loop itself cancels.
    previous = stop.on_signal
    stop.on_signal = partial(loop.call_soon_threadsafe, on_signal)
    if stop.number:
        stop.on_signal()
    try:
        yield
    finally:
        stop.on_signal = previous
