"""Boxes that differ in numbers only become one box with a count; others do not."""

from __future__ import annotations

from decimal import Decimal

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch import Graph, Policy
from dagorch.exporters.pictures.captions import group_lines
from dagorch.exporters.pictures.collapse import MAX_SIMILAR, MAX_SIMILAR_IF_LARGE, collapse_similar
from dagorch.exporters.pictures.drawing import Arrow, Box, Drawing
from dagorch.exporters.pictures.unroll import draw
from dagorch.models.result import NodeRun
from dagorch.models.usage import Usage
from tests.unit.exporters.graphs import fan, lanes


def of(arrows: dict[str, str], **details: str) -> Drawing:
    """A drawing with arrows from each box in a key, such as `"a b"`, to the boxes in its value."""
    drawing = Drawing("test")
    for ends in (arrows, dict.fromkeys(details, "")):
        for sources, targets in ends.items():
            for id in (*sources.split(), *targets.split()):
                drawing.boxes.setdefault(
                    id, Box(id, "function", id, (details.get(id, "function"),))
                )
    for sources, targets in arrows.items():
        for source in sources.split():
            drawing.arrows += [Arrow(source, target) for target in targets.split()]
    return drawing


def arrows(drawing: Drawing) -> set[tuple[str, str]]:
    return {(arrow.source, arrow.target) for arrow in drawing.arrows}


def numbered(name: str, count: int) -> str:
    return " ".join(f"{name}{place}" for place in range(count))


def test_a_fan_becomes_three_boxes_in_a_row() -> None:
    drawing = draw(fan(500))
    assert list(drawing.boxes) == ["first", "m0[…]", "last"]
    many = drawing.boxes["m0[…]"]
    assert (many.title, many.kind, many.details) == ("m# × 500", "collapsed", ("function",))
    assert many.tooltip.splitlines()[:2] == ["m0", "m1"]
    assert many.tooltip.endswith("and 460 more")
    assert arrows(drawing) == {("first", "m0[…]"), ("m0[…]", "last")}


@pytest.mark.parametrize(("count", "boxes"), [(MAX_SIMILAR, MAX_SIMILAR), (MAX_SIMILAR + 1, 1)])
def test_a_few_similar_boxes_are_drawn_one_by_one(count: int, boxes: int) -> None:
    drawing = of({"first": numbered("m", count), numbered("m", count): "last"})
    collapse_similar(drawing)
    assert len(drawing.boxes) == boxes + 2


def test_a_large_drawing_collapses_sooner() -> None:
    drawing = of({numbered("m", MAX_SIMILAR_IF_LARGE + 1): "last"})
    for place in range(70):  # words, not numbers
        name = "x" * (place + 1)
        drawing.boxes[name] = Box(name, "function", name, ("function",))
    collapse_similar(drawing)
    assert "m0[…]" in drawing.boxes
    assert len(drawing.boxes) == 72


def test_similar_lanes_become_one_lane() -> None:
    drawing = draw(lanes(200))
    assert [box.title for box in drawing.boxes.values()] == [
        "split", "read_# × 66", "filter_# × 66", "map_# × 66", "joined",
    ]  # fmt: skip
    assert len(drawing.arrows) == 4


def test_boxes_with_other_successors_stay_apart() -> None:
    one, two = (" ".join(f"m{n}" for n in range(start, start + 20)) for start in (0, 20))
    drawing = of({one: "left", two: "right"})
    collapse_similar(drawing)
    assert arrows(drawing) == {("m0[…]", "left"), ("m20[…]", "right")}
    assert {box.title for box in drawing.boxes.values()} == {"left", "right", "m# × 20"}


def test_a_few_lanes_with_different_ends_are_drawn_in_full() -> None:
    heads = [f"head_{n}" for n in range(20)]
    drawing = of(
        {f"head_{n}": f"tail_{n}" for n in range(20)} | {"tail_0": "odd", "tail_1": "even"}
    )
    drawing.arrows += [Arrow(f"tail_{n}", f"end_{'ab'[n % 2]}") for n in range(20)]
    for id in ("end_a", "end_b"):
        drawing.boxes[id] = Box(id, "function", id, ("function",))
    collapse_similar(drawing)
    assert set(heads) <= set(drawing.boxes)


def test_names_that_differ_in_words_are_drawn_one_by_one() -> None:
    names = " ".join(f"{letter}_agent" for letter in "abcdefghijklmnopqrstuvwxyz")
    drawing = of({"first": names})
    collapse_similar(drawing)
    assert len(drawing.boxes) == 27


