"""What a search gives: one typed record, whatever it was found in. Nothing here searches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import ConfigDict, field_validator

from dagorch.models.strict import StrictModel

__all__ = ["Finding", "Found"]


class Finding(StrictModel):
    """
    One thing that a source found.

    Example:
        >>> Finding("Waggle dance", "https://example.org/bees", date="1973", source="library").date
        '1973'
    """

    model_config = ConfigDict(frozen=True)

    title: str
    """Never blank."""
    url: str = ""
    """Where a person can read it; a file's path for a file."""
    date: str = ""
    """ISO 8601, as exact as the source tells it: `2024-03-01`, `2024-03` or `2024`."""
    authors: tuple[str, ...] = ()
    text: str = ""
    """Plain text: an abstract, an extract, the passages that match."""
    source: str = ""
    """The name of the source."""

    if TYPE_CHECKING:  # they know fields by name only

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
    def _says_something(cls, title: str) -> str:
        if not title.strip():
            raise ValueError("a finding needs a title")
        return title


class Found(list[Finding]):
    """
    A list of findings that also tells what was left out on the way. Equal to the plain list.

    Args:
        findings: The best first.
        skipped: Records that were left out because something in them was not as it must be.
        problems: What did not answer, where the rest of a source did.

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
