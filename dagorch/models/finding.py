"""Search results: one record type for every source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import ConfigDict, field_validator

from dagorch.models.strict import StrictModel

__all__ = ["Finding", "Found"]


class Finding(StrictModel):
    """
    One result of a search.

    Example:
        >>> Finding("Waggle dance", "https://example.org/bees", date="1973", source="library").date
        '1973'
    """

    model_config = ConfigDict(frozen=True)

    title: str
    """Never blank."""
    url: str = ""
    """A link for people; the path of a file."""
    date: str = ""
    """ISO 8601, as precise as the source reports it: `2024-03-01`, `2024-03` or `2024`."""
    authors: tuple[str, ...] = ()
    text: str = ""
    """Plain text: an abstract, an extract, or the matching passages."""
    source: str = ""
    """The name of the source."""

    if TYPE_CHECKING:  # type checkers only know fields by name

        def __init__(
            self,
            title: str,
            url: str = ...,
            date: str = ...,
            authors: Iterable[str] = ...,
            text: str = ...,
            source: str = ...,
        ) -> None: ...

    @field_validator("title")
    @classmethod
    def _is_not_blank(cls, title: str) -> str:
        if not title.strip():
            raise ValueError("a finding needs a title")
        return title


class Found(list[Finding]):
    """
    A list of findings that also reports what is missing from it. Equal to the plain list.

    Args:
        findings: The best match first.
        skipped: The number of records that were left out because they were malformed.
        problems: One message for each part of the source that failed.

    Example:
        >>> found = Found([Finding("Bees")], skipped=2)
        >>> found == [Finding("Bees")], found.skipped
        (True, 2)
    """

    def __init__(
        self, findings: Iterable[Finding] = (), *, skipped: int = 0, problems: Iterable[str] = ()
    ) -> None:
        super().__init__(findings)
        self.skipped = skipped
        self.problems = list(problems)
