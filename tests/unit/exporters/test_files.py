"""Writing a graph to a file, and the names that the package exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dagorch import DefinitionError, exporters
from dagorch.exporters import ENDINGS, write
from tests.unit.exporters.graphs import fan


@pytest.mark.parametrize("suffix", [*ENDINGS, ".SVG"])
def test_the_suffix_selects_the_format(tmp_path: Path, suffix: str) -> None:
    path = write(fan(2), tmp_path / f"graph{suffix}")
    assert path.stat().st_size > 100


@pytest.mark.parametrize("name", ["graph.gif", "graph", "graph.jpeg"])
def test_an_unknown_suffix_is_refused_and_the_known_ones_are_listed(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(DefinitionError, match=r"one of \.svg, \.png, \.pdf, "):
        write(fan(2), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_an_error_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"cannot write .*No such file"):
        write(fan(2), tmp_path / "nowhere" / "graph.dot")
    (tmp_path / "folder.dot").mkdir()
    with pytest.raises(DefinitionError, match=r"cannot write .*directory"):
        write(fan(2), tmp_path / "folder.dot")


def test_an_unknown_export_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'to_gif'"):
        _: Any = exporters.to_gif
