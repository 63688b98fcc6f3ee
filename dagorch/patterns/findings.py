"""Recognise findings that several sources report as the same thing. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from dagorch.models.finding import Finding

__all__ = ["Deduplicated", "address_key", "deduplicate"]

_MIN_TITLE_LENGTH: Final = 20
"""Letters and digits; different things may share a shorter title."""
_TRACKING: Final = re.compile(r"utm_\w+|fbclid|gclid|ref|source|at_\w+|cmpid", re.IGNORECASE)
_VERSION: Final = re.compile(r"v\d+$")


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """Findings without duplicates."""

    findings: tuple[Finding, ...]
    """The first of each, in order."""
    positions: tuple[int, ...]
    """For each original finding, its index in `findings`."""


def deduplicate(findings: Iterable[Finding]) -> Deduplicated:
    """
    Remove duplicate findings of different agents and sources.

    Two findings are the same if they have the same text, or the same address apart from tracking
    parameters and versions. So are two of different sources with the same long title, unless
    their authors differ.

    Example:
        >>> a = Finding("Bees navigate by the sun", "https://arxiv.org/abs/2401.1v2")
        >>> b = Finding("Bees Navigate by the Sun.", "https://doi.org/10.1/7", source="doi")
        >>> c = Finding("Bees", "http://www.arxiv.org/abs/2401.1/?utm_source=x", source="news")
        >>> deduplicate([a, b, c]).positions
        (0, 0, 0)
    """
    kept: list[Finding] = []
    positions: list[int] = []
    by_key: dict[str, int] = {}
    by_title: dict[str, list[int]] = {}
    for finding in findings:
        keys = [key for key in (address_key(finding), _text_key(finding)) if key]
        title = _letters(finding.title)
        position = next((by_key[key] for key in keys if key in by_key), None)
        if position is None and len(title) >= _MIN_TITLE_LENGTH:
            position = next(
                (at for at in by_title.get(title, ()) if _may_be_same(kept[at], finding)), None
            )
        if position is None:
            position = len(kept)
            kept.append(finding)
            by_title.setdefault(title, []).append(position)
        for key in keys:
            by_key.setdefault(key, position)
        positions.append(position)
    return Deduplicated(tuple(kept), tuple(positions))


def address_key(finding: Finding | str) -> str:
    """
    Normalise an address so that equal keys mean the same page; empty if there is no address.

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
    if parts.scheme not in ("http", "https"):  # a path, which two folders may both have
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
    """Compare the sources and authors of two findings with the same title."""
    if one.source == other.source:
        return False
    if not one.authors or not other.authors:
        return True
    return bool(_surnames(one) & _surnames(other))


def _surnames(finding: Finding) -> set[str]:
    return {author.split()[-1].casefold() for author in finding.authors if author.split()}
