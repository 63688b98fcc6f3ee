"""The Python of the documents runs, and their links resolve."""

from __future__ import annotations

import ast
import asyncio
import inspect
import linecache
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]

# The comment gives the reason; without it the block is run.
BLOCK: Final = re.compile(
    r"^(?P<skip><!-- not run: \S[^\n]*-->\n+)?```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
FENCED: Final = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK: Final = re.compile(r"\]\((?![a-z]+:)(?P<file>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
HEADING: Final = re.compile(r"^#+ +(?P<title>.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A piece of a page's Python, and the number of lines before it."""

    line: int
    code: str


def python_blocks(text: str) -> Iterator[Block]:
    for match in BLOCK.finditer(text):
        if match["skip"] is None:
            yield Block(text.count("\n", 0, match.start("code")), match["code"])


def anchors(text: str) -> set[str]:
    """Give the anchors of a page's headings, spelled as code hosts spell them."""
    titles = (match["title"].lower() for match in HEADING.finditer(FENCED.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in titles}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_python_of_the_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One namespace a page, read from top to bottom; `await` is allowed anywhere.
    # The file has each block on the same lines as the page: a
    # traceback names the line, and code that reads its own source finds it.
    file = tmp_path / f"{page.stem.lower()}.py"
    module = types.ModuleType(file.stem)
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    source = ""
    for block in python_blocks(page.read_text("utf-8")):
        source += "\n" * (block.line - source.count("\n")) + block.code
        file.write_text(source, "utf-8")
        linecache.checkcache(str(file))
        padded = "\n" * block.line + block.code
        code = compile(padded, str(file), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waiting = eval(code, module.__dict__)
        if inspect.iscoroutine(waiting):
            asyncio.run(waiting)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_of_the_page_resolve(page: Path) -> None:
    broken = []
    for match in LINK.finditer(FENCED.sub("", page.read_text("utf-8"))):
        target = (page.parent / match["file"]).resolve() if match["file"] else page
        inside = ROOT in (target, *target.parents) and target.exists()
        if not inside or (match["anchor"] and match["anchor"] not in anchors(target.read_text())):
            broken.append(match[0])
    assert not broken
