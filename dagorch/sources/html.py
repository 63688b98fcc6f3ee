"""HTML turned into plain text: no markup, scripts or navigation. Fetches nothing."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from dagorch.sources.text import tidy

__all__ = ["Page", "plain_text", "read_page"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLOCKS: Final = _names(
    "address article blockquote br dd div dl dt figcaption h1 h2 h3 h4 h5 h6 hr jats:p "
    "jats:title li main ol p pre section table td th tr ul"
)
_SKIPPED: Final = _names(
    "script style template noscript svg math nav footer aside form button iframe"
)
_SKIPPED_ROLES: Final = ("navigation", "search")
_END_TAG: Final = re.compile(r"</([a-zA-Z][\w:-]*)")
_MARK: Final = "dagorch-end:"
_MARKS: Final = re.compile(f"<!--{_MARK}[^>]*-->")


class Page(NamedTuple):
    """The parts of an HTML page that a person reads."""

    title: str
    text: str


def plain_text(markup: str, max_characters: int = 20_000) -> str:
    """
    Return the text of a piece of HTML, or of the XML that some services put in a field.

    Example:
        >>> plain_text("<p>Bees &amp; wasps<script>alert(1)</script> <b>dance</b>.</p>")
        'Bees & wasps dance.'
    """
    if "<" not in markup and "&" not in markup:
        return tidy(markup, max_characters)
    return tidy(read_page(markup[: 20 * max_characters]).text, max_characters)


def read_page(markup: str) -> Page:
    r"""
    Return the title of a page, and its text without scripts and navigation.

    If the page marks its main part, the text is that part only.

    Example:
        >>> page = read_page("<title>T</title><nav>up</nav><main><h1>Head</h1>body</main>foot")
        >>> page.title, page.text
        ('T', 'Head\nbody')
    """
    from lxml import etree

    collector = _TextCollector()
    parser = etree.HTMLParser(target=collector, huge_tree=True, encoding="utf-8")
    marked = _END_TAG.sub(rf"<!--{_MARK}\1-->\g<0>", markup.replace("\0", ""))
    parser.feed(marked.encode("utf-8", "ignore"))
    parser.close()
    text = "".join(collector.main if collector.has_main else collector.all)
    return Page(tidy(" ".join("".join(collector.title).split()), 300), tidy(text, len(text) + 1))


class _TextCollector:
    """
    The target of lxml's parser: collects the text of a page, event by event.

    libxml2 ignores the end tag in `<nav><div>menu</nav>`, since the `div` is open, and the rest
    of such a page would be taken for navigation. So `read_page` puts a comment before each end
    tag. A region ends at the comment that matches its start, or when libxml2 closes its element.
    """

    def __init__(self) -> None:
        self.title: list[str] = []
        self.all: list[str] = []
        self.main: list[str] = []
        self.has_main = False
        self._skipped = _Region()
        self._main = _Region()
        self._in_title = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _BLOCKS:
            self._append("\n")
        if self._main.depth:
            self._main.start(tag)
        if self._skipped.depth:
            self._skipped.start(tag)
            return
        role = attributes.get("role") if attributes else None
        if (
            tag in _SKIPPED
            or role in _SKIPPED_ROLES
            or (attributes and "headerlink" in attributes.get("class", ""))  # of a heading, to it
        ):
            self._skipped.start(tag)
        elif tag == "title":
            self._in_title = not self.title
        elif not self._main.depth and (tag == "main" or role == "main"):
            self._main.start(tag)
            self.has_main = True

    def end(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        for region in (self._skipped, self._main):
            if region.depth:
                region.end()

    def comment(self, text: str) -> None:
        if not text.startswith(_MARK):
            return
        tag = text.removeprefix(_MARK).lower()
        if tag in _BLOCKS:
            self._append("\n")
        region = self._skipped if self._skipped.depth else self._main
        region.end_tag(tag)

    def pi(self, *_: Any) -> None:
        """Ignore processing instructions."""

    def data(self, text: str) -> None:
        text = _MARKS.sub("", text)  # in a title or a text area a comment is text
        if self._in_title:
            self.title.append(text)
        else:
            self._append(text)

    def close(self) -> None:
        """Do nothing: the lists hold the result."""

    def _append(self, text: str) -> None:
        if self._skipped.depth or (text == "\n" and self.all[-2:] == ["\n", "\n"]):
            return
        self.all.append(text)
        if self._main.depth:
            self.main.append(text)


class _Region:
    """A part of the page, from a start tag to its end."""

    __slots__ = ("_open", "_tag", "depth")

    def __init__(self) -> None:
        self._tag = ""
        self._open = 0
        """Elements of the same name inside it, itself included."""
        self.depth = 0
        """Open elements inside it, itself included; 0 outside of it."""

    def start(self, tag: str) -> None:
        if not self.depth:
            self._tag = tag
        self.depth += 1
        self._open += tag == self._tag

    def end(self) -> None:
        self.depth -= 1
        if not self.depth:
            self._open = 0

    def end_tag(self, tag: str) -> None:
        self._open -= tag == self._tag
        if self._open <= 0:
            self._open = self.depth = 0
