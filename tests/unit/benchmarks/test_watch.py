"""The watchers of the benchmark receive the events of a run."""

import anyio
import pytest

from benchmarks.shapes import chain
from benchmarks.subjects.dagorch import build
from benchmarks.suites import watch
from benchmarks.suites.watch import slow, terminal, traces, unwatched, waits, watched


def test_a_run_ends_with_every_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def nap(event: object) -> None:
        seen.append(event)

    monkeypatch.setattr(watch, "nap", nap)
    graph = build(chain(3), waits(3, seed=0))
    with terminal(graph) as display:
        assert callable(display)
    anyio.run(watched(graph, 2, [unwatched, terminal, traces(), slow]))
    assert len(seen) == 11  # two of the run and three of each node
