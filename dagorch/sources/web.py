"""What every source on the web does alike: page by page, record by record, odd ones left out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from dagorch.errors import DefinitionError
from dagorch.models.finding import Finding, Found
from dagorch.sources.http import Reply, Web
from dagorch.sources.text import keywords

__all__ = ["Records", "WebSource"]

MAX_PAGES: Final = 10
"""Of one search: a question needs no thousand answers."""


@dataclass(frozen=True, slots=True)
class Records:
    """What one page of an answer holds."""

    items: Sequence[Any]
    more: bool = False
    """Whether there is a page after it."""
    total: int | None = None
    """How many records all pages have; says it as well, where a service tells."""


class WebSource(ABC):
    """
    A source that is one service on the web.

    Args:
        base_url: Where the service is; None is the public one.
        contact: An address for its operators, sent along: several ask for one.
        delay_seconds: Between two requests, whoever makes them; None is what the service asks for.
        timeout_seconds: For one request.
        name: What it is called; None is the usual name.
    """

    usual_name: ClassVar[str]
    usual_url: ClassVar[str]
    usual_delay_seconds: ClassVar[float] = 1.0
    page_size: ClassVar[int] = 50
    """Records that are asked for at once, at most."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        contact: str = "",
        delay_seconds: float | None = None,
        timeout_seconds: float = 30.0,
        name: str | None = None,
        token: str = "",
    ) -> None:
        self._name = self.usual_name if name is None else name
        self._contact = contact
        self._web = Web(
            self._name,
            self.usual_url if base_url is None else base_url,
            delay_seconds=self.usual_delay_seconds if delay_seconds is None else delay_seconds,
            contact=contact,
            token=token,
            timeout_seconds=timeout_seconds,
        )

    @property
    def name(self) -> str:
        """What its findings are said to come from."""
        return self._name

    async def search(self, query: str, limit: int) -> Found:
        """
        Find what is nearest to a question.

        Args:
            query: Plain words.
            limit: At most so many; more than a few pages are never asked for.

        Returns:
            The findings, the service's order kept; `.skipped` counts records that were not as
            documented.

        Raises:
            SourceError: The service did not answer as it should.
        """
        found = Found()
        words = keywords(query)
        if limit < 1 or not words:
            return found
        for asked in dict.fromkeys(self.phrasings(words)):
            await self._collect(asked, limit, found)
            if found:
                break
        return found

    async def _collect(self, query: str, limit: int, found: Found) -> None:
        size = min(limit, self.page_size)
        seen = 0
        for page in range(MAX_PAGES):
            records = self.read(await self.ask(query, page, size))
            seen += len(records.items)
            for record in records.items:
                if len(found) == limit:
                    return
                finding = self._finding(record)
                if finding is None:
                    found.skipped += 1
                else:
                    found.append(finding)
            more = records.more or (records.total is not None and records.total > seen)
            if not more or not records.items:
                return

    def _finding(self, record: Any) -> Finding | None:
        try:
            return self.finding(record)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return None  # not as documented
        except DefinitionError:
            return None  # without a title, say

    def phrasings(self, words: list[str]) -> Iterator[str]:
        """Give the search in the service's own language, and what to try if nothing is found."""
        yield " ".join(words)

    @abstractmethod
    async def ask(self, query: str, page: int, size: int) -> Reply:
        """Ask for a page, the first is 0."""

    @abstractmethod
    def read(self, reply: Reply) -> Records:
        """
        Read a page.

        Raises:
            SourceError: The answer as a whole is not as documented, or tells of an error.
        """

    @abstractmethod
    def finding(self, record: Any) -> Finding | None:
        """Read a record; None, or an error in reading it, leaves it out."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r} at {self._web.base_url}>"
