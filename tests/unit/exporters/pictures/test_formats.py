"""DOT, Mermaid, SVG, PNG and PDF are well-formed for any names, and renderers accept them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from io import BytesIO
from xml.etree import ElementTree

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagorch import DefinitionError, Graph
from dagorch.exporters import to_dot, to_mermaid, to_pdf, to_png, to_svg
from dagorch.exporters.pictures import picture
from dagorch.models.result import Result
from dagorch.providers import ScriptedProvider
from tests.unit.exporters.graphs import everything, fan, lanes, layered
from tests.unit.exporters.pictures.geometry import Geometry

SVG = "{http://www.w3.org/2000/svg}"
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not there")
AWKWARD = [
    'say "hi"',
    "back\\slash\\",
    "<b>&amp;",
    "a:b:c",
    "end",
    "graph",
    "1. one",
    "- item",
    "`code`",
    "日本語 ünï",
    "n0",
    "%% comment",
    "{brace} | pipe ; #35;",
    "\\N \\n",
    "--> x",
]


def one_node(id: str, name: str = "names") -> Graph:
    graph = Graph(name)

    async def step() -> int:
        return 1

    graph.function(step, id=id)
    return graph


async def finished() -> tuple[Graph, Result]:
    graph = everything()
    return graph, await graph.run(question="why", provider=ScriptedProvider("fine words"))


def texts(svg: str) -> list[str]:
    found = ElementTree.fromstring(svg).iter(f"{SVG}text")
    unseen = str.maketrans("", "", "\N{WORD JOINER}\N{NO-BREAK SPACE}")
    return [text for e in found if (text := (e.text or "").translate(unseen)).strip()]


def check_mermaid(text: str) -> tuple[set[str], set[str]]:
    """Check the structure of a flowchart; return its nodes and subgraphs."""
    head, config, flowchart, start, *lines = text.splitlines()[1:]
    assert head.startswith('title: "')
    assert (config, start) == ("config:", "---")
    assert flowchart.startswith("  flowchart: {")
    assert re.fullmatch(r"flowchart (TB|LR)", lines[0])
    nodes: set[str] = set()
    subgraphs: set[str] = set()
    depth = links = 0
    label = r'"[^"`<>{}|\\]*"'
    bold = r'"<b>[^"`<>{}|\\]*</b>(<br/>[^"`<>{}|\\]*)*"'
    for line in map(str.strip, lines[1:]):
        if found := re.fullmatch(rf"subgraph (s\d+) \[{bold}\]", line):
            subgraphs.add(found[1])
            depth += 1
        elif line == "end":
            depth -= 1
        elif found := re.fullmatch(rf"(n\d+)[\[({{/]+{bold}[\])}}/]+", line):
            nodes.add(found[1])
        elif found := re.fullmatch(rf"(\w+) (?:-->|==>|-\.->)(?:\|{label}\|)? (\w+)", line):
            assert {found[1], found[2]} <= nodes | subgraphs
            links += 1
        elif found := re.fullmatch(r"class ([\w,]+) c\d+", line):
            assert set(found[1].split(",")) <= nodes | subgraphs
        elif found := re.fullmatch(r"linkStyle ([\d,]+) stroke:#\w+", line):
            assert max(map(int, found[1].split(","))) < links
        else:
            assert re.fullmatch(r"classDef c\d+ fill:#\w+,stroke:#\w+,[\w:#,\- ]+", line), line
    assert depth == 0
    return nodes, subgraphs


@pytest.mark.parametrize("id", AWKWARD)
def test_any_id_is_drawn_literally(id: str) -> None:
    graph = one_node(id, name=id)
    assert texts(to_svg(graph))[:2] == [id, id]  # the graph's name, then the node's
    assert check_mermaid(to_mermaid(graph))[0] == {"n0"}


@settings(max_examples=10)
@given(st.text(st.characters(exclude_categories=("Cc",), exclude_characters="/[]"), min_size=1))
def test_every_format_is_well_formed_for_any_id(id: str) -> None:
    graph = one_node(id, name=id)
    ElementTree.fromstring(to_svg(graph))
    check_mermaid(to_mermaid(graph))


@pytest.mark.parametrize("width", [5, 16])
def test_every_node_and_edge_of_a_fan_is_in_the_picture(width: int) -> None:
    root = ElementTree.fromstring(to_svg(fan(width)))
    classes = [element.get("class", "") for element in root.iter(f"{SVG}g")]
    assert sum(name.startswith("node") for name in classes) == width + 2
    assert sum(name.startswith("edge") for name in classes) == 2 * width


async def test_before_and_after_a_run_every_format_holds_the_same_boxes() -> None:
    graph, result = await finished()
    for given_result in (None, result):
        shown = texts(to_svg(graph, given_result))
        nodes, subgraphs = check_mermaid(to_mermaid(graph, given_result))
        dot = to_dot(graph, given_result)
        assert dot.count("subgraph ") == len(subgraphs)
        assert len(re.findall(r"^\s+[^\n]+ \[label=<", dot, re.MULTILINE)) == len(nodes)
        assert "report" in shown
    assert "view [0]" in shown
    assert "skipped" in shown


@pytest.mark.parametrize("program", [pytest.param("port"), pytest.param("dot", marks=needs_dot)])
@pytest.mark.parametrize("count", [5, 30, 100, 500])
def test_no_text_overlaps_at_any_size(
    monkeypatch: pytest.MonkeyPatch, program: str, count: int
) -> None:
    path = picture._port() if program == "port" else shutil.which("dot")
    monkeypatch.setattr(picture, "_programs", lambda: [path])
    for graph in (layered(count), fan(count), lanes(count)):
        drawn = Geometry(to_svg(graph))
        assert drawn.faults() == []
        assert max(drawn.width, drawn.height) < 5_000


@pytest.mark.parametrize("program", [pytest.param("port"), pytest.param("dot", marks=needs_dot)])
async def test_no_text_of_a_run_overlaps(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    path = picture._port() if program == "port" else shutil.which("dot")
    monkeypatch.setattr(picture, "_programs", lambda: [path])
    graph, result = await finished()
    for svg in (to_svg(graph), to_svg(graph, result)):
        assert Geometry(svg).faults() == []


def test_the_geometry_check_finds_faults() -> None:
    svg = to_svg(fan(3))
    assert Geometry(svg).faults() == []
    longer = svg.replace(">m1</text>", ">a name that is longer than its box by far</text>")
    assert "sticks out of 'm1'" in Geometry(longer).faults()[0]
    places = re.findall(r'<polygon fill="#[^"]*" stroke="#6b7a8c" points="([^"]*)"', svg)
    over = Geometry(svg.replace(places[1], places[2])).faults()
    assert any("is over" in fault for fault in over)


def test_png_is_a_png() -> None:
    assert to_png(fan(3)).startswith(b"\x89PNG\r\n")


def test_a_pdf_is_one_page_of_the_pictures_size_with_its_text() -> None:
    graph = one_node("step", name="a name (in brackets) #set page()")
    reader = pypdf.PdfReader(BytesIO(to_pdf(graph)))
    page = reader.pages[0]
    assert len(reader.pages) == 1
    assert reader.metadata
    assert reader.metadata.title == graph.name
    assert graph.name in page.extract_text()
    width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', to_svg(graph))[:2]
    assert page.mediabox.width == pytest.approx(float(width), abs=1)
    assert page.mediabox.height == pytest.approx(float(height), abs=1)
    assert to_pdf(graph) == to_pdf(graph)


def test_without_typst_a_pdf_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(DefinitionError, match=r"pip install 'dagorch\[documents\]'"):
        to_pdf(fan(2))


def test_a_tooltip_is_a_title_and_not_a_link() -> None:
    graph = one_node("a & b")
    svg = to_svg(graph)
    assert "xlink:" not in svg.replace("xmlns:xlink", "")
    group = next(
        g for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if "node" in g.get("class", "")
    )
    assert [title.text for title in group.iter(f"{SVG}title")] == ["a & b", "a & b"]


def test_the_port_accepts_the_dot_without_a_warning() -> None:
    program = picture._port()
    assert program
    for graph in (everything(), fan(30)):
        done = subprocess.run(
            [program, "-Tsvg"], input=to_dot(graph), capture_output=True, text=True, check=True
        )
        assert "syntax" not in done.stderr.lower()
        assert "lhead" not in done.stderr.lower()


def test_the_text_of_a_node_is_centred_in_any_font() -> None:
    root = ElementTree.fromstring(to_svg(everything()))
    nodes = [group for group in root.iter(f"{SVG}g") if "node" in group.get("class", "").split()]
    assert len(nodes) > 5
    for group in nodes:
        shapes = [*group.iter(f"{SVG}path"), *group.iter(f"{SVG}polygon")]
        drawn = " ".join(shape.get("d") or shape.get("points", "") for shape in shapes)
        corners = drawn.replace("M", " ").replace("C", " ").replace("L", " ")
        across = [float(corner.split(",")[0]) for corner in corners.split()]
        across += [float(round.get("cx", "nan")) for round in group.iter(f"{SVG}ellipse")]
        for text in group.iter(f"{SVG}text"):
            assert text.get("text-anchor") == "middle"
            middle = (min(across) + max(across)) / 2
            assert float(text.get("x", "nan")) == pytest.approx(middle, abs=0.01)
