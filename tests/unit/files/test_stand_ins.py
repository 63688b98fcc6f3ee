"""Graphs are drawn and checked without importing what their file names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dagorch import DefinitionError, Graph
from dagorch.exporters import to_text
from dagorch.files import parse_graph
from dagorch.files.stand_ins import StandIns

STEPS = """\
raise SystemExit("the stranger runs")

from dagorch import Context

def score(draft: str, factor: int = 2, *, context: "Context[int]") -> float:
    return 0.5

async def first(topic: str) -> list[str]: ...
def second(first: dict[str, str]) -> Unknown: ...
def enough(state): ...
def pair(left, right): ...
imported = score
"""
EVERYTHING = """
inputs: {topic: str}
nodes:
  draft: {prompt: "Write on {topic}"}
  score: {function: "steps:score"}
  way: {select: "steps:enough", labels: [up, down], inputs: {state: score}}
  up: {function: {function: "steps:first", with: {topic: x}}, when: {way: up}}
  down: {prompt: "No {topic}", when: {way: down}, output: "list[steps:Report | None]"}
  joined: {merge: [up, down], reducer: "steps:enough"}
  report:
    prompt: "{joined}"
    class: steps:Polite
    with: {words: [a]}
    tools: ["steps:first"]
    output: steps:Report
    retry: {attempts: 2, on: ["steps:MyError"]}
  again:
    loop: {prompt: "Better: {state}", output: "steps:Report[int]"}
    max_iterations: 2
    until: steps:enough
    inputs: {state: report}
"""


@pytest.fixture
def stand_ins(tmp_path: Path) -> StandIns:
    (tmp_path / "steps.py").write_text(STEPS)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "package" / "inner.py").write_text("def one(a, /, b): ...")
    (tmp_path / "broken.py").write_text("def (")
    return StandIns([*sys.path, str(tmp_path)])


def load(text: str, stand_ins: StandIns) -> Graph:
    return parse_graph(text, stand_ins=stand_ins)


def test_edges_come_from_the_parameters_in_the_source(stand_ins: StandIns) -> None:
    lines = to_text(load(EVERYTHING, stand_ins), width=80).splitlines()
    [score] = [line.split() for line in lines if " score " in line]
    assert score[-4:] == ["score", "function", "←", "draft"]
    assert stand_ins.unread == set()
    assert stand_ins.names == {
        f"steps:{name}" for name in ("score", "enough", "first", "Report", "Polite", "MyError")
    }
    assert not {"steps", "package"} & sys.modules.keys()


def test_types_in_the_source_are_checked(stand_ins: StandIns) -> None:
    with pytest.raises(DefinitionError, match=r"takes dict\[str, str\], but 'first' gives list"):
        load(
            "inputs: {topic: str}\nnodes:\n  first: {function: 'steps:first'}\n"
            "  second: {function: 'steps:second'}\n",
            stand_ins,
        )


def test_a_missing_input_is_found(stand_ins: StandIns) -> None:
    with pytest.raises(DefinitionError, match="'right'"):
        load("inputs: [left]\nnodes: {pair: {function: 'steps:pair'}}", stand_ins)


@pytest.mark.parametrize(
    "name", ["steps:imported", "steps:absent", "broken:f", "nowhere:f", "steps:Report.named"]
)
def test_a_function_that_cannot_be_read_takes_what_is_bound(stand_ins: StandIns, name: str) -> None:
    file = f"inputs: [x]\nnodes: {{f: {{function: '{name}', inputs: {{a: x}}, values: {{b: 1}}}}}}"
    assert [node.id for node in load(file, stand_ins)] == ["f"]
    assert stand_ins.unread == {name}


def test_a_module_of_a_package_is_found(stand_ins: StandIns) -> None:
    with pytest.raises(DefinitionError, match="'a' is positional-only"):
        load("inputs: [a, b]\nnodes: {f: {function: 'package.inner:one'}}", stand_ins)


def test_an_allowed_module_is_imported(stand_ins: StandIns) -> None:
    with pytest.raises(DefinitionError, match="cannot be imported"):
        parse_graph(
            "nodes: {f: {function: 'nowhere_at_all:f'}}",
            modules=("nowhere_at_all",),
            stand_ins=stand_ins,
        )


def test_a_malformed_name_is_refused(stand_ins: StandIns) -> None:
    for name in ("steps.score", "steps:__class__"):
        with pytest.raises(DefinitionError, match=r"is not of the form|an internal of Python"):
            load(f"nodes: {{f: {{function: '{name}'}}}}", stand_ins)


async def test_a_graph_with_stand_ins_cannot_run(stand_ins: StandIns) -> None:
    graph = load("nodes: {f: {function: 'nowhere:f'}}", stand_ins)
    with pytest.raises(DefinitionError, match="nowhere:f was not imported"):
        graph.node("f").fn()
