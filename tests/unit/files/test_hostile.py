"""Files from strangers: refused with line and column; nothing that they name is imported."""

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
    """A module that can be imported, and tells when it is."""
    sign = tmp_path / "imported"
    (tmp_path / "hostile_canary.py").write_text(
        f"from pathlib import Path\nPath({str(sign)!r}).touch()\n"
        "class T: ...\nclass E(Exception): ...\ndef run(): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return sign


def written(sent: Hostile, folder: Path) -> Path:
    ending = "json" if sent.data.lstrip().startswith(b"{") else "yaml"
    path = folder / f"sent.{ending}"
    path.write_bytes(sent.data)
    return path


@pytest.mark.parametrize("sent", HOSTILE, ids=lambda sent: sent.name)
def test_it_is_refused_with_its_place(sent: Hostile, tmp_path: Path, canary: Path) -> None:
    path = written(sent, tmp_path)
    with pytest.raises(DefinitionError) as caught:
        load_graph(path)
    problems = caught.value.problems
    said = [problem for problem in problems if sent.says in problem.message]
    assert said, str(caught.value)[:2_000]
    assert said[0].where.startswith(f"{path}:{sent.place}"), said[0].where
    assert all(problem.where.startswith(f"{path}:") for problem in problems)
    assert len(str(caught.value)) < 100_000
    assert not canary.exists()
    assert "hostile_canary" not in sys.modules


@pytest.mark.full
@pytest.mark.parametrize("sent", HOSTILE, ids=lambda sent: sent.name)
def test_it_is_refused_within_a_second(sent: Hostile, tmp_path: Path) -> None:
    # Of the processor's time, which other work on the machine does not change.
    path = written(sent, tmp_path)
    began = time.process_time()
    with pytest.raises(DefinitionError):
        load_graph(path)
    assert time.process_time() - began < 1


def test_the_canary_sings_where_it_is_allowed(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "sent.yaml"
    path.write_text("nodes: {a: {function: 'hostile_canary:run'}}")
    try:
        load_graph(path, modules=["hostile_canary"])
        assert canary.exists()
    finally:
        sys.modules.pop("hostile_canary", None)


def test_a_place_that_is_no_file_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.yaml", tmp_path / "x\0y.yaml"):
        with pytest.raises(DefinitionError, match="cannot read"):
            load_graph(path)
