"""What looks on in the benchmark does look on."""

import anyio
import pytest

from benchmarks.shapes import chain
from benchmarks.subjects.dagorch import build
from benchmarks.suites import watch
from benchmarks.suites.watch import nobody, slow, terminal, traces, waits, watched


def test_a_run_ends_whoever_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def nap(event: object) -> None:
        seen.append(event)

    monkeypatch.setattr(watch, "nap", nap)
    graph = build(chain(3), waits(3, seed=0))
    with terminal(graph) as display:
        assert callable(display)
    anyio.run(watched(graph, 2, [nobody, terminal, traces(), slow]))
    assert len(seen) == 11  # the run's two and three of each node
