"""arXiv: preprints of physics, mathematics, computer science and more, through its Atom API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar
from xml.etree.ElementTree import Element

from dagorch.errors import SourceRefusedError
from dagorch.models.finding import Finding
from dagorch.sources.http import Reply
from dagorch.sources.text import iso_date, tidy
from dagorch.sources.web import RecordPage, WebSource
from dagorch.sources.xml import child_text, local_name, parse_xml

__all__ = ["Arxiv"]


class Arxiv(WebSource):
    """
    Searches titles and abstracts on arXiv.

    Its terms ask for three seconds between the requests of one user.

    Source: https://info.arxiv.org/help/api/user-manual.html
    """

    default_name: ClassVar[str] = "arxiv"
    default_url: ClassVar[str] = "https://export.arxiv.org/api/query"
    default_delay_seconds: ClassVar[float] = 3.0
    page_size: ClassVar[int] = 100

    def queries(self, words: list[str]) -> Iterator[str]:
        """Yield a query for all words, then for any of them."""
        yield " AND ".join(f"all:{word}" for word in words)
        yield " OR ".join(f"all:{word}" for word in words)

    async def fetch_page(self, query: str, page: int, size: int) -> Reply:
        return await self._client.get(
            parameters={
                "search_query": query,
                "start": page * size,
                "max_results": size,
                "sortBy": "relevance",
                "sortOrder": "descending",
            },
            accept="application/atom+xml",
        )

    def parse_page(self, reply: Reply) -> RecordPage:
        """Parse a feed; arXiv reports an error as a feed with one entry."""
        try:
            feed = parse_xml(reply.body)
        except ValueError as error:
            raise reply.malformed(f"something that is not a feed ({error})") from None
        if local_name(feed) != "feed":
            raise reply.malformed(f"<{local_name(feed)}>, which is not a feed")
        entries = feed.findall("{*}entry")
        if len(entries) == 1 and "/api/errors" in child_text(entries[0], "id"):
            reason = tidy(child_text(entries[0], "summary"), 200)
            raise SourceRefusedError(
                f"{self.name}: the service refuses this search: {reason}; change the words",
                source=self.name,
                status=200,
            )
        total = child_text(feed, "totalResults")
        return RecordPage(entries, total=int(total) if re.fullmatch(r"\d{1,12}", total) else None)

    def to_finding(self, record: Element) -> Finding | None:
        address = child_text(record, "id")
        if not re.match(r"https?://[^/]+/abs/\S+$", address):
            return None
        return Finding(
            tidy(" ".join(child_text(record, "title").split()), 500),
            re.sub(r"^http:", "https:", re.sub(r"v\d+$", "", address)),
            iso_date(child_text(record, "published")),
            [tidy(child_text(author, "name"), 200) for author in record.findall("{*}author")],
            tidy(" ".join(child_text(record, "summary").split())),
            self.name,
        )
