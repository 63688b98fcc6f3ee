"""A signal that comes before the run has begun stops it all the same."""

from __future__ import annotations

import signal

import anyio

from dagorch import Graph
from dagorch.cli.display import SilentDisplay
from dagorch.cli.execute import execute
from dagorch.cli.stop_signals import RunStop
from dagorch.cli.user_workflow import GraphOrchestrator
from dagorch.models.config import OrchestratorConfig
from dagorch.testing import ScriptedProvider


def test_a_signal_before_the_run_stops_it() -> None:
    graph = Graph("endless")

    @graph.function
    async def endless() -> None:
        await anyio.sleep_forever()

    orchestrator = GraphOrchestrator(graph, OrchestratorConfig(), has_task=False)
    stop = RunStop(lambda: None)
    stop.number = signal.SIGINT
    workflow = orchestrator.prepare_workflow("none")
    outcome = execute(orchestrator, workflow, ScriptedProvider("x"), SilentDisplay(), [], stop)
    assert "interrupted" in str(outcome.error)
    assert outcome.result is not None
    assert outcome.result.status == "cancelled"
