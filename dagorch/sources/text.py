"""Text from outside made plain: no markup, no control codes, no endless lines. Nothing is sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Final

__all__ = ["Page", "iso_date", "keywords", "plain_text", "read_page", "tidy"]

MAX_WORDS: Final = 24
"""Of a query; a service takes no essay."""
_MAX_WORD_CHARACTERS: Final = 60
_SEQUENCES: Final = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
)
_CONTROLS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STOP_WORDS: Final = _words(
    "a about an and any are as at be because been being but by can could did do does doing "
    "explain for from had has have how i if in into is it its me of on or our should so some "
    "tell than that the their them then there these they this those to us was we were what "
    "when where which who whom whose why will with would you your"
)
_BLOCKS: Final = _words(
    "address article blockquote br dd div dl dt figcaption h1 h2 h3 h4 h5 h6 hr jats:p "
    "jats:title li main ol p pre section table td th tr ul"
)
_UNREAD: Final = _words(
    "script style template noscript svg math nav footer aside form button iframe"
)
_NO_TAG: Final = re.compile(r"<[!?][^<>]*>|<(?![a-zA-Z/][^<>]*>)")
_VOID: Final = _words("area base br col embed hr img input link meta source track wbr")


def tidy(text: str, most: int = 20_000) -> str:
    r"""
    Take out what a terminal would obey, put runs of blanks to one, cut at so many characters.

    Example:
        >>> tidy(" \x1b[31mred\x1b[0m\t\tand\x07 blue\n\n\n\nnext ")
        'red and blue\n\nnext'
    """
    text = _SEQUENCES.sub("", text[: 4 * most].replace("\r\n", "\n"))
    text = _CONTROLS.sub("", text)
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()[:most].rstrip()


def keywords(query: str) -> list[str]:
    """
    Give the words of a question that are worth searching for, each once, in lower case.

    Whatever a search language would take for an operator is gone. A question of nothing but
    small words keeps them.

    Example:
        >>> keywords("How do bees (Apis mellifera) find their way home?")
        ['bees', 'apis', 'mellifera', 'find', 'way', 'home']
        >>> keywords("To be, or not?"), keywords("?!")
        (['not'], [])
    """
    words = [word.strip("_") for word in re.findall(r"\w+", query.casefold())]
    words = [word[:_MAX_WORD_CHARACTERS] for word in words if word]
    worth = [
        word for word in words if word not in _STOP_WORDS and (len(word) > 1 or not word.isascii())
    ]
    return list(dict.fromkeys(worth or words))[:MAX_WORDS]


def iso_date(value: str) -> str:
    """
    Give the day of a date as services write it, empty if it is none of their ways.

    Example:
        >>> iso_date("Tue, 10 Jun 2003 04:00:00 GMT"), iso_date("2017-06-12T17:57:34Z")
        ('2003-06-10', '2017-06-12')
        >>> iso_date("20240131T081500Z"), iso_date("yesterday")
        ('2024-01-31', '')
    """
    value = value.strip()
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(value)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date().isoformat()
    return ""


class Page:
    """What a person reads of an HTML page."""

    __slots__ = ("text", "title")

    def __init__(self, title: str, text: str) -> None:
        self.title = title
        self.text = text


def plain_text(markup: str, most: int = 20_000) -> str:
    """
    Give the text of a piece of HTML, or of the XML that some services put in a field.

    Example:
        >>> plain_text("<p>Bees &amp; wasps<script>alert(1)</script> <b>dance</b>.</p>")
        'Bees & wasps dance.'
    """
    if "<" not in markup and "&" not in markup:
        return tidy(markup, most)
    return tidy(read_page(markup[: 20 * most]).text, most)


def read_page(markup: str) -> Page:
    r"""
    Read a page: its title, and its text without scripts, navigation and other furniture.

    Where the page marks its main part, only that is taken.

    Example:
        >>> page = read_page("<title>T</title><nav>up</nav><main><h1>Head</h1>body</main>foot")
        >>> page.title, page.text
        ('T', 'Head\nbody')
    """
    reader = _Reader()
    reader.feed(_whole_tags(markup))
    reader.close()
    text = "".join(reader.main if reader.has_main else reader.all)
    return Page(tidy(" ".join("".join(reader.title).split()), 300), tidy(text, len(text) + 1))


def _whole_tags(markup: str) -> str:
    """
    Take out comments, declarations, and every `<` that begins no whole tag; in linear time.

    The standard library's parser looks for the end of each of them anew: 100 kB of `<a x='` kept
    it busy for minutes.
    """
    pieces, at = [], 0
    while (start := markup.find("<!--", at)) >= 0:
        pieces.append(markup[at:start])
        end = markup.find("-->", start + 4)
        if end < 0:
            break
        at = end + 3
    else:
        pieces.append(markup[at:])
    return _NO_TAG.sub(" ", "".join(pieces))


class _Reader(HTMLParser):
    """
    Collects text; knows nothing of what a page should look like, so no page can break it.

    Pages leave out end tags. So what begins with an element ends when as many of the same name
    have ended as begun, whatever is open in between.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.all: list[str] = []
        self.main: list[str] = []
        self.has_main = False
        self._unread = _Stretch()
        self._main = _Stretch()
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = not self.title
            return
        if tag in _BLOCKS:
            self._put("\n")
        if tag in _VOID:
            return
        given = dict(attrs)
        role = given.get("role")
        if self._unread:
            self._unread.began(tag)
        elif tag in _UNREAD or role in ("navigation", "search") or _is_anchor(given):
            self._unread.begin(tag)
        elif self._main:
            self._main.began(tag)
        elif tag == "main" or role == "main":
            self._main.begin(tag)
            self.has_main = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
            return
        if tag in _BLOCKS:
            self._put("\n")
        (self._unread or self._main).ended(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._put("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        else:
            self._put(data)

    def _put(self, text: str) -> None:
        if self._unread:
            return
        self.all.append(text)
        if self._main:
            self.main.append(text)


class _Stretch:
    """A part of a page, from a tag to its end; true while one is in it."""

    __slots__ = ("_open", "_tag")

    def __init__(self) -> None:
        self._tag = ""
        self._open = 0

    def __bool__(self) -> bool:
        return self._open > 0

    def begin(self, tag: str) -> None:
        self._tag, self._open = tag, 1

    def began(self, tag: str) -> None:
        self._open += tag == self._tag

    def ended(self, tag: str) -> None:
        if self._open and tag == self._tag:
            self._open -= 1


def _is_anchor(given: dict[str, str | None]) -> bool:
    """Whether it is the sign beside a heading that links to the heading itself."""
    return "headerlink" in (given.get("class") or "")
