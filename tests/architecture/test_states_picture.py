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
    # An arrow may start at the node of its reason, `SOURCE_TARGET`.
    step = r"([A-Z]+)(?:_[A-Z]+)?{}([A-Z]+)"
    arrows = re.findall(rf"^  {step.format(' -> ')} ", SCRIPT["states_dot"](), flags=re.MULTILINE)
    assert [(State[source], State[target]) for source, target in arrows] == list(TRANSITIONS)
    drawn = re.findall(f"<title>{step.format('&#45;&gt;')}</title>", SCRIPT["PICTURE"].read_text())
    assert sorted((State[source], State[target]) for source, target in drawn) == sorted(TRANSITIONS)
