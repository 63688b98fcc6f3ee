"""Programs that render DOT: missing, broken, hanging or flooding; and hostile names."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dagorch import DefinitionError, Graph
from dagorch.child_process.bounded import Limits
from dagorch.exporters import to_dot, to_png, to_svg
from dagorch.exporters.pictures import picture
from tests.unit.exporters.graphs import fan
from tests.unit.exporters.pictures.geometry import SVG

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not there")
HOSTILE = [
    'say "hi"',
    "back\\slash\\",
    '\\"',
    "\\N \\G \\l",
    "<b>bold</b>",
    "<",
    "<>",
    "a:b:c",
    ":n",
    "grok:view",
    "graph",
    "strict",
    "12.5",
    "line one\nline two",
    "\u202eright to left\u202c \u05d0\u05d1\u05d2",
    "日本語 ünï",
    "a -> b; c [shape=none]",
    '"]; image="/etc/passwd',
    "// comment",
    "# comment",
    "%",
    "x" * 5_000,
]


def allowed(text: str) -> str:
    """The characters of a text that an id may have."""
    return "".join(c for c in text if c not in "/[]\n")


def hostile_graph(text: str) -> Graph:
    """Two nodes with a text in their names, and an edge between them."""
    id = allowed(text)
    graph = Graph(text)

    async def step(before: object = None) -> int:
        return 1

    first = graph.function(step, id=id)
    graph.function(step, id=f"{id}:after", before=first)
    return graph


def fake_dot(folder: Path, script: str) -> Path:
    dot = folder / "dot"
    dot.write_text(f"#!/bin/sh\n{script}\n")
    dot.chmod(0o755)
    return dot


@pytest.fixture
def first_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def test_the_port_draws_if_dot_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [Path(program).name for program in picture._programs()] == ["graphviz-pure"]
    assert "graphviz-pure" in to_svg(fan(2))
    assert to_png(fan(2)).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "script",
    [
        "sleep 600",
        "kill -SEGV $$",
        "yes",
        "yes >&2",
        "exit 0",
        "echo 'Format: \"svg\" not recognized' >&2; exit 1",
        "while :; do :; done",
        "sleep 600 & exit 1",
        "echo hello",
        "printf '\\377\\376<svg></svg>'",
        "echo '<svg><script>alert(1)</script></svg>'",
        "echo '<svg><g>'",
    ],
)
def test_the_port_replaces_a_dot_that_fails(
    first_on_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake = fake_dot(first_on_path, script)
    monkeypatch.setattr(picture, "_LIMITS", Limits(seconds=3, output_bytes=1_000_000))
    assert picture._programs()[0] == str(fake)
    assert "graphviz-pure" in to_svg(fan(2))
    with monkeypatch.context() as patch:
        patch.setattr(picture, "_port", lambda: None)
        if script.startswith(("sleep", "while")):  # without the port, nobody needs the time
            patch.setattr(picture, "_LIMITS", Limits(seconds=0.3, output_bytes=1_000_000))
        with pytest.raises(DefinitionError, match=f"{fake} could not draw the graph: "):
            to_svg(fan(2))


def test_a_graph_that_no_program_can_draw_names_each_and_why(
    first_on_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_dot(first_on_path, "exit 7")
    monkeypatch.setattr(picture, "_port", lambda: "/no/such/port")
    with pytest.raises(DefinitionError) as caught:
        to_svg(fan(2))
    assert "exit code 7; /no/such/port could not draw the graph: cannot start" in str(caught.value)


@pytest.mark.parametrize(
    ("dot", "limits", "reason"),
    [
        ("digraph {", Limits(), "syntax error"),
        (
            "digraph {" + "".join(f"{i}->{j};" for i in range(400) for j in range(i)) + "}",
            Limits(seconds=1),
            "stopped after 1 s",
        ),
        ("digraph { a [width=9, peripheries=9999] }", Limits(output_bytes=100_000), "wrote more"),
        ("digraph { a -> b }", Limits(memory_bytes=2_000_000), ""),
    ],
    ids=["syntax", "time", "output", "memory"],
)
def test_hostile_dot_is_an_error(
    monkeypatch: pytest.MonkeyPatch, dot: str, limits: Limits, reason: str
) -> None:
    monkeypatch.setattr(picture, "_LIMITS", limits)
    with pytest.raises(DefinitionError, match=f"could not draw the graph: .*{reason}"):
        picture.render(dot, "svg")


@pytest.mark.parametrize("program", ["port", pytest.param("dot", marks=needs_dot)])
def test_hostile_names_stay_text(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    path = picture._port() if program == "port" else shutil.which("dot")
    monkeypatch.setattr(picture, "_programs", lambda: [path])
    for text in HOSTILE:
        root = ElementTree.fromstring(to_svg(hostile_graph(text)))
        groups = list(root.iter(f"{SVG}g"))
        kinds = [group.get("class", "").partition(" ")[0] for group in groups]
        assert (kinds.count("node"), kinds.count("edge")) == (2, 1), text
        names = [g.findtext(f"{SVG}title") for g in groups if g.get("class", "").startswith("node")]
        id = allowed(text).replace("\\", "\\\\")  # as DOT keeps it
        if id.isprintable() and id != "%":  # Graphviz hides names that begin with a percent sign
            assert names == [id, f"{id}:after"]
        assert not list(root.iter(f"{SVG}image"))


@needs_dot
def test_dot_reads_hostile_names_without_a_warning() -> None:
    every = "".join(to_dot(hostile_graph(text)) for text in HOSTILE)
    done = subprocess.run(["dot", "-Tcanon"], input=every.encode(), capture_output=True, check=True)
    assert done.stderr == b""


def test_a_colon_in_an_id_is_not_a_port() -> None:
    dot = to_dot(hostile_graph("a:b:n"))
    assert '"a:b:n" -> "a:b:n:after"' in dot


def test_graphviz_is_imported_when_a_graph_is_drawn_and_not_before() -> None:
    code = (
        "import sys, dagorch, dagorch.exporters.files\n"
        "assert 'graphviz' not in sys.modules\n"
        "graph = dagorch.Graph('one')\n"
        "graph.function(lambda: 1, id='one')\n"
        "assert dagorch.exporters.to_text(graph)\n"
        "assert 'graphviz' not in sys.modules\n"
        "assert dagorch.exporters.to_dot(graph)\n"
        "assert 'graphviz' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_any_program_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picture, "_programs", list)
    with pytest.raises(DefinitionError, match="pip install graphviz-pure"):
        to_svg(fan(2))


def test_the_port_replaces_a_dot_without_plugins(tmp_path: Path) -> None:
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\necho 'Format: svg not recognized' >&2\nexit 1\n")
    broken.chmod(0o755)
    found = picture._port()
    assert found
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture, "_programs", lambda: [str(broken), found])
        assert "</svg>" in to_svg(fan(2))
        patch.setattr(picture, "_programs", lambda: [str(broken)])
        with pytest.raises(DefinitionError, match="could not draw the graph: Format: svg not"):
            to_svg(fan(2))


def test_a_missing_program_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    found = picture._port()
    monkeypatch.setattr(picture, "_programs", lambda: ["/no/such/dot", found])
    assert "</svg>" in to_svg(fan(2))
