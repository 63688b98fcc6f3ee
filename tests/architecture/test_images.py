"""The pictures in docs/images are what the patterns and exporters draw now."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Final

import pytest

from tests.unit.exporters.pictures.geometry import Geometry

SCRIPT: Final = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "draw_images.py"))
FOLDER: Final[Path] = SCRIPT["FOLDER"]
DOTS: Final[dict[str, str]] = dict(SCRIPT["dots"]())


@pytest.mark.parametrize("name", DOTS)
def test_a_committed_picture_is_up_to_date(name: str) -> None:
    svg = (FOLDER / f"{name}.svg").read_text("utf-8")
    assert svg.splitlines()[-1] == SCRIPT["mark"](DOTS[name]), "run: uv run scripts/draw_images.py"
    assert Geometry(svg).faults() == []


def test_there_are_no_other_pictures_and_they_are_small() -> None:
    pictures = {path.stem: path.stat().st_size for path in FOLDER.glob("*.svg")}
    assert pictures.keys() == DOTS.keys() | {"states"}
    assert sum(pictures.values()) < 500_000


def test_graphs_have_the_size_in_their_names() -> None:
    for build in SCRIPT["SIZES"]:
        plan = build().compile()
        assert f"{plan.size + sum(inner.size for inner in plan.inner)} nodes" == plan.name


def test_the_pictures_are_deterministic() -> None:
    assert dict(SCRIPT["dots"]()) == DOTS
