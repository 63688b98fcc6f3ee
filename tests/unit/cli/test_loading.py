"""Graphs and orchestrators of the user: loaded, or refused with a reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagorch import DefinitionError
from dagorch.cli.loading import load_graph

USERS = """
from dagorch import Graph
from dagorch.orchestrators import DreamCascadeOrchestrator

graph = Graph("mine")
@graph.function
async def step() -> int: ...

def make(): return graph
def make_orchestrator(): return DreamCascadeOrchestrator()
def needs(argument): return graph
def breaks(): raise RuntimeError("inside")
cascade = DreamCascadeOrchestrator()
number = 5
class Holder:
    graph = graph
"""


@pytest.fixture
def users_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"users_flows_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text(USERS)
    (tmp_path / f"{name}_broken.py").write_text("import nothing_like_this_exists")
    (tmp_path / f"{name}_leaves.py").write_text("import sys; sys.exit(3)")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield name
    sys.path[:] = path
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]


@pytest.mark.parametrize("name", ["graph", "make", "make_orchestrator", "cascade", "Holder.graph"])
def test_a_graph_is_loaded_by_any_name_that_returns_one(users_module: str, name: str) -> None:
    assert load_graph(f"{users_module}:{name}").name in ("mine", "dream cascade")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{}:grap", "{}.py; did you mean 'graph'"),
        ("{}:number", "is a int; name a Graph"),
        ("{}:needs", "was called and failed: TypeError"),
        ("{}:breaks", "was called and failed: RuntimeError: inside"),
        ("{}_missing:graph", "cannot be imported: ModuleNotFoundError"),
        ("{}_broken:graph", "cannot be imported: ModuleNotFoundError: No module named 'nothing"),
        ("{}_leaves:graph", "cannot be imported: SystemExit: 3"),
        ("{}:", "does not have the form module:name"),
        (":graph", "does not have the form module:name"),
    ],
)
def test_an_object_that_is_not_a_graph_is_an_error(
    users_module: str, target: str, message: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_graph(target.format(users_module))
    assert message.format(users_module) in str(caught.value)
