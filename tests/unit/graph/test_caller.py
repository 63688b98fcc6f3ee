"""Problems name the line where the user wrote the node, in a file of any length."""

from __future__ import annotations

import pickle
from types import CodeType
from typing import Any

import pytest

from dagorch import DefinitionError, Graph


async def work() -> int: ...


def script(statements: int) -> dict[str, Any]:
    """Run a file that adds a node on each line; the last call spans several lines."""
    lines = ["graph = Graph('long')"]
    lines += [f"graph.function(work, id='n{number}')" for number in range(statements)]
    lines += ["last = graph.function(", "    work,", "    id='last',", ")"]
    names: dict[str, Any] = {"Graph": Graph, "work": work}
    exec(compile("\n".join(lines), "long.py", "exec"), names)
    return names


def test_a_place_is_the_line_of_the_call() -> None:
    graph = script(300)["graph"]
    places = [graph.entries[f"n{number}"].where for number in range(300)]
    assert places == [f"long.py:{number + 2}" for number in range(300)]
    assert graph.entries["last"].where == "long.py:302"


def test_a_place_survives_pickling_with_its_graph() -> None:
    graph = Graph("kept")
    first = graph.function(work, id="first")
    graph.function(work, id="second", after=first)
    again = pickle.loads(pickle.dumps(graph))
    for id in ("first", "second"):
        assert again.entries[id].where == graph.entries[id].where
        assert again.entries[id].where.startswith(f"{__file__}:")


def test_an_input_given_twice_names_its_line() -> None:
    graph = Graph("twice")
    graph.input("a")
    graph.input("a")
    with pytest.raises(DefinitionError) as caught:
        graph.compile()
    assert caught.value.problems[0].where.startswith(f"{__file__}:")


def test_the_line_is_counted_only_when_asked_for() -> None:
    """Counting starts at the top of the file; once per node, it made long files quadratic."""
    graph = script(3)["graph"]
    kept = {entry.code for entry in graph.entries.values()}
    assert [type(code) for code in kept] == [CodeType]
