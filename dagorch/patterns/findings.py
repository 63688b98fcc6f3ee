"""Which findings are the same thing, whatever source gave them. Pure, and total over its inputs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from dagorch.models.finding import Finding

__all__ = ["Distinct", "address_key", "distinct"]

_MIN_TITLE_LENGTH: Final = 20
"""Letters and digits; a shorter title may well be another thing's, too."""
_TRACKING: Final = re.compile(r"utm_\w+|fbclid|gclid|ref|source|at_\w+|cmpid", re.IGNORECASE)
_VERSION: Final = re.compile(r"v\d+$")


@dataclass(frozen=True, slots=True)
class Distinct:
    """Findings without those that are one and the same thing."""

    findings: tuple[Finding, ...]
    """The first of each, in order."""
    places: tuple[int, ...]
    """For each that was given, where in `findings` it is now."""


def distinct(given: Iterable[Finding]) -> Distinct:
    """
    Leave out findings that were found before, by another agent or in another source.

    Two are the same if they have the same address, tracking and versions apart, or the same text;
    or the same long title in different sources, unless their authors tell otherwise.

    Example:
        >>> a = Finding("Bees navigate by the sun", "https://arxiv.org/abs/2401.1v2")
        >>> b = Finding("Bees Navigate by the Sun.", "https://doi.org/10.1/7", source="doi")
        >>> c = Finding("Bees", "http://www.arxiv.org/abs/2401.1/?utm_source=x", source="news")
        >>> distinct([a, b, c]).places
        (0, 0, 0)
    """
    kept: list[Finding] = []
    places: list[int] = []
    by_key: dict[str, int] = {}
    by_title: dict[str, list[int]] = {}
    for finding in given:
        keys = [key for key in (address_key(finding), _text_key(finding)) if key]
        title = _letters(finding.title)
        place = next((by_key[key] for key in keys if key in by_key), None)
        if place is None and len(title) >= _MIN_TITLE_LENGTH:
            place = next(
                (at for at in by_title.get(title, ()) if _may_be_same(kept[at], finding)), None
            )
        if place is None:
            place = len(kept)
            kept.append(finding)
            by_title.setdefault(title, []).append(place)
        for key in keys:
            by_key.setdefault(key, place)
        places.append(place)
    return Distinct(tuple(kept), tuple(places))


def address_key(finding: Finding | str) -> str:
    """
    Give an address without what does not tell one thing from another; empty if there is none.

    Example:
        >>> address_key("http://www.Example.org/a/?utm_source=b&id=1#c")
        'example.org/a?id=1'
    """
    url = finding if isinstance(finding, str) else finding.url
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return url
    if parts.scheme not in ("http", "https"):  # a path: two folders may have the same
        return f"{finding.source}:{url}" if isinstance(finding, Finding) and url else ""
    path = parts.path.rstrip("/")
    if host.endswith("arxiv.org"):
        path = _VERSION.sub("", path.replace("/pdf/", "/abs/"))
    kept = [
        (name, value) for name, value in parse_qsl(parts.query) if not _TRACKING.fullmatch(name)
    ]
    return f"{host}{path}" + (f"?{urlencode(kept)}" if kept else "")


def _text_key(finding: Finding) -> str:
    letters = _letters(finding.text)
    return f"text:{letters}" if len(letters) >= 4 * _MIN_TITLE_LENGTH else ""


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _may_be_same(one: Finding, other: Finding) -> bool:
    """Whether two with the same title are the same, by their sources and authors."""
    if one.source == other.source:
        return False
    if not one.authors or not other.authors:
        return True
    return bool(_names(one) & _names(other))


def _names(finding: Finding) -> set[str]:
    return {author.split()[-1].casefold() for author in finding.authors if author.split()}
