"""News: the feeds of newspapers and broadcasters, and GDELT's search over many more; no key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any, ClassVar, Final

from dagorch.errors import SourceError, SourceLimitedError, SourceRefusedError
from dagorch.models.finding import Finding, Found
from dagorch.sources.feeds import read_feed
from dagorch.sources.http import Reply, Web
from dagorch.sources.text import iso_date, keywords, tidy
from dagorch.sources.web import Records, WebSource

__all__ = ["FEEDS", "News"]

FEEDS: Final = (
    "https://feeds.bbci.co.uk/news/rss.xml",
    "https://www.theguardian.com/world/rss",
    "https://rss.dw.com/rdf/rss-en-all",
    "https://www.aljazeera.com/xml/rss/all.xml",
    "https://feeds.npr.org/1001/rss.xml",
)
_MAX_RECORDS: Final = 250
_MIN_WORD_LENGTH: Final = 3
"""GDELT refuses shorter ones."""


class News(WebSource):
    """
    Searches GDELT's index of the last three months' news, and the newest entries of some feeds.

    One that does not answer is named in `.problems` of what the others gave; an error only if
    none answers.

    Args:
        base_url: Of GDELT's DOC API; None is the public one, empty does without.
        feeds: Addresses of RSS or Atom feeds.
        contact: As of every source.
        delay_seconds: Between two requests to GDELT, which asks for five.
        timeout_seconds: As of every source.
        name: As of every source.

    Source: https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/
    """

    usual_name: ClassVar[str] = "news"
    usual_url: ClassVar[str] = "https://api.gdeltproject.org/api/v2/doc/doc"
    usual_delay_seconds: ClassVar[float] = 5.0
    page_size: ClassVar[int] = _MAX_RECORDS

    def __init__(
        self,
        base_url: str | None = None,
        *,
        feeds: Sequence[str] = FEEDS,
        contact: str = "",
        delay_seconds: float | None = None,
        timeout_seconds: float = 30.0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            base_url or None,
            contact=contact,
            delay_seconds=delay_seconds,
            timeout_seconds=timeout_seconds,
            name=name,
        )
        self._searches = base_url != ""
        self._feeds = [
            Web(
                self.name, feed, delay_seconds=1.0 if delay_seconds is None else delay_seconds,
                contact=contact, timeout_seconds=timeout_seconds,
            )
            for feed in feeds
        ]  # fmt: skip

    async def search(self, query: str, limit: int) -> Found:
        """Find what is nearest to a question, GDELT's answers and the feeds' in turn."""
        words = keywords(query)
        if limit < 1 or not words:
            return Found()
        failures: list[SourceError] = []
        searched = Found()
        if self._searches:
            try:
                searched = await super().search(query, limit)
            except SourceError as error:
                failures.append(error)
        fed = Found()
        for feed in self._feeds:
            try:
                read = self._read_feed(await feed.get(accept="application/rss+xml, */*"))
            except SourceError as error:
                failures.append(error)
                continue
            fed += read
            fed.skipped += read.skipped
        if failures and len(failures) == len(self._feeds) + self._searches:
            raise failures[0]
        pairs = zip_longest(searched, _nearest(fed, words))
        mixed = {finding.url: finding for finding in chain(*pairs) if finding is not None}
        return Found(
            list(mixed.values())[:limit],
            skipped=searched.skipped + fed.skipped,
            problems=[str(error) for error in failures],
        )

    def _read_feed(self, reply: Reply) -> Found:
        try:
            return read_feed(reply.body, self.name)
        except ValueError as error:
            raise reply.malformed(f"no feed ({error})") from None

    def phrasings(self, words: list[str]) -> Iterator[str]:
        """All of the words, else any."""
        long = [word for word in words if len(word) >= _MIN_WORD_LENGTH or not word.isascii()]
        if long:
            yield " ".join(long)
        if len(long) > 1:
            yield f"({' OR '.join(long)})"

    async def ask(self, query: str, page: int, size: int) -> Reply:
        return await self._web.get(
            parameters={
                "query": query,
                "mode": "ArtList",
                "format": "json",
                "maxrecords": size,
                "sort": "HybridRel",
            }
        )

    def read(self, reply: Reply) -> Records:
        """Read a list of articles; GDELT tells of errors in plain text with status 200."""
        start = reply.body.lstrip()[:1]
        if start and start != b"{":
            said = tidy(reply.body[:300].decode(errors="replace"), 200)
            kind = SourceLimitedError if "limit requests" in said else SourceRefusedError
            raise kind(f"{self.name}: GDELT says: {said}", source=self.name, status=200)
        answer = reply.json() if start else {}
        articles = answer.get("articles", [])
        if not isinstance(articles, list):
            raise reply.malformed("no list of articles")
        return Records(articles)  # it has no pages

    def finding(self, record: dict[str, Any]) -> Finding:
        where = [record.get("domain"), record.get("sourcecountry"), record.get("language")]
        return Finding(
            tidy(record["title"], 500),
            record["url"],
            iso_date(record.get("seendate") or ""),
            (),
            tidy(f"{record['title']} ({', '.join(part for part in where if part)})"),
            self.name,
        )


def _nearest(findings: Sequence[Finding], words: list[str]) -> list[Finding]:
    """Those that have any of the words, the most first; a title counts twice."""

    def count(finding: Finding) -> int:
        title, text = (
            set(re.findall(r"\w+", part.casefold())) for part in (finding.title, finding.text)
        )
        return sum(2 * (word in title) + (word in text) for word in words)

    return sorted((f for f in findings if count(f)), key=count, reverse=True)
