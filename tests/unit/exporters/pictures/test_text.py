"""A graph as text shows every node and edge at any width, and cannot harm a terminal."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagorch import LLM, Graph
from dagorch.exporters import to_text
from dagorch.exporters.pictures.drawing import Drawing
from dagorch.exporters.pictures.text_width import cell_len, pad, truncate_cells
from dagorch.exporters.pictures.unroll import draw
from dagorch.providers import ScriptedProvider
from tests.property.graphs import generate
from tests.property.spec import build
from tests.property.world import World
from tests.unit.exporters.graphs import everything, fan, nested
from tests.unit.exporters.pictures.test_formats import one_node

MARKS = "●■◆▼?▣◌□"


def written(text: str) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Read node names and edges from a text that is wide enough for one line a node."""
    names: Counter[str] = Counter()
    edges: Counter[tuple[str, str]] = Counter()
    for line in text.splitlines()[1:]:
        head, _, inputs = line.partition("  ← ")
        found = re.fullmatch(rf"[│├┤┼┴╯╰─╎ ]*[{MARKS}][│├┤┼┴╯╰─ ]* (\S.*?)(?:  .*)?", head)
        assert found, line
        names[found[1]] += 1
        for source in filter(None, inputs.split(", ")):
            edges[source, found[1]] += 1
    return names, edges


def drawn(drawing: Drawing) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Node names and edges of a drawing."""
    titles = {thing.id: thing.title for thing in drawing.boxes.values()}
    titles |= {thing.id: thing.title for thing in drawing.clusters.values()}
    edges: Counter[tuple[str, str]] = Counter()
    for arrow in drawing.arrows:
        if arrow.back:
            continue
        source = titles[arrow.source]
        if arrow.label:
            source += f" [{arrow.label}]"
        elif arrow.dashed:
            source = f"after {source}"
        edges[source + (" ✗" if arrow.dead else ""), titles[arrow.target]] += 1
    return Counter(titles.values()), edges


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_every_node_and_every_edge_is_in_the_text(seed: int) -> None:
    spec = generate(random.Random(seed))
    graph = build(spec, World(seed, instant=True))
    assert written(to_text(graph, width=2_000)) == drawn(draw(graph))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 130), st.booleans())
def test_no_line_is_wider_than_the_terminal(seed: int, width: int, ascii_only: bool) -> None:
    spec = generate(random.Random(seed))
    graph = build(spec, World(seed, instant=True))
    text = to_text(graph, width=width, ascii_only=ascii_only)
    assert text.isascii() or not ascii_only
    assert all(cell_len(line) <= max(40, width) for line in text.splitlines())
    every = " ".join(text.split())
    assert all(id in every for id in graph.entries)


def test_a_branch_a_loop_a_map_a_fallback_and_an_expansion_look_different() -> None:
    assert to_text(everything(), width=100).splitlines() == [
        "research · takes question",
        "■     angles          function",
        "□     map view        for each item of angles   ← angles",
        "│     ╎ ● view        LLM · grok-3-mini",
        "│ ◆   pick            branch",
        "│ ├─□ loop refine     at most 3 passes · again  ← pick [deep]",
        "│ │ │ ╎ ● critic      LLM",
        "│ │ │ ╎ ● writer      LLM                       ← critic",
        "│ ■ │ brief           function                  ← pick [short]",
        "▼─┴─╯ joined          merge                     ← map view, loop refine, brief",
        "■     flaky           function                  ← joined",
        "├─■   steady          function                  ← flaky [on failure]",
        "□     expansion plan                            ← flaky",
        "│     ╎ ■ plan        function · expands",
        "│     ╎ ◌ …           nodes made at run time    ← plan",
        "●     report          LLM                       ← expansion plan",
    ]


def test_in_a_narrow_terminal_inputs_have_their_own_lines() -> None:
    assert to_text(fan(2), width=40).splitlines() == [
        "fan",
        "■   first  function",
        "├─■ m0     function",
        "│ │   ← first",
        "■ │ m1     function",
        "│ │   ← first",
        "▼─╯ last   merge",
        "      ← m0, m1",
    ]


def test_many_similar_nodes_are_one_line() -> None:
    assert to_text(fan(20), width=60).splitlines() == [
        "fan",
        "■ first    function",
        "▣ m# × 20  function  ← first",
        "▼ last     merge     ← m# × 20",
    ]


def test_inputs_that_do_not_fit_continue_on_the_next_line() -> None:
    lines = to_text(fan(16), width=50).splitlines()
    assert lines[:3] == ["fan", "■ first  function", "■ m0     function  ← first"]  # no rails
    assert lines[-2:] == [
        "                     m7, m8, m9, m10, m11, m12,",
        "                     m13, m14, m15",
    ]


async def test_a_finished_run_shows_the_end_of_each_node_run() -> None:
    graph = everything()
    result = await graph.run(question="why", provider=ScriptedProvider("fine words"))
    lines = to_text(graph, result, width=120).splitlines()
    assert lines[0].startswith("research · completed · ")
    by_last_column = {line.split("  ")[-1]: line for line in lines}
    assert any("brief" in line and "function · skipped" in line for line in lines)
    assert any("… 4 more items" in line for line in lines)
    assert any(line.endswith("← pick [short] ✗") for line in by_last_column)
    assert written(to_text(graph, result, width=2_000)) == drawn(draw(graph, result))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_ascii_is_enough() -> None:
    lines = to_text(fan(2), ascii_only=True).splitlines()
    assert lines == [
        "fan",
        "#   first  function",
        "+-# m0     function  < first",
        "# | m1     function  < first",
        ">-' last   merge     < m0, m1",
    ]


def test_names_with_wide_characters_are_aligned() -> None:
    graph = Graph("wide")
    first = graph.add(LLM("短い名前", prompt="x"))
    graph.add(LLM("b", prompt="{first}"), first=first)
    lines = to_text(graph).splitlines()
    assert lines[1:] == ["● 短い名前  LLM", "● b         LLM  ← 短い名前"]


def test_a_name_cannot_control_the_terminal() -> None:
    text = to_text(one_node("a\u202eb", "na\x1b]0;evil\x07me\n"))
    assert text.splitlines() == ["name", "■ ab  function"]


def test_nested_bodies_are_indented() -> None:
    lines = to_text(nested(2)).splitlines()
    assert lines[1:] == [
        "□ subgraph inner",
        "  ╎ □ subgraph inner",
        "  ╎   ╎ ■ leaf        function",
    ]


@given(st.text(), st.integers(1, 30))
def test_a_truncated_text_fits(text: str, cells: int) -> None:
    line = " ".join(text.split())
    assert cell_len(truncate_cells(line, cells)) <= cells
    assert cell_len(pad(line, cells)) == cells
    if cell_len(line) <= cells:
        assert truncate_cells(line, cells) == line
