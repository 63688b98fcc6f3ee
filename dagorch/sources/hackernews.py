"""Hacker News: its stories, by Algolia's search of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from dagorch.models.finding import Finding
from dagorch.sources.http import Reply
from dagorch.sources.text import iso_date, plain_text, tidy
from dagorch.sources.web import Records, WebSource

__all__ = ["HackerNews"]

_DISCUSSION = "https://news.ycombinator.com/item?id="


class HackerNews(WebSource):
    """
    Searches the stories of Hacker News; one without a link of its own leads to its discussion.

    Source: https://hn.algolia.com/api
    """

    usual_name: ClassVar[str] = "hackernews"
    usual_url: ClassVar[str] = "https://hn.algolia.com/api/v1"
    usual_delay_seconds: ClassVar[float] = 0.5

    def phrasings(self, words: list[str]) -> Iterator[str]:
        """All of the words, else the three longest: a story has little but a title."""
        yield " ".join(words)
        longest = sorted(words, key=len, reverse=True)[:3]
        yield " ".join(word for word in words if word in longest)

    async def ask(self, query: str, page: int, size: int) -> Reply:
        return await self._web.get(
            "/search", {"query": query, "tags": "story", "hitsPerPage": size, "page": page}
        )

    def read(self, reply: Reply) -> Records:
        answer = reply.json()
        hits = answer.get("hits") if isinstance(answer, dict) else None
        if not isinstance(hits, list):
            raise reply.malformed("no list of hits")
        page, pages = answer.get("page"), answer.get("nbPages")
        more = isinstance(page, int) and isinstance(pages, int) and page + 1 < pages
        return Records(hits, more)

    def finding(self, record: dict[str, Any]) -> Finding:
        discussion = f"{_DISCUSSION}{int(record['objectID'])}"
        points, comments = record.get("points") or 0, record.get("num_comments") or 0
        facts = f"{int(points)} points and {int(comments)} comments on Hacker News: {discussion}"
        text = plain_text(record.get("story_text") or "")
        author = record.get("author")
        return Finding(
            tidy(record["title"], 300),
            record.get("url") or discussion,
            iso_date(record.get("created_at") or ""),
            [author] if author else [],
            f"{text}\n{facts}".strip(),
            self.name,
        )
