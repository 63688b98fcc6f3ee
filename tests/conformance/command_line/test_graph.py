"""`dagorch graph PATTERN|FILE|module:name -o ...` needs no provider, network or dot."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from dagorch import DreamSwarmConfig, DreamSwarmOrchestrator, IterativeOrchestrator
from dagorch.cli.app import run_command
from dagorch.files import dump_graph, load_graph, parse_graph
from dagorch.orchestrators import search
from dagorch.providers import SERVICES
from dagorch.sources import Files
from dagorch.testing import ScriptedProvider

SEARCHES = "dagorch.orchestrators.search"

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
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "point_40_flow.py").write_text(FLOW)
    (tmp_path / "flow.yaml").write_text("nodes: {a: {prompt: Why?}}")
    return tmp_path


PATTERNS = ["cascade", "swarm", "sequential", "conditional", "iterative"]


@pytest.mark.parametrize("target", [*PATTERNS, "flow.yaml", "point_40_flow:graph"])
@pytest.mark.parametrize("suffix", ["svg", "dot", "mmd", "png", "pdf", "json", "yaml"])
def test_graph_writes_every_format(
    bare: Path, target: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = bare / f"x.{suffix}"
    assert run_command(["graph", target, "-o", out.name]) == 0, capsys.readouterr().err
    assert out.stat().st_size > 50
    if suffix in ("json", "yaml"):
        allowed = ["--allow", SEARCHES] if target == "swarm" else []
        assert run_command(["validate", out.name, *allowed]) == 0
        again = bare / f"again.{suffix}"
        assert run_command(["graph", out.name, "-o", again.name, *allowed]) == 0
        assert again.read_bytes() == out.read_bytes()
        assert len(load_graph(out, modules=(SEARCHES,))) > 0


def test_a_file_that_searches_needs_permission_only_to_run(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["graph", "swarm", "-o", "swarm.yaml"]) == 0
    for command in (["validate"], ["show"], ["graph", "-o", "swarm.svg"], ["graph"]):
        assert run_command([*command, "swarm.yaml"]) == 0, capsys.readouterr().err
    for command in (["run"], ["graph", "-o", "again.yaml"]):
        capsys.readouterr()
        assert run_command([*command, "swarm.yaml"]) == 2
        assert f"--allow {SEARCHES}" in capsys.readouterr().err


def test_a_picture_of_a_file_is_the_same_without_its_modules(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["graph", "swarm", "-o", "swarm.yaml"]) == 0
    for name, allowed in (("with.svg", ["--allow", SEARCHES]), ("without.svg", [])):
        assert run_command(["graph", "swarm.yaml", "-o", name, *allowed]) == 0
    assert (bare / "with.svg").read_bytes() == (bare / "without.svg").read_bytes()


async def test_the_file_of_a_pattern_gives_the_same_result() -> None:
    def replies() -> ScriptedProvider:
        return ScriptedProvider(["Tea. No.", "no", "Better tea.", "yes"])

    orchestrator = IterativeOrchestrator(None, replies(), convergence_fn="Is it good?")
    expected = await orchestrator.execute_workflow("Tea?")
    graph = parse_graph(dump_graph(orchestrator.graph("Tea?")))
    result = await graph.run(provider=replies())
    assert result.output == expected.result == {"content": "Better tea.", "iteration": 2}
    assert result["passes"].iteration == expected.metadata["iterations"] == 2
    assert result["passes"].converged


async def test_the_file_of_a_swarm_runs_without_its_orchestrator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bees.txt").write_text("Bees dance to tell the way to food.")
    monkeypatch.setattr(search, "get_source", lambda domain: Files(tmp_path))
    config = DreamSwarmConfig(num_agents=1, domains=["wikipedia"])
    swarm = DreamSwarmOrchestrator(config, ScriptedProvider("They dance [1]."))
    graph = parse_graph(dump_graph(swarm.graph("bees")), modules=(SEARCHES,))
    assert graph.fingerprint == swarm.graph("bees").fingerprint
    result = await graph.run(provider=ScriptedProvider("They dance [1]."))
    assert result.output.startswith("They dance [1].")
    assert "bees.txt" in result.output
