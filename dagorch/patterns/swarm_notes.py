"""What a Dream Swarm's agents have before them, write and come to: records, and folds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from dagorch.errors import RunError
from dagorch.models.finding import Finding
from dagorch.patterns.citations import cite, listed, numbered
from dagorch.patterns.findings import distinct
from dagorch.patterns.partition import fitted

__all__ = [
    "Answer", "Notes", "NothingFoundError", "Reading", "Report", "Searched", "answer_text",
    "answered", "found_any", "notes", "reading", "report",
]  # fmt: skip

_BYTES_EACH: Final = 1_200
"""Room that a finding wants to be worth reading; where there is less, fewer are read."""


class NothingFoundError(RunError):
    """There is nothing to make an answer of, and none is made up."""

    retryable = False


@dataclass(frozen=True, slots=True)
class Searched:
    """What one domain's search gave."""

    domain: str
    findings: tuple[Finding, ...]
    skipped: int = 0
    """Records that were not as documented."""
    problems: tuple[str, ...] = ()
    """What did not answer, where the rest did."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an agent has before it: its findings, numbered from 1."""

    findings: tuple[Finding, ...]

    def shown(self, most_bytes: int) -> str:
        """Write it for a model."""
        return numbered(self.findings, most_bytes)


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent made of what it read; no text if there was nothing to read."""

    findings: tuple[Finding, ...]
    text: str = ""
    numbers: tuple[int, ...] = ()
    """What the text cites, of `findings`, from 1."""
    dropped: tuple[str, ...] = ()

    @property
    def cited(self) -> tuple[Finding, ...]:
        """What it cites."""
        return tuple(self.findings[number - 1] for number in self.numbers)


@dataclass(frozen=True, slots=True)
class Notes:
    """What all agents wrote, their citations numbered through, and each thing found only once."""

    findings: tuple[Finding, ...]
    texts: tuple[str, ...]
    duplicates: int
    """Findings that were one and the same thing as another."""

    def shown(self, most_bytes: int) -> str:
        """Write it for a model."""
        return "\n\n".join(f"- {text}" for text in fitted(self.texts, most_bytes))


@dataclass(frozen=True, slots=True)
class Answer:
    """The synthesis, with the list of what it cites."""

    text: str
    findings: tuple[Finding, ...]
    """What it cites, else what was read for it."""
    numbers: tuple[int, ...]
    """Theirs in the text."""
    cites: bool
    dropped: tuple[str, ...]


def reading(
    searches: list[Searched], parts: Mapping[str, Sequence[int]], read_bytes: int
) -> Reading:
    """
    Fold searches into what an agent reads of them, in turn, so that little room has the best.

    Args:
        searches: Of its domains.
        parts: Of each domain, which part of it is the agent's, of how many.
        read_bytes: How much its model can read.
    """
    own = [
        searched.findings[parts[searched.domain][0] :: parts[searched.domain][1]]
        for searched in searches
    ]
    mixed = (finding for row in zip_longest(*own) for finding in row if finding is not None)
    return Reading(distinct(mixed).findings[: max(1, read_bytes // _BYTES_EACH)])


def found_any(found: Reading) -> str:
    """Pick the label of the branch to an agent: whether it has anything to read."""
    return "yes" if found.findings else "no"


def report(both: list[Any]) -> Report:
    """Fold what was read, and what was written of it: nothing where nothing was found."""
    found: Reading = both[0]
    if len(both) == 1:
        return Report(found.findings)
    cited = cite(both[1], found.findings)
    return Report(found.findings, cited.text, cited.numbers, cited.dropped)


def notes(reports: list[Report]) -> Notes:
    """
    Fold what the agents wrote: each thing found is there once, and numbers are everybody's.

    Raises:
        NothingFoundError: Nobody wrote anything.
    """
    told = [report for report in reports if report.text]
    if not told:
        nothing = not any(report.findings for report in reports)
        raise NothingFoundError(
            "nothing was found; try other words or other domains"
            if nothing
            else "the agents wrote nothing about what was found; try another model"
        )
    found = [finding for report in told for finding in report.findings]
    once, texts, first = distinct(found), [], 0
    for report in told:
        places = once.places[first : first + len(report.findings)]
        first += len(report.findings)
        texts.append(_renumbered(report, places))
    return Notes(once.findings, tuple(texts), len(found) - len(once.findings))


def _renumbered(report: Report, places: Sequence[int]) -> str:
    """The text with the numbers that its citations have among everybody's."""
    return cite(report.text, report.findings, lambda number: places[number - 1] + 1).text


def answered(notes: Notes, synthesis: str) -> Answer:
    """
    Give the answer of a synthesis: its citations looked up, and listed at the end.

    Where it cites nothing, what was read for it is listed, and it says so.
    """
    cited = cite(synthesis, notes.findings)
    if cited.numbers:
        head, numbers = "Sources:", cited.numbers
    else:
        head = "Read for this answer, which cites nothing:"
        numbers = tuple(range(1, len(notes.findings) + 1))
    findings = tuple(notes.findings[number - 1] for number in sorted(numbers))
    text = f"{cited.text}\n\n{head}\n\n{listed(notes.findings, numbers)}"
    return Answer(text, findings, tuple(sorted(numbers)), bool(cited.numbers), cited.dropped)


def answer_text(both: list[Any]) -> str:
    """Fold notes and a synthesis into the text of the answer."""
    return answered(*both).text