def test_a_number_that_all_names_share_is_kept() -> None:
    drawing = of({"first": " ".join(f"bowtie2_{n}" for n in range(20))})
    collapse_similar(drawing)
    assert [box.title for box in drawing.boxes.values()] == ["first", "bowtie2_# × 20"]


async def test_after_a_run_failed_and_critical_boxes_stay_out() -> None:
    graph = Graph("mixed")

    async def work(number: int) -> int:
        if number in (3, 7):
            raise ValueError("bad luck")
        return number

    policy = Policy(on_error="continue")
    parts = [graph.function(work, id=f"w{n}", number=n, policy=policy) for n in range(100)]
    graph.merge("all", parts, tolerate_failures=True)
    drawing = draw(graph, await graph.run())
    singles = {id: box for id, box in drawing.boxes.items() if id.startswith("w") and "[" not in id}
    assert {id for id, box in singles.items() if box.end == "failed"} == {"w3", "w7"}
    assert "ValueError: bad luck" in singles["w3"].details
    many = next(box for box in drawing.boxes.values() if "×" in box.title)
    assert many.end == "completed"
    assert int(many.title.split()[-1]) + len(singles) == 100
    critical = [box.id for box in drawing.boxes.values() if box.critical]
    assert critical[-1] == "all"


@given(
    st.integers(2, 200),
    st.lists(st.tuples(st.integers(0, 199), st.integers(1, 40)), max_size=300),
)
def test_no_arrow_is_lost_and_none_forms_a_cycle(count: int, steps: list[tuple[int, int]]) -> None:
    drawing = of({}, **{f"m{place}": "function" for place in range(count)})
    edges = {(a % count, a % count + step) for a, step in steps if a % count + step < count}
    drawing.arrows = [Arrow(f"m{a}", f"m{b}") for a, b in sorted(edges)]
    collapse_similar(drawing)
    drawn = networkx.DiGraph(list(arrows(drawing)))
    assert set(drawn) <= set(drawing.boxes)
    assert networkx.is_directed_acyclic_graph(drawn)
    assert bool(edges) == bool(drawing.arrows)
    counted = [box.title.split(" × ") for box in drawing.boxes.values()]
    assert sum(int(parts[1]) if len(parts) > 1 else 1 for parts in counted) == count


def test_arrows_of_a_body_start_and_end_at_its_merged_box() -> None:
    body = fan(40)
    graph = Graph("outer")
    graph.subgraph(body, id="inside")
    drawing = draw(graph)
    assert list(drawing.boxes) == ["inside/first", "inside/m0[…]", "inside/last"]
    spread = Graph("spread")

    async def step() -> int:
        return 1

    for place in range(40):
        spread.function(step, id=f"m{place}")
    graph = Graph("outer")
    graph.subgraph(spread, id="inside")
    drawing = draw(graph)
    assert drawing.entries("inside") == drawing.exits("inside") == ["inside/m0[…]"]


async def test_a_merged_box_sums_its_node_runs() -> None:
    runs = [
        NodeRun(
            f"m{n}",
            "llm",
            "completed",
            0.0,
            1.0,
            2.0 + n,
            1 + (n < 2),
            Usage(10, 5, Decimal("0.01")),
        )
        for n in range(3)
    ]
    assert group_lines(runs) == ("1.0 s to 3.0 s · 45 tok · $0.030", "2 retried")
    assert group_lines([runs[0]] * 2)[0].startswith("1.0 s each · ")
    skipped = NodeRun("m", "llm", "skipped", None, None, 2.0, 0)
    assert group_lines([skipped, skipped]) == ("skipped",)
    assert group_lines([]) == ()


def test_boxes_that_are_not_settled_in_a_few_rounds_are_drawn_one_by_one() -> None:
    """Layers that differ only after the next layer has been found to differ."""
    ends = {f"end{n}": f"layer30_{n}" for n in range(6)}
    drawing = of({layer: end for end, layer in ends.items()} | {"layer30_6": "end0 end1"})
    for layer in range(30):
        for place in range(7):
            id = f"layer{layer}_{place}"
            drawing.boxes[id] = Box(id, "function", id, ("function",))
            drawing.arrows.append(Arrow(id, f"layer{layer + 1}_{place}"))
    collapse_similar(drawing)
    assert len(drawing.boxes) == 6 + 31 * 7
