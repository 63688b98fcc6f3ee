"""The picture of a timeline."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import anyio
import pytest

from dagorch import LLM, Graph
from dagorch.exporters import to_timeline_svg
from dagorch.exporters.report.timeline_svg import MAX_ROWS, MAX_TOOLTIPS, clock, ticks
from dagorch.models.result import Result
from tests.unit.exporters.report.test_timeline import ran, second, wide

SVG = "{http://www.w3.org/2000/svg}"


def drawn(result: Result) -> tuple[ET.Element, list[str]]:
    root = ET.fromstring(to_timeline_svg(result))
    return root, ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_the_picture_has_names_and_a_legend() -> None:
    result = ran(wide(5), max_parallel=2)
    root, words = drawn(result)
    assert {f"step_{n:03}" for n in range(5)} <= set(words)
    assert {"waiting", "running", "functions", "0 s", "3 s"} <= set(words)
    assert "5 node runs, 5.0 s of work" in words
    fills = {rect.get("fill") for rect in root.iter(f"{SVG}rect")}
    assert "url(#waiting)" in fills
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title") is not None


def test_the_picture_counts_the_rows_that_it_does_not_draw() -> None:
    root, words = drawn(ran(wide(100), max_parallel=100))
    assert f"… {100 - MAX_ROWS} more node runs in {100 - MAX_ROWS} more rows" in words
    assert float(root.get("height") or 0) < 60 * 20 + 200


def test_a_picture_of_many_bars_has_no_tooltips() -> None:
    for count, tooltips in ((MAX_TOOLTIPS, MAX_ROWS), (MAX_TOOLTIPS + 1, 0)):
        root, _ = drawn(ran(wide(count), max_parallel=count))
        assert len(root.findall(f".//{SVG}rect/{SVG}title")) == tooltips


def test_names_do_not_overlap() -> None:
    graph = Graph("names")
    body = Graph("body")
    body.input("item", int)

    @body.function
    async def step(item: int) -> None:
        await anyio.sleep(0.1 + item % 7 / 10)

    graph.map(body, over=list(range(70)), id="items", max_parallel=20)
    root, _ = drawn(ran(graph))
    rows: dict[str, list[tuple[float, float]]] = {}
    for text in root.iter(f"{SVG}text"):
        x, width = float(text.get("x") or 0), 5.7 * len(text.text or "")
        left = x if text.get("text-anchor") is None else x - width
        rows.setdefault(text.get("y") or "", []).append((left, left + width))
    assert len(rows) > 5
    for row in rows.values():
        row.sort()
        assert all(a[1] <= b[0] for a, b in pairwise(row)), row


def test_the_picture_of_an_empty_run() -> None:
    graph = Graph("nothing")
    graph.function(second, id="one", after=graph.branch("way", lambda: "true")["false"])
    _, words = drawn(ran(graph))
    assert "Nothing ran." in words


def test_hostile_names_stay_text() -> None:
    graph = Graph("hostile")
    graph.add(LLM("ask", prompt="x", model='<script>"&\x00\u202e'))
    root, words = drawn(ran(graph))
    assert not list(root.iter(f"{SVG}script"))
    assert any("<script>" in word for word in words)
    assert "\u202e" not in "".join(words)


@pytest.mark.parametrize("seconds", [0.001, 0.07, 1, 9, 61, 700, 5000, 90_000, 1e7])
def test_an_axis_has_a_few_round_times(seconds: float) -> None:
    found = list(ticks(seconds, 10))
    assert found[0] == 0
    assert 3 <= len(found) <= 11
    assert found[-1] <= seconds * 1.001
    names = [clock(time) for time in found]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 16
