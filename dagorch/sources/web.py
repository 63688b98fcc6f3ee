"""The base class of sources on the web: queries, paging, and records turned into findings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypedDict, Unpack

from dagorch.errors import DefinitionError
from dagorch.models.finding import Finding, Found
from dagorch.sources.http import Reply, ServiceClient
from dagorch.sources.text import keywords

__all__ = ["RecordPage", "SourceOptions", "WebSource", "find_list"]

MAX_PAGES: Final = 10
"""Pages of one search."""


class SourceOptions(TypedDict, total=False):
    """The options of every source on the web."""

    contact: str
    """An address for the service's operators, sent in the user agent."""
    delay_seconds: float | None
    """The time between two requests of all users of the source; None is what the service asks."""
    timeout_seconds: float
    """The limit for one request; 30 by default."""
    name: str | None
    """The name in findings and errors; None is the default name."""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """The records of one page of search results."""

    records: Sequence[Any]
    has_next: bool = False
    total: int | None = None
    """Records of all pages, if the service reports them; implies a next page."""


class WebSource(ABC):
    """
    A source that is one service on the web.

    Args:
        base_url: The address of the service; None is the public one.
        token: A bearer token.
        options: See `SourceOptions`.
    """

    default_name: ClassVar[str]
    default_url: ClassVar[str]
    default_delay_seconds: ClassVar[float] = 1.0
    page_size: ClassVar[int] = 50
    """The largest page that the service returns."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str = "",
        **options: Unpack[SourceOptions],
    ) -> None:
        if unknown := options.keys() - SourceOptions.__annotations__.keys():
            raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
        name, delay_seconds = options.get("name"), options.get("delay_seconds")
        self._name = self.default_name if name is None else name
        self._contact = options.get("contact", "")
        self._client = ServiceClient(
            self._name,
            self.default_url if base_url is None else base_url,
            delay_seconds=self.default_delay_seconds if delay_seconds is None else delay_seconds,
            contact=self._contact,
            token=token,
            timeout_seconds=options.get("timeout_seconds", 30.0),
        )

    @property
    def name(self) -> str:
        """The name in findings and errors."""
        return self._name

    async def search(self, query: str, limit: int) -> Found:
        """
        Search for a question.

        Args:
            query: Plain words.
            limit: The largest number of findings; the search also ends after `MAX_PAGES`.

        Returns:
            The findings in the service's order; `.skipped` counts the records that did not have
            the documented form.

        Raises:
            SourceError: The service could not be reached, refused, or sent something else.
        """
        found = Found()
        words = keywords(query)
        if limit < 1 or not words:
            return found
        for attempt in dict.fromkeys(self.queries(words)):
            await self._collect(attempt, limit, found)
            if found:
                break
        return found

    async def _collect(self, query: str, limit: int, found: Found) -> None:
        size = min(limit, self.page_size)
        seen = 0
        for number in range(MAX_PAGES):
            page = self.parse_page(await self.fetch_page(query, number, size))
            seen += len(page.records)
            for record in page.records:
                if len(found) == limit:
                    return
                finding = self._finding_or_none(record)
                if finding is None:
                    found.skipped += 1
                else:
                    found.append(finding)
            has_next = page.has_next or (page.total is not None and page.total > seen)
            if not has_next or not page.records:
                return

    def _finding_or_none(self, record: Any) -> Finding | None:
        try:
            return self.to_finding(record)
        except (
            ArithmeticError,
            AttributeError,
            DefinitionError,
            LookupError,
            TypeError,
            ValueError,
        ):
            return None  # not as documented, or a blank title

    def queries(self, words: list[str]) -> Iterator[str]:
        """Yield the query in the service's syntax, then wider ones to try if nothing is found."""
        yield " ".join(words)

    @abstractmethod
    async def fetch_page(self, query: str, page: int, size: int) -> Reply:
        """Request a page; the first is 0."""

    @abstractmethod
    def parse_page(self, reply: Reply) -> RecordPage:
        """
        Parse a page.

        Raises:
            SourceError: The reply does not have the documented form, or reports an error.
        """

    @abstractmethod
    def to_finding(self, record: Any) -> Finding | None:
        """Convert a record; None or an exception skips it."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r} at {self._client.base_url}>"


def find_list(reply: Reply, data: Any, name: str) -> list[Any]:
    """
    Return the list of that name in a JSON object.

    Raises:
        SourceReplyError: There is no object, or no list in it.
    """
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise reply.malformed(f"JSON without a list of {name}")
    return found
