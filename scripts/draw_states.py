#!/usr/bin/env python3
"""
Draw the states of a node run from the scheduler's table into docs/images/states.svg.

    uv run scripts/draw_states.py

States, steps and reasons come from `scheduler/states.py`. The picture holds a hash of its DOT,
and a test compares the hash with the table.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections import Counter
from html import escape
from pathlib import Path
from typing import Final

from dagorch.exporters.pictures.picture import render_svg
from dagorch.scheduler.states import TRANSITIONS, State

__all__ = ["PICTURE", "mark", "states_dot"]

PICTURE: Final = Path(__file__).parents[1] / "docs" / "images" / "states.svg"

_FONT: Final = 'fontname="Helvetica"'
_MIN_COMMON: Final = 3
_SPINE: Final = {(State.PENDING, State.READY), (State.READY, State.RUNNING)}
_LIVE: Final = ("#e3edfd", "#2f6fde")
_ENDS: Final = {
    State.COMPLETED: ("#d5f0df", "#2b7a4b"),
    State.FAILED: ("#f2aea7", "#b42318"),
    State.SKIPPED: ("#eef1f4", "#6b7a8c"),
    State.BLOCKED: ("#f8d2a4", "#b45f06"),
    State.CANCELLED: ("#d6cce2", "#75608f"),
}


def states_dot() -> str:
    """
    Write the table in DOT: a box for each state, an arrow for each step, in the table's order.

    The reason of a step is a node in the middle of its arrow, because arrows keep clear of nodes
    but not of labels. A reason that leads to one state from three or more others is written once,
    in that state's box.
    """
    reasons = Counter((target, when) for (_, target), when in TRANSITIONS.items())
    common = {step for step, count in reasons.items() if count >= _MIN_COMMON}
    lines = [
        'digraph "states of a node run" {',
        f"  graph [{_FONT}, rankdir=TB, nodesep=0.2, ranksep=0.35, pad=0.2, bgcolor=white]",
        f'  node [{_FONT}, shape=box, style="rounded,filled", fontsize=14, margin="0.2,0.1"]',
        f"  edge [{_FONT}, fontsize=11, arrowsize=0.7]",
    ]
    for state in State:
        fill, line = _ENDS.get(state, _LIVE)
        reasons_here = [_wrapped(when) for target, when in sorted(common) if target == state]
        small = "".join(f'<br/><font point-size="11">{text}</font>' for text in reasons_here)
        lines.append(
            f"  {state.name} [label=<<b>{state.name.lower()}</b>{small}>,"
            f' fillcolor="{fill}", color="{line}"{", penwidth=2" if state.is_end else ""}]'
        )
    for (source, target), when in TRANSITIONS.items():
        colour = _ENDS.get(target, _LIVE)[1]
        weight = ", weight=10" if (source, target) in _SPINE else ""
        style = f'color="{colour}"{weight}'
        if (target, when) in common:
            lines.append(f"  {source.name} -> {target.name} [{style}]")
            continue
        reason = f"{source.name}_{target.name}"
        label = f'label=<{_wrapped(when)}>, shape=plain, style="", fontcolor="{colour}"'
        lines += [
            f"  {reason} [{label}, fontsize=11]",
            f"  {source.name} -> {reason} [dir=none, {style}]",
            f"  {reason} -> {target.name} [{style}]",
        ]
    ends = "; ".join(state.name for state in State if state.is_end)
    return "\n".join([*lines, f"  {{ rank=same; {ends} }}", "}", ""])


def _wrapped(text: str) -> str:
    return "<br/>".join(f" {escape(line)} " for line in textwrap.wrap(text, 22))


def mark(dot: str) -> str:
    """Return the comment with the hash of a picture's DOT."""
    return f"<!-- drawn from sha256 {hashlib.sha256(dot.encode()).hexdigest()} -->"


def main() -> None:
    """Draw and write the file."""
    dot = states_dot()
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(f"{render_svg(dot, portable=True).rstrip()}\n{mark(dot)}\n", "utf-8")


if __name__ == "__main__":
    main()
