"""arXiv: preprints of physics, mathematics, computer science and more, by its Atom API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar
from xml.etree.ElementTree import Element

from dagorch.errors import SourceRefusedError
from dagorch.models.finding import Finding
from dagorch.sources.http import Reply
from dagorch.sources.text import iso_date, tidy
from dagorch.sources.web import Records, WebSource
from dagorch.sources.xml import child_text, children, local_name, parse_xml

__all__ = ["Arxiv"]


class Arxiv(WebSource):
    """
    Searches arXiv's titles and abstracts.

    Its terms ask for three seconds between requests, over all that somebody runs.

    Source: https://info.arxiv.org/help/api/user-manual.html
    """

    usual_name: ClassVar[str] = "arxiv"
    usual_url: ClassVar[str] = "https://export.arxiv.org/api/query"
    usual_delay_seconds: ClassVar[float] = 3.0
    page_size: ClassVar[int] = 100

    def phrasings(self, words: list[str]) -> Iterator[str]:
        """All of the words, else any."""
        yield " AND ".join(f"all:{word}" for word in words)
        yield " OR ".join(f"all:{word}" for word in words)

    async def ask(self, query: str, page: int, size: int) -> Reply:
        return await self._web.get(
            parameters={
                "search_query": query,
                "start": page * size,
                "max_results": size,
                "sortBy": "relevance",
                "sortOrder": "descending",
            },
            accept="application/atom+xml",
        )

    def read(self, reply: Reply) -> Records:
        """Read a feed; an error comes as a feed, too, with one entry that says so."""
        try:
            feed = parse_xml(reply.body)
        except ValueError as error:
            raise reply.malformed(f"no feed ({error})") from None
        if local_name(feed) != "feed":
            raise reply.malformed(f"no feed but <{local_name(feed)}>")
        entries = list(children(feed, "entry"))
        if len(entries) == 1 and "/api/errors" in child_text(entries[0], "id"):
            said = tidy(child_text(entries[0], "summary"), 200)
            raise SourceRefusedError(
                f"{self.name}: does not take this search: {said}; change the words",
                source=self.name,
                status=200,
            )
        total = child_text(feed, "totalResults")
        return Records(entries, total=int(total) if re.fullmatch(r"\d{1,12}", total) else None)

    def finding(self, record: Element) -> Finding | None:
        address = child_text(record, "id")
        if not re.match(r"https?://[^/]+/abs/\S+$", address):
            return None
        return Finding(
            tidy(" ".join(child_text(record, "title").split()), 500),
            re.sub(r"^http:", "https:", re.sub(r"v\d+$", "", address)),
            iso_date(child_text(record, "published")),
            [tidy(child_text(author, "name"), 200) for author in children(record, "author")],
            tidy(" ".join(child_text(record, "summary").split())),
            self.name,
        )
