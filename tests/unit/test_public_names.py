"""Names that are reached through packages, each imported at its first use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dagorch
from dagorch import LLM, Graph
from dagorch.models.document import Document

PROBE = """
import sys
import dagorch
{line}
print("ok")
"""


@pytest.mark.parametrize(
    "line",
    [
        "from dagorch.models import SubTask, AgentResult, OrchestratorResult, TaskStatus",
        "assert dagorch.patterns.cascade_graph and dagorch.patterns.cascade.Tier",
        "assert dagorch.models.SubTask is dagorch.SubTask",
        "assert dagorch.testing.ScriptedProvider and dagorch.files.load_graph",
        "assert dagorch.errors.RunError is dagorch.RunError",
        "assert {'patterns', 'models', 'Graph'} <= set(dir(dagorch))",
        "assert 'dagorch.models.task' not in sys.modules",
        "import dagorch.models; assert 'dagorch.models.task' not in sys.modules",
    ],
)
def test_packages_and_their_names_are_attributes(line: str) -> None:
    # In an interpreter of its own: an import anywhere makes a submodule an attribute.
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(line=line)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "ok\n", done.stderr


def test_a_misspelt_package_is_suggested() -> None:
    with pytest.raises(AttributeError, match="did you mean 'patterns'"):
        dagorch.paterns  # noqa: B018


def test_a_document_can_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# Bees")
    document = Document(str(path), "markdown", 6)
    with open(document) as file:  # noqa: PTH123 - this is what is tested
        assert file.read() == "# Bees"
    assert Path(document) == path


def test_a_graph_shows_itself_in_a_notebook() -> None:
    graph = Graph("shown")
    graph.input("topic")
    graph.add(LLM("ask", prompt="{topic}"))
    shown = graph._repr_mimebundle_()
    assert shown["text/plain"] == repr(graph)
    assert shown["image/svg+xml"].rstrip().endswith("</svg>")
    assert "ask" in shown["image/svg+xml"]


def test_a_graph_that_cannot_be_drawn_shows_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph("unfinished")
    graph.add(LLM("ask", prompt="{topic}"))
    text = graph._repr_mimebundle_(include=["image/svg+xml"])["text/plain"]
    assert text.startswith("<Graph 'unfinished': 1 nodes, 0 inputs>\nDefinitionError: ")
    assert "'topic'" in text
    assert set(Graph("empty")._repr_mimebundle_()) == {"text/plain"}

    import dagorch.exporters.pictures.picture as picture

    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("no picture")

    monkeypatch.setattr(picture, "to_svg", broken)
    graph.input("topic")
    assert graph._repr_mimebundle_()["text/plain"].endswith("RuntimeError: no picture")
