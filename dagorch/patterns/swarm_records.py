"""The records that flow through a Dream Swarm, and the reducers that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from dagorch.errors import RunError
from dagorch.models.finding import Finding
from dagorch.patterns.citations import cite, format_findings, format_sources
from dagorch.patterns.findings import deduplicate
from dagorch.patterns.partition import fit_texts

__all__ = [
    "Answer", "Notes", "NothingFoundError", "ReadingList", "Report", "SearchResult",
    "answer_text", "has_findings", "make_answer", "make_report", "merge_reports",
    "select_findings",
]  # fmt: skip

_MIN_FINDING_BYTES: Final = 1_200
"""A finding cut shorter is not worth reading; an agent reads fewer instead."""


class NothingFoundError(RunError):
    """Raised when there is nothing to base an answer on."""

    retryable = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of searching one domain."""

    domain: str
    findings: tuple[Finding, ...]
    skipped: int = 0
    """The number of malformed records that were left out."""
    problems: tuple[str, ...] = ()
    """One message for each part of the source that failed."""


@dataclass(frozen=True, slots=True)
class ReadingList:
    """The findings that an agent reads, numbered from 1."""

    findings: tuple[Finding, ...]

    def render(self, max_bytes: int) -> str:
        """Format the findings for a model."""
        return format_findings(self.findings, max_bytes)


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent wrote about its findings; without text if there were none."""

    findings: tuple[Finding, ...]
    text: str = ""
    numbers: tuple[int, ...] = ()
    """The numbers of the cited `findings`, from 1."""
    dropped: tuple[str, ...] = ()
    """Citations that were removed, because they match no finding."""

    @property
    def cited(self) -> tuple[Finding, ...]:
        """The cited findings."""
        return tuple(self.findings[number - 1] for number in self.numbers)


@dataclass(frozen=True, slots=True)
class Notes:
    """The texts of all reports, with citations renumbered and findings deduplicated."""

    findings: tuple[Finding, ...]
    texts: tuple[str, ...]
    duplicates: int
    """The number of findings that were removed as duplicates."""

    def render(self, max_bytes: int) -> str:
        """Format the texts for a model."""
        return "\n\n".join(f"- {text}" for text in fit_texts(self.texts, max_bytes))


@dataclass(frozen=True, slots=True)
class Answer:
    """The text of the synthesis, with its list of sources."""

    text: str
    findings: tuple[Finding, ...]
    """The cited findings; all that were read if `cites` is False."""
    numbers: tuple[int, ...]
    """Their numbers in the text."""
    cites: bool
    dropped: tuple[str, ...]
    """Citations that were removed, because they match no finding."""


def select_findings(
    results: list[SearchResult], parts: Mapping[str, Sequence[int]], read_bytes: int
) -> ReadingList:
    """
    Select an agent's findings, alternating between its domains, the best first.

    Args:
        results: The search results of its domains.
        parts: For each domain, the index of the agent's part and the number of parts.
        read_bytes: How much its model reads.
    """
    own = [
        result.findings[parts[result.domain][0] :: parts[result.domain][1]] for result in results
    ]
    mixed = (finding for row in zip_longest(*own) for finding in row if finding is not None)
    return ReadingList(deduplicate(mixed).findings[: max(1, read_bytes // _MIN_FINDING_BYTES)])


def has_findings(found: ReadingList) -> str:
    """Return the branch label of an agent: `yes` if it has anything to read, else `no`."""
    return "yes" if found.findings else "no"


def make_report(found_and_reply: list[Any]) -> Report:
    """Make the report of an agent; an agent without findings wrote no reply."""
    found: ReadingList = found_and_reply[0]
    if len(found_and_reply) == 1:
        return Report(found.findings)
    cited = cite(found_and_reply[1], found.findings)
    return Report(found.findings, cited.text, cited.numbers, cited.dropped)


def merge_reports(reports: list[Report]) -> Notes:
    """
    Merge reports: deduplicate their findings and renumber their citations.

    Raises:
        NothingFoundError: No report has a text.
    """
    written = [report for report in reports if report.text]
    if not written:
        found_anything = any(report.findings for report in reports)
        raise NothingFoundError(
            "the agents wrote nothing about what was found; try another model"
            if found_anything
            else "nothing was found; try other words or other domains"
        )
    found = [finding for report in written for finding in report.findings]
    unique, texts, first = deduplicate(found), [], 0
    for report in written:
        positions = unique.positions[first : first + len(report.findings)]
        first += len(report.findings)
        texts.append(_renumbered(report, positions))
    return Notes(unique.findings, tuple(texts), len(found) - len(unique.findings))


def _renumbered(report: Report, positions: Sequence[int]) -> str:
    return cite(report.text, report.findings, lambda number: positions[number - 1] + 1).text


def make_answer(notes: Notes, synthesis: str) -> Answer:
    """
    Make the answer of a synthesis: resolve its citations and list them at the end.

    If it cites nothing, the answer says so and lists all findings.
    """
    cited = cite(synthesis, notes.findings)
    if cited.numbers:
        head, numbers = "Sources:", cited.numbers
    else:
        head = "Read for this answer, which cites nothing:"
        numbers = tuple(range(1, len(notes.findings) + 1))
    numbers = tuple(sorted(numbers))
    return Answer(
        f"{cited.text}\n\n{head}\n\n{format_sources(notes.findings, numbers)}",
        tuple(notes.findings[number - 1] for number in numbers),
        numbers,
        bool(cited.numbers),
        cited.dropped,
    )


def answer_text(notes_and_synthesis: list[Any]) -> str:
    """Return the text of the answer of a synthesis."""
    return make_answer(*notes_and_synthesis).text
