"""
Pictures of random graphs, runs and hostile names, checked by other programs.

Mermaid's parser in a browser reads the Mermaid, Graphviz's `dot` the DOT, an XML parser the SVG.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pypdf
import pytest

from dagorch import LLM, Graph, RunError
from dagorch.exporters import to_dot, to_mermaid, to_svg, write
from dagorch.models.result import Result
from dagorch.models.truncate import truncate_middle
from dagorch.testing import ScriptedProvider, run_virtual
from tests.property.results import ran_seed
from tests.unit.exporters.pictures.geometry import SVG, Geometry

SEEDS = range(24)
PARSE = """async (texts) => {
    const faults = [];
    for (const text of texts) {
        try { await mermaid.parse(text) } catch (error) { faults.push(`${error}\\n${text}`) }
    }
    return faults;
}"""
"""Returns the errors of Mermaid's parser."""
RENDER = """async (texts) => {
    const found = [];
    for (const [place, text] of texts.entries()) {
        document.body.innerHTML = (await mermaid.render(`m${place}`, text)).svg;
        const labels = [...document.querySelectorAll(".nodeLabel")];
        const words = labels.map(e => e.textContent.replaceAll("\\u2060", ""));
        const alive = document.body.querySelectorAll("a, img, script, iframe, math").length;
        found.push([words, alive]);
    }
    return found;
}"""
"""Returns the text that Mermaid draws, and the number of active elements."""
HOSTILE = [
    'say "hi"',
    "a]]>b",
    "%% comment",
    "%%{init: {'securityLevel': 'loose'}}%%",
    "click n0 href javascript:alert(1)",
    "end",
    "subgraph x",
    "line\nbreak\r\n--> n1",
    "\u202eright to left\u202c \u05d0\u05d1\u05d2",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "back\\slash\\N\\n\\",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt; &amp; &#35; #quot; #35;",
    "a:::b@{ shape: circle }",
    "`code` **bold** 1. one - two",
    "{{ x }} | ([y]) ~~~",
    "-- text --> x; graph TD",
    "$$x^2$$",
    "x" * 5_000,
    "\ud800\ufffe\u0000\u001b[31m",
]


def allowed(text: str) -> str:
    """Return the characters of a text that an id may have."""
    return "".join(c for c in text if c not in "/[]" and c >= " ")


def hostile_graph(text: str) -> Graph:
    """Build a graph with a text in every user-defined place: names, labels, models, ids."""
    id = allowed(text)
    graph = Graph(text)
    graph.input("question", str)
    pick = graph.branch("pick", lambda question: text, (text, "other"), question="why")

    async def fails() -> int:
        raise ValueError(text)

    graph.function(fails, id=f"{id} 1", after=pick[text])
    graph.add(LLM(f"{id} 2", prompt="Hi", model=text), after=pick["other"])
    return graph


def hostile_run(graph: Graph) -> Result:
    with pytest.raises(RunError) as caught:
        run_virtual(lambda: graph.run(question="why", provider=ScriptedProvider()))
    result = caught.value.partial_results
    assert isinstance(result, Result)
    return result


@cache
def drawn(export: Callable[..., str]) -> list[str]:
    """Random graphs and runs in a format, then hostile ones."""
    graphs = [ran_seed(seed) for seed in SEEDS]
    hostile = [hostile_graph(text) for text in HOSTILE]
    graphs += [(graph, hostile_run(graph)) for graph in hostile]
    return [export(graph, *given) for graph, result in graphs for given in ((), (result,))]


def test_svg_is_well_formed_and_runs_nothing() -> None:
    for svg in drawn(to_svg):
        for element in ElementTree.fromstring(svg).iter():
            assert element.tag.removeprefix(SVG) in {
                "a", "ellipse", "g", "path", "polygon", "polyline", "svg", "text", "title",
            }  # fmt: skip
            assert not [name for name in element.attrib if name.lower().startswith("on")]
            assert not [name for name in element.attrib if name.endswith("href")]


def test_texts_of_a_picture_do_not_overlap() -> None:
    for number, svg in enumerate(drawn(to_svg)[: 2 * len(SEEDS)]):
        assert Geometry(svg).faults() == [], (number // 2, "ran" if number % 2 else "planned")


def test_hostile_names_make_a_pdf_of_one_page_and_a_file_of_each_ending(tmp_path: Path) -> None:
    for text in HOSTILE:
        graph = hostile_graph(text)
        for ending in (".pdf", ".png", ".mmd", ".dot", ".graphml"):
            file = write(graph, tmp_path / f"x{ending}", hostile_run(graph))
            assert file.stat().st_size > 500
        assert len(pypdf.PdfReader(tmp_path / "x.pdf").pages) == 1


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not there")
def test_dot_reads_every_graph_without_a_warning() -> None:
    every = "\n".join(drawn(to_dot))
    done = subprocess.run(["dot", "-Tcanon"], input=every.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.count(b"digraph") == 2 * (len(SEEDS) + len(HOSTILE))


def test_mermaid_reads_every_graph() -> None:
    script, chromium = os.environ.get("DAGORCH_MERMAID"), shutil.which("chromium")
    if script is None or not Path(script).is_file():
        pytest.skip("DAGORCH_MERMAID does not name mermaid.min.js of the npm package")
    if chromium is None:
        pytest.skip("chromium is not there")
    from playwright.sync_api import sync_playwright

    texts = ["flowchart TB\n  a --> b", "flowchart TB\n  a -->", *drawn(to_mermaid)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.set_content("<body></body>")
        page.add_script_tag(path=script)
        faults = page.evaluate(PARSE, texts)
        shown = page.evaluate(RENDER, texts[-2 * len(HOSTILE) :: 2])
        browser.close()
    assert [fault.splitlines()[-1] for fault in faults] == ["  a -->"]
    for text, (words, alive) in zip(HOSTILE, shown, strict=True):
        assert alive == 0
        if text.isprintable():
            assert truncate_middle(f"{allowed(text)} 1") in words[1]
            assert truncate_middle(text, 24) in words[2]
