"""Wikipedia: the introductions of its articles, through MediaWiki's Action API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Unpack

from dagorch.errors import DefinitionError, SourceRefusedError
from dagorch.models.finding import Finding
from dagorch.sources.http import Reply
from dagorch.sources.text import iso_date, tidy
from dagorch.sources.web import RecordPage, SourceOptions, WebSource

__all__ = ["Wikipedia"]


class Wikipedia(WebSource):
    """
    Searches the Wikipedia of one language, or any MediaWiki that has text extracts.

    Args:
        base_url: The address of an `api.php`; None is that of the language.
        language: The language code in Wikipedia's address, such as `de`.
        options: See `SourceOptions`; Wikipedia asks for a `contact`.

    Source: https://www.mediawiki.org/wiki/API:Search
    """

    default_name: ClassVar[str] = "wikipedia"
    default_url: ClassVar[str] = "https://en.wikipedia.org/w/api.php"
    page_size: ClassVar[int] = 20  # the API returns no more extracts at once

    def __init__(
        self,
        base_url: str | None = None,
        *,
        language: str = "en",
        **options: Unpack[SourceOptions],
    ) -> None:
        if not re.fullmatch(r"[a-z]{2,}(-[a-z]+)*", language):
            raise DefinitionError(
                f"language={language!r} is not a language code; use one such as 'de'"
            )
        public_url = self.default_url.replace("en.", f"{language}.", 1)
        super().__init__(base_url or public_url, **options)

    def queries(self, words: list[str]) -> Iterator[str]:
        """Yield a query for all words, then for any of them."""
        yield " ".join(words)
        yield " OR ".join(words)

    async def fetch_page(self, query: str, page: int, size: int) -> Reply:
        return await self._client.get(
            parameters={
                "action": "query",
                "format": "json",
                "formatversion": 2,
                "generator": "search",
                "gsrsearch": query,
                "gsrlimit": size,
                "gsroffset": page * size,
                "prop": "extracts|info",
                "exintro": 1,
                "explaintext": 1,
                "exlimit": "max",
                "inprop": "url",
                "maxlag": 5,
            }
        )

    def parse_page(self, reply: Reply) -> RecordPage:
        """Parse the articles, in the order of the search; MediaWiki sends errors as status 200."""
        data = reply.json()
        if not isinstance(data, dict):
            raise reply.malformed("JSON that is not an object")
        if isinstance(error := data.get("error"), dict):
            reason = tidy(str(error.get("info") or error.get("code") or "no reason"), 200)
            refusal = SourceRefusedError(
                f"{self.name}: the service refuses this search: {reason}",
                source=self.name,
                status=200,
            )
            refusal.retryable = error.get("code") in ("maxlag", "ratelimited", "readonly")
            raise refusal
        articles = (data.get("query") or {}).get("pages", [])
        if not isinstance(articles, list):
            raise reply.malformed("JSON without a list of pages")
        articles.sort(key=_search_rank)
        return RecordPage(articles, has_next="gsroffset" in data.get("continue", ()))

    def to_finding(self, record: dict[str, Any]) -> Finding | None:
        if record.get("missing") or not record.get("extract"):
            return None
        return Finding(
            tidy(record["title"], 300),
            record["fullurl"],
            iso_date(record.get("touched") or ""),
            (),
            tidy(record["extract"]),
            self.name,
        )


def _search_rank(article: Any) -> float:
    """Return the rank of an article in the search; the API sorts them by id."""
    rank = article.get("index") if isinstance(article, dict) else None
    return rank if isinstance(rank, int) else float("inf")
