"""The graphs in docs/choosing.md are the graphs of the patterns now."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Final

SCRIPT: Final = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "draw_patterns.py"))


def test_the_page_shows_the_patterns_graphs() -> None:
    page = SCRIPT["PAGE"].read_text("utf-8")
    assert page == SCRIPT["drawn"](page), "run: uv run scripts/draw_patterns.py"
    assert len(re.findall("^<!-- drawn: ", page, re.MULTILINE)) == page.count("```mermaid\n") == 5
