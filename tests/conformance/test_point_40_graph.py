"""Point 40: `dagorch graph PATTERN|FILE|module:name -o ...` needs no provider, network or dot."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from dagorch.cli.app import run_command
from dagorch.files import load_graph
from dagorch.providers import SERVICES

FLOW = """\
from dagorch import LLM, Graph

graph = Graph("compare")
graph.input("question", str)
graph.add(LLM("view", prompt="What speaks for {question}?"))
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a graph as module and as file; no keys, no programs, no network."""
    for service in SERVICES.values():
        for name in (*service.key_env, service.base_url_env):
            monkeypatch.delenv(name, raising=False)

    def refused(*_: object) -> None:
        raise AssertionError("something was to be reached")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "point_40_flow.py").write_text(FLOW)
    (tmp_path / "flow.yaml").write_text("nodes: {a: {prompt: Why?}}")
    return tmp_path


@pytest.mark.parametrize("target", ["cascade", "flow.yaml", "point_40_flow:graph"])
@pytest.mark.parametrize("ending", ["svg", "dot", "mmd", "png", "pdf", "json", "yaml"])
def test_graph_writes_every_format(
    bare: Path, target: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = bare / f"x.{ending}"
    assert run_command(["graph", target, "-o", out.name]) == 0, capsys.readouterr().err
    assert out.stat().st_size > 50
    if ending in ("json", "yaml"):
        assert run_command(["validate", out.name]) == 0
        again = bare / f"again.{ending}"
        assert run_command(["graph", out.name, "-o", again.name]) == 0
        assert again.read_bytes() == out.read_bytes()
        assert len(load_graph(out)) > 0
