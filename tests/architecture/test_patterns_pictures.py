"""The graphs drawn in docs/choosing.md are those that the patterns have now."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Final

SCRIPT: Final = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "draw_patterns.py"))


def test_the_page_was_drawn_from_the_patterns_as_they_are() -> None:
    page = SCRIPT["PAGE"].read_text("utf-8")
    assert page == SCRIPT["drawn"](page), "run: uv run scripts/draw_patterns.py"
    assert len(re.findall("^<!-- drawn: ", page, re.MULTILINE)) == page.count("```mermaid\n") == 5
