"""Citations: findings numbered for a reader, and what a reply cites looked for among them. Pure."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dagorch.models.finding import Finding
from dagorch.patterns.findings import address_key
from dagorch.patterns.partition import fitted

__all__ = ["Cited", "cite", "listed", "numbered"]

_NUMBERS: Final = re.compile(r"\[\s*(\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*)\s*\]")
_LINK: Final = re.compile(r"\[([^\[\]\n]{0,200})\]\((https?://[^)\s]{1,2000})\)")
_ADDRESS: Final = re.compile(r"<?https?://[^\s<>\"'\])]{1,2000}>?")
_NAME: Final = r"[A-Z][\w'’-]{1,40}"  # the typographic apostrophe of names
_PAPER: Final = re.compile(
    rf"[(\[]({_NAME})(?:\s+(?:and|&)\s+{_NAME})?(?:,?\s+et\s+al\.?,?|,)\s+((?:19|20)\d\d)[a-z]?[)\]]"
)
_MONTHS: Final = frozenset(calendar.month_name) - {""}
_MAX_RANGE: Final = 20


@dataclass(frozen=True, slots=True)
class Cited:
    """A text whose every citation is among what was found."""

    text: str
    numbers: tuple[int, ...] = ()
    """What it cites, from 1, in order of appearance."""
    dropped: tuple[str, ...] = ()
    """Citations that were taken out, because nothing found is what they name."""


def cite(text: str, findings: Sequence[Finding], place: Callable[[int], int] = int) -> Cited:
    """
    Keep the citations of a reply that are among the findings, and take out all others.

    Numbers in brackets, addresses, links and `(Author, year)` count as citations; those that are
    right come out as numbers.

    Args:
        text: A reply.
        findings: What its author had before it, numbered from 1.
        place: Gives the number to write for one that is read.

    Example:
        >>> found = [Finding("Bees", "https://e.org/b"), Finding("Ants", authors=["A. Wehner"],
        ...          date="1990-05")]
        >>> cite("Sun [1, 7]. Steps (Wehner, 1990). See https://e.org/b and [it](http://x.y/z).",
        ...      found)
        Cited(text='Sun [1]. Steps [2]. See [1] and it.', numbers=(1, 2),
              dropped=('[7]', 'http://x.y/z'))
    """
    addresses = {key: n for n, f in enumerate(findings, 1) if (key := address_key(f))}
    used: dict[int, None] = {}
    dropped: dict[str, None] = {}

    def written(number: int | None, said: str) -> str:
        if number is None or not 1 <= number <= len(findings):
            dropped[said] = None
            return ""
        used[place(number)] = None
        return f"[{place(number)}]"

    def by_link(match: re.Match[str]) -> str:
        mark = written(addresses.get(address_key(match[2])), match[2])
        return " ".join(part for part in (match[1], mark) if part)

    def by_address(match: re.Match[str]) -> str:
        whole = match[0].strip("<>")
        url = whole.rstrip(".,;:!?")
        return written(addresses.get(address_key(url)), url) + whole[len(url) :]

    def by_paper(match: re.Match[str]) -> str:
        if match[1] in _MONTHS:
            return match[0]
        return written(_paper(findings, match[1], match[2]), match[0])

    def by_numbers(match: re.Match[str]) -> str:
        marks = [written(number, f"[{number}]") for number in _spread(match[1])]
        return "".join(dict.fromkeys(marks))

    # Numbers first: what the other ways write are numbers, too, and those of `place`.
    text = re.sub(r"\[(\d{1,4})\]\((?=https?:)", r"[ ](", text)  # `[1](address)` is one citation
    text = _NUMBERS.sub(by_numbers, text)
    for pattern, replace in ((_LINK, by_link), (_ADDRESS, by_address), (_PAPER, by_paper)):
        text = pattern.sub(replace, text)
    text = re.sub(r"\(\s*\)|\[\s+\]", "", text)
    text = re.sub(r"(?<![ \t])[ \t]+([.,;:!?)])", r"\1", text)
    text = re.sub(r"(?<=\S)[ \t]{2,}", " ", text)
    return Cited(text.strip(), tuple(used), tuple(dropped))


def _spread(numbers: str) -> list[int]:
    """The numbers of `1, 3-5`."""
    spread: list[int] = []
    for part in re.split(r"[,;]", numbers):
        ends = [int(end) for end in re.split(r"[–-]", part)]  # models write dashes
        if len(ends) == 2 and ends[0] <= ends[1] <= ends[0] + _MAX_RANGE:
            spread += range(ends[0], ends[1] + 1)
        else:
            spread += ends
    return spread


def _paper(findings: Sequence[Finding], name: str, year: str) -> int | None:
    for number, finding in enumerate(findings, 1):
        surnames = (author.split()[-1] for author in finding.authors if author.split())
        if finding.date.startswith(year) and name in surnames:
            return number
    return None


def numbered(findings: Sequence[Finding], most_bytes: int) -> str:
    """
    Write findings for a model to read, each with its number and cut to its part of the room.

    A number in brackets within a text is put in round ones: it is none of these.

    Example:
        >>> print(numbered([Finding("Bees", text="They dance [3].", date="2020")], 100))
        [1] Bees (2020)
        They dance (3).
    """
    cut = fitted([_told(finding) for finding in findings], most_bytes)
    return "\n\n".join(f"[{number}] {text}" for number, text in enumerate(cut, 1))


def _told(finding: Finding) -> str:
    about = "; ".join(part for part in (", ".join(finding.authors[:3]), finding.date) if part)
    head = f"{finding.title} ({about})" if about else finding.title
    text = finding.text if finding.text.strip() != finding.title.strip() else ""
    return _NUMBERS.sub(r"(\1)", f"{head}\n{text}".strip())


def listed(findings: Sequence[Finding], numbers: Sequence[int]) -> str:
    """
    Write the list of what a text cites.

    Example:
        >>> listed([Finding("Ants"), Finding("Bees", "https://e.org/b", "2020")], [2])
        '[2] Bees, 2020. https://e.org/b'
    """
    lines = []
    for number in sorted(numbers):
        finding = findings[number - 1]
        who = ", ".join(finding.authors[:3]) + (" and others" if len(finding.authors) > 3 else "")
        about = ", ".join(part for part in (who, finding.title, finding.date) if part)
        lines.append(f"[{number}] {' '.join(about.split())}. {finding.url}".strip().rstrip("."))
    return "\n".join(lines)
