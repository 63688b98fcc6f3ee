"""The page on files tells the truth: each of its graphs is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dagorch.files import dump_graph, parse_graph

PAGE = Path(__file__).parents[3] / "docs" / "files.md"
GRAPHS = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("text", GRAPHS)
def test_it_loads_and_comes_back(text: str) -> None:
    graph = parse_graph(text)
    assert parse_graph(dump_graph(graph)).fingerprint == graph.fingerprint


def test_there_are_some() -> None:
    assert len(GRAPHS) == 5
