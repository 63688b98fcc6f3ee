"""The page of the matrix, `docs/mistakes.md`; write it with `python -m tests.mistakes.page`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

from tests.mistakes.matrix import Mistake, mistakes_in

__all__ = ["KINDS", "PAGE", "page"]

PAGE: Final = Path(__file__).parents[2] / "docs" / "mistakes.md"
KINDS: Final = (
    "names", "arity", "awaits", "order", "wrong_types", "policies", "providers", "templates",
    "files", "budgets", "options", "containers", "calls", "orchestrators", "command_line",
)  # fmt: skip
"""The modules of the matrix, one for each kind of mistake."""


def page() -> str:
    """Return the text of the page."""
    kinds = [import_module(f"tests.mistakes.{kind}") for kind in KINDS]
    tables = [(str(kind.__doc__), list(mistakes_in(kind))) for kind in kinds]
    count = sum(len(rows) for _, rows in tables)
    lines = [
        "# Mistakes",
        "",
        f"These {count} mistakes are noticed. *Refused*: before the first call. *Fails*: the run",
        "ends at the node, with everything that had finished in `.partial_results`. Every message",
        "also names the place: the node, the option, or the line. The list is made from the tests",
        "in `tests/mistakes/`, which make each mistake and read the message.",
    ]
    for heading, rows in tables:
        title, _, rest = heading.strip().partition(":")
        lines += ["", f"## {title}", "", f"{rest.strip().capitalize()}", ""]
        lines += ["| mistake | noticed | the message says |", "|---|---|---|"]
        lines += [_row(name, mistake) for name, mistake in rows]
    return "\n".join(lines) + "\n"


def _row(name: str, mistake: Mistake) -> str:
    phrases = dict.fromkeys(filter(None, (mistake.what, mistake.way_out)))
    kept = [one for one in phrases if not any(one in other for other in phrases if one != other)]
    message = " … ".join(kept).replace("\n", " ").replace("|", "\\|")
    return f"| {name.replace('_', ' ')} | {mistake.when} | `{message}` |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
