"""Number findings for a model, and resolve the citations in its reply. Pure functions."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dagorch.models.finding import Finding
from dagorch.patterns.findings import address_key
from dagorch.patterns.partition import fit_texts

__all__ = ["Cited", "cite", "format_findings", "format_sources"]

_NUMBERS: Final = re.compile(r"\[\s*(\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*)\s*\]")
_LINK: Final = re.compile(r"\[([^\[\]\n]{0,200})\]\((https?://[^)\s]{1,2000})\)")
_ADDRESS: Final = re.compile(r"<?https?://[^\s<>\"'\])]{1,2000}>?")
_NAME: Final = r"[A-Z][\w'’-]{1,40}"  # names may have a typographic apostrophe
_PAPER: Final = re.compile(
    rf"[(\[]({_NAME})(?:\s+(?:and|&)\s+{_NAME})?(?:,?\s+et\s+al\.?,?|,)\s+((?:19|20)\d\d)[a-z]?[)\]]"
)
_MONTHS: Final = frozenset(calendar.month_name) - {""}
_MAX_RANGE: Final = 20


@dataclass(frozen=True, slots=True)
class Cited:
    """A text in which every citation refers to a finding."""

    text: str
    numbers: tuple[int, ...] = ()
    """The numbers of the cited findings, from 1, in order of appearance."""
    dropped: tuple[str, ...] = ()
    """Citations that were removed, because they match no finding."""


def cite(text: str, findings: Sequence[Finding], renumber: Callable[[int], int] = int) -> Cited:
    """
    Resolve the citations of a reply, and remove those that match no finding.

    Numbers in brackets, addresses, links and `(Author, year)` are citations. Those that match
    become numbers in brackets.

    Args:
        text: A reply.
        findings: The findings that the model read, numbered from 1.
        renumber: Returns the number to write in place of a finding's own.

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

    def resolve(number: int | None, citation: str) -> str:
        if number is None or not 1 <= number <= len(findings):
            dropped[citation] = None
            return ""
        used[renumber(number)] = None
        return f"[{renumber(number)}]"

    def by_link(match: re.Match[str]) -> str:
        mark = resolve(addresses.get(address_key(match[2])), match[2])
        return " ".join(part for part in (match[1], mark) if part)

    def by_address(match: re.Match[str]) -> str:
        whole = match[0].strip("<>")
        url = whole.rstrip(".,;:!?")
        return resolve(addresses.get(address_key(url)), url) + whole[len(url) :]

    def by_paper(match: re.Match[str]) -> str:
        if match[1] in _MONTHS:
            return match[0]
        return resolve(_paper(findings, match[1], match[2]), match[0])

    def by_numbers(match: re.Match[str]) -> str:
        marks = [resolve(number, f"[{number}]") for number in _expand(match[1])]
        return "".join(dict.fromkeys(marks))

    # Numbers first, because the other patterns write numbers that are already final.
    text = re.sub(
        r"\[(\d{1,4})\]\((?=https?:)", r"[ ](", text
    )  # `[1](address)` is a single citation
    text = _NUMBERS.sub(by_numbers, text)
    for pattern, replace in ((_LINK, by_link), (_ADDRESS, by_address), (_PAPER, by_paper)):
        text = pattern.sub(replace, text)
    text = re.sub(r"\(\s*\)|\[\s+\]", "", text)
    text = re.sub(r"(?<![ \t])[ \t]+([.,;:!?)])", r"\1", text)
    text = re.sub(r"(?<=\S)[ \t]{2,}", " ", text)
    return Cited(text.strip(), tuple(used), tuple(dropped))


def _expand(numbers: str) -> list[int]:
    """Return the numbers of a text such as `1, 3-5`."""
    expanded: list[int] = []
    for part in re.split(r"[,;]", numbers):
        ends = [int(end) for end in re.split(r"[–-]", part)]  # models also write dashes
        if len(ends) == 2 and ends[0] <= ends[1] <= ends[0] + _MAX_RANGE:
            expanded += range(ends[0], ends[1] + 1)
        else:
            expanded += ends
    return expanded


def _paper(findings: Sequence[Finding], name: str, year: str) -> int | None:
    for number, finding in enumerate(findings, 1):
        surnames = (author.split()[-1] for author in finding.authors if author.split())
        if finding.date.startswith(year) and name in surnames:
            return number
    return None


def format_findings(findings: Sequence[Finding], max_bytes: int) -> str:
    """
    Format findings for a model, each with its number, cut to fit.

    Numbers in brackets inside a finding's text become round brackets: they are not ours.

    Example:
        >>> print(format_findings([Finding("Bees", text="They dance [3].", date="2020")], 100))
        [1] Bees (2020)
        They dance (3).
    """
    cut = fit_texts([_format_finding(finding) for finding in findings], max_bytes)
    return "\n\n".join(f"[{number}] {text}" for number, text in enumerate(cut, 1))


def _format_finding(finding: Finding) -> str:
    about = "; ".join(part for part in (", ".join(finding.authors[:3]), finding.date) if part)
    head = f"{finding.title} ({about})" if about else finding.title
    text = finding.text if finding.text.strip() != finding.title.strip() else ""
    return _NUMBERS.sub(r"(\1)", f"{head}\n{text}".strip())


def format_sources(findings: Sequence[Finding], numbers: Sequence[int]) -> str:
    """
    Format the list of sources of a text.

    Example:
        >>> format_sources([Finding("Ants"), Finding("Bees", "https://e.org/b", "2020")], [2])
        '[2] Bees, 2020. https://e.org/b'
    """
    lines = []
    for number in sorted(numbers):
        finding = findings[number - 1]
        who = ", ".join(finding.authors[:3]) + (" and others" if len(finding.authors) > 3 else "")
        about = ", ".join(part for part in (who, finding.title, finding.date) if part)
        lines.append(f"[{number}] {' '.join(about.split())}. {finding.url}".strip().rstrip("."))
    return "\n".join(lines)
