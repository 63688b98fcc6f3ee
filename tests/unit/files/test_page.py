"""Every graph on the page about files loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dagorch.files import dump_graph, parse_graph

PAGE = Path(__file__).parents[3] / "docs" / "files.md"
GRAPHS = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("text", GRAPHS)
def test_it_loads_after_it_is_written(text: str) -> None:
    graph = parse_graph(text)
    assert parse_graph(dump_graph(graph)).fingerprint == graph.fingerprint


def test_all_graphs_are_found() -> None:
    assert len(GRAPHS) == 5
