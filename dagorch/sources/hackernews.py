"""Hacker News: its stories, through Algolia's search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from dagorch.models.finding import Finding
from dagorch.sources.html import plain_text
from dagorch.sources.http import Reply
from dagorch.sources.text import iso_date, tidy
from dagorch.sources.web import RecordPage, WebSource, find_list

__all__ = ["HackerNews"]

_DISCUSSION = "https://news.ycombinator.com/item?id="


class HackerNews(WebSource):
    """
    Searches the stories of Hacker News; a story without a link has the address of its discussion.

    Source: https://hn.algolia.com/api
    """

    default_name: ClassVar[str] = "hackernews"
    default_url: ClassVar[str] = "https://hn.algolia.com/api/v1"
    default_delay_seconds: ClassVar[float] = 0.5

    def queries(self, words: list[str]) -> Iterator[str]:
        """Yield all words, then the three longest: most stories have only a title to search."""
        yield " ".join(words)
        longest = sorted(words, key=len, reverse=True)[:3]
        yield " ".join(word for word in words if word in longest)

    async def fetch_page(self, query: str, page: int, size: int) -> Reply:
        return await self._client.get(
            "/search", {"query": query, "tags": "story", "hitsPerPage": size, "page": page}
        )

    def parse_page(self, reply: Reply) -> RecordPage:
        data = reply.json()
        hits = find_list(reply, data, "hits")
        page, pages = data.get("page"), data.get("nbPages")
        has_next = isinstance(page, int) and isinstance(pages, int) and page + 1 < pages
        return RecordPage(hits, has_next)

    def to_finding(self, record: dict[str, Any]) -> Finding:
        discussion = f"{_DISCUSSION}{int(record['objectID'])}"
        points, comments = int(record.get("points") or 0), int(record.get("num_comments") or 0)
        text = plain_text(record.get("story_text") or "")
        author = record.get("author")
        return Finding(
            tidy(record["title"], 300),
            record.get("url") or discussion,
            iso_date(record.get("created_at") or ""),
            [author] if author else [],
            f"{text}\n{points} points and {comments} comments on Hacker News: {discussion}".strip(),
            self.name,
        )
