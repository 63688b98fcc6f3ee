"""The boxes and arrows that the critical path marks."""

from __future__ import annotations

import anyio

from dagorch import Graph
from dagorch.exporters.pictures.drawing import Drawing
from dagorch.exporters.pictures.unroll import draw
from dagorch.nodes.function import Function
from dagorch.providers import ScriptedProvider
from dagorch.testing import run_virtual
from tests.unit.exporters.graphs import everything


def marked(drawing: Drawing) -> tuple[list[str], list[tuple[str, str]]]:
    boxes = [box.id for box in drawing.boxes.values() if box.critical]
    return boxes, [(a.source, a.target) for a in drawing.arrows if a.critical]


def test_the_path_enters_frames_a_fallback_and_an_expansion() -> None:
    graph = everything()
    provider = ScriptedProvider("fine words", latency_seconds=1)
    result = run_virtual(lambda: graph.run(question="why", provider=provider))
    boxes, arrows = marked(draw(graph, result))
    assert set(boxes) == {
        "pick", "joined", "flaky", "flaky[fallback]/steady", "plan/", "plan/one", "plan/two",
        "report",
        *(f"refine[{n}]/{step}" for n in range(3) for step in ("critic", "writer")),
    }  # fmt: skip
    assert set(arrows) == {
        ("pick", "refine"), ("refine[0]/critic", "refine[0]/writer"), ("refine[0]", "refine[1]"),
        ("refine[1]/critic", "refine[1]/writer"), ("refine[1]", "refine[2]"),
        ("refine[2]/critic", "refine[2]/writer"), ("refine", "joined"), ("joined", "flaky"),
        ("flaky", "flaky[fallback]/steady"), ("flaky", "plan"), ("plan/", "plan/one"),
        ("plan/one", "plan/two"), ("plan", "report"),
    }  # fmt: skip


def test_an_item_without_a_box_marks_the_box_that_counts_it() -> None:
    graph = Graph("many")

    async def nap(item: float) -> None:
        await anyio.sleep(item)

    graph.map(Function("nap", nap), over=[1.0] * 50, max_parallel=1)
    drawing = draw(graph, run_virtual(graph.run))
    assert drawing.boxes["nap[…]"].critical


def test_before_a_run_nothing_is_marked() -> None:
    assert marked(draw(everything())) == ([], [])
