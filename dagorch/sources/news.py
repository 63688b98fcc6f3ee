"""News: feeds of newspapers and broadcasters, and GDELT's search over many more; no key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any, ClassVar, Final, Unpack

from dagorch.errors import SourceError, SourceLimitedError, SourceRefusedError
from dagorch.models.finding import Finding, Found
from dagorch.sources.feeds import read_feed
from dagorch.sources.http import Reply, ServiceClient
from dagorch.sources.text import iso_date, keywords, tidy
from dagorch.sources.web import RecordPage, SourceOptions, WebSource

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
"""GDELT refuses shorter words."""


class News(WebSource):
    """
    Searches GDELT's index of the last three months' news, and the newest entries of some feeds.

    A service that fails is named in `.problems` of the findings. If all fail, the search raises
    the first error.

    Args:
        base_url: The address of GDELT's DOC API; None is the public one, "" leaves it out.
        feeds: Addresses of RSS or Atom feeds.
        options: See `SourceOptions`; the delay is that of GDELT and of each feed.

    Source: https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/
    """

    default_name: ClassVar[str] = "news"
    default_url: ClassVar[str] = "https://api.gdeltproject.org/api/v2/doc/doc"
    default_delay_seconds: ClassVar[float] = 5.0
    page_size: ClassVar[int] = _MAX_RECORDS

    def __init__(
        self,
        base_url: str | None = None,
        *,
        feeds: Sequence[str] = FEEDS,
        **options: Unpack[SourceOptions],
    ) -> None:
        super().__init__(base_url or None, **options)
        self._uses_gdelt = base_url != ""
        delay_seconds = options.get("delay_seconds")
        self._feeds = [
            ServiceClient(
                self.name,
                feed,
                delay_seconds=1.0 if delay_seconds is None else delay_seconds,
                contact=self._contact,
                timeout_seconds=options.get("timeout_seconds", 30.0),
            )
            for feed in feeds
        ]

    async def search(self, query: str, limit: int) -> Found:
        """Search GDELT and the feeds; the findings alternate between the two."""
        words = keywords(query)
        if limit < 1 or not words:
            return Found()
        errors: list[SourceError] = []
        from_gdelt = Found()
        if self._uses_gdelt:
            try:
                from_gdelt = await super().search(query, limit)
            except SourceError as error:
                errors.append(error)
        from_feeds = Found()
        for feed in self._feeds:
            try:
                entries = self._read_feed(await feed.get(accept="application/rss+xml, */*"))
            except SourceError as error:
                errors.append(error)
                continue
            from_feeds += entries
            from_feeds.skipped += entries.skipped
        if errors and len(errors) == len(self._feeds) + self._uses_gdelt:
            raise errors[0]
        pairs = zip_longest(from_gdelt, _best_matches(from_feeds, words))
        by_url = {finding.url: finding for finding in chain(*pairs) if finding is not None}
        return Found(
            list(by_url.values())[:limit],
            skipped=from_gdelt.skipped + from_feeds.skipped,
            problems=[str(error) for error in errors],
        )

    def _read_feed(self, reply: Reply) -> Found:
        try:
            return read_feed(reply.body, self.name)
        except ValueError as error:
            raise reply.malformed(f"something that is not a feed ({error})") from None

    def queries(self, words: list[str]) -> Iterator[str]:
        """Yield a query for all words, then for any of them."""
        long = [word for word in words if len(word) >= _MIN_WORD_LENGTH or not word.isascii()]
        if long:
            yield " ".join(long)
        if len(long) > 1:
            yield f"({' OR '.join(long)})"

    async def fetch_page(self, query: str, page: int, size: int) -> Reply:
        return await self._client.get(
            parameters={
                "query": query,
                "mode": "ArtList",
                "format": "json",
                "maxrecords": size,
                "sort": "HybridRel",
            }
        )

    def parse_page(self, reply: Reply) -> RecordPage:
        """Parse a list of articles; GDELT sends errors as plain text with status 200."""
        start = reply.body.lstrip()[:1]
        if start and start != b"{":
            reason = tidy(reply.body[:300].decode(errors="replace"), 200)
            kind = SourceLimitedError if "limit requests" in reason else SourceRefusedError
            raise kind(f"{self.name}: GDELT says: {reason}", source=self.name, status=200)
        data = reply.json() if start else {}
        articles = data.get("articles", [])
        if not isinstance(articles, list):
            raise reply.malformed("JSON without a list of articles")
        return RecordPage(articles)  # GDELT has no pages

    def to_finding(self, record: dict[str, Any]) -> Finding:
        origin = [record.get("domain"), record.get("sourcecountry"), record.get("language")]
        return Finding(
            tidy(record["title"], 500),
            record["url"],
            iso_date(record.get("seendate") or ""),
            (),
            tidy(f"{record['title']} ({', '.join(filter(None, origin))})"),
            self.name,
        )


def _best_matches(findings: Sequence[Finding], words: list[str]) -> list[Finding]:
    """Return the findings that contain any of the words, the best first; titles count twice."""

    def score(finding: Finding) -> int:
        title, text = (
            set(re.findall(r"\w+", part.casefold())) for part in (finding.title, finding.text)
        )
        return sum(2 * (word in title) + (word in text) for word in words)

    scored = [(score(finding), finding) for finding in findings]
    scored.sort(key=lambda pair: pair[0], reverse=True)
    return [finding for matches, finding in scored if matches]
