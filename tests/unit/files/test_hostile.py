"""Files from strangers are refused with line and column, and nothing they name is imported."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from dagorch.errors import DefinitionError
from dagorch.files import load_graph
from tests.unit.files.hostile import HOSTILE, Hostile


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a module that creates a file when it is imported, and return the path of the file."""
    marker = tmp_path / "imported"
    (tmp_path / "hostile_canary.py").write_text(
        f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
        "class T: ...\nclass E(Exception): ...\ndef run(): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return marker


def write(sent: Hostile, folder: Path) -> Path:
    ending = "json" if sent.data.lstrip().startswith(b"{") else "yaml"
    path = folder / f"sent.{ending}"
    path.write_bytes(sent.data)
    return path


@pytest.mark.parametrize("sent", HOSTILE, ids=lambda sent: sent.name)
def test_it_is_refused_with_its_place(sent: Hostile, tmp_path: Path, canary: Path) -> None:
    path = write(sent, tmp_path)
    with pytest.raises(DefinitionError) as caught:
        load_graph(path)
    problems = caught.value.problems
    found = [problem for problem in problems if sent.message in problem.message]
    assert found, str(caught.value)[:2_000]
    assert found[0].where.startswith(f"{path}:{sent.place}"), found[0].where
    assert all(problem.where.startswith(f"{path}:") for problem in problems)
    assert len(str(caught.value)) < 100_000
    assert not canary.exists()
    assert "hostile_canary" not in sys.modules


@pytest.mark.full
@pytest.mark.parametrize("sent", HOSTILE, ids=lambda sent: sent.name)
def test_it_is_refused_within_a_second(sent: Hostile, tmp_path: Path) -> None:
    # CPU time does not depend on other work on the machine.
    path = write(sent, tmp_path)
    began = time.process_time()
    with pytest.raises(DefinitionError):
        load_graph(path)
    assert time.process_time() - began < 1


def test_an_allowed_module_is_imported(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "sent.yaml"
    path.write_text("nodes: {a: {function: 'hostile_canary:run'}}")
    try:
        load_graph(path, modules=["hostile_canary"])
        assert canary.exists()
    finally:
        sys.modules.pop("hostile_canary", None)


def test_a_path_that_is_not_a_file_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.yaml", tmp_path / "x\0y.yaml"):
        with pytest.raises(DefinitionError, match="cannot read"):
            load_graph(path)
