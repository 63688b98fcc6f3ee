"""The picture of the states in the docs matches the scheduler's table."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Final

from dagorch.scheduler.states import TRANSITIONS, State

SCRIPT: Final = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "draw_states.py"))


def test_the_committed_picture_is_drawn_from_the_current_table() -> None:
    committed = SCRIPT["PICTURE"].read_text("utf-8").splitlines()[-1]
    assert committed == SCRIPT["mark"](SCRIPT["states_dot"]()), "run: uv run scripts/draw_states.py"


def test_the_picture_has_exactly_the_transitions_of_the_table() -> None:
    arrows = re.findall(r"^  ([A-Z]+) -> ([A-Z]+) ", SCRIPT["states_dot"](), re.MULTILINE)
    assert [(State[source], State[target]) for source, target in arrows] == list(TRANSITIONS)
    drawn = re.findall(r"<title>([A-Z]+)&#45;&gt;([A-Z]+)</title>", SCRIPT["PICTURE"].read_text())
    assert sorted((State[source], State[target]) for source, target in drawn) == sorted(TRANSITIONS)
