"""Runs with a recorder, for the tests of records."""

from __future__ import annotations

from typing import Any

from dagorch import LLM, Graph, RunError
from dagorch.errors import OverloadedError
from dagorch.exporters import (
    Recorder,
    RunRecord,
)
from dagorch.exporters.report.record import NodeRecord
from dagorch.testing import ScriptedProvider, run_virtual

BUSY = OverloadedError("busy", status=503)


def recorded(graph: Graph, **options: Any) -> RunRecord:
    """Run a graph with a recorder, and return its record after a round trip through JSON."""
    recorder = Recorder()
    options.setdefault("provider", ScriptedProvider("Yes."))

    async def main() -> RunRecord:
        try:
            result = await graph.run(on_event=recorder, **options)
        except RunError as error:
            return recorder.record(error.partial_results, error=error)
        return recorder.record(result)

    record = run_virtual(main)
    assert RunRecord.model_validate_json(record.model_dump_json()) == record
    return record


def asking(**options: Any) -> Graph:
    graph = Graph("asking")
    graph.add(LLM("ask", system="Be brief.", prompt="Well?", **options))
    return graph


def node(record: RunRecord, path: str) -> NodeRecord:
    return next(found for found in record.node_runs if found.path == path)
