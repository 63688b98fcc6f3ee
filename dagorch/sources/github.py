"""GitHub: public repositories, through its REST search."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, ClassVar, Unpack

from dagorch.models.finding import Finding
from dagorch.sources.http import Reply
from dagorch.sources.text import iso_date, tidy
from dagorch.sources.web import RecordPage, SourceOptions, WebSource, find_list

__all__ = ["GitHub"]

_MAX_QUERY_CHARACTERS = 250
_MAX_OPERATORS = 5


class GitHub(WebSource):
    """
    Searches names, descriptions and topics of repositories.

    GitHub permits ten searches a minute without a token, and thirty with one.

    Args:
        base_url: The address of the API; None is the public one.
        token: A personal access token; None reads `GITHUB_TOKEN`. Shown nowhere.
        options: See `SourceOptions`.

    Source: https://docs.github.com/rest/search/search
    """

    default_name: ClassVar[str] = "github"
    default_url: ClassVar[str] = "https://api.github.com"
    page_size: ClassVar[int] = 100

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        # Another address does not get the token that the environment holds for GitHub.
        if token is None:
            token = os.environ.get("GITHUB_TOKEN", "") if base_url is None else ""
        if options.get("delay_seconds") is None:
            options["delay_seconds"] = 2.0 if token else 6.0
        super().__init__(base_url, token=token.strip(), **options)

    def queries(self, words: list[str]) -> Iterator[str]:
        """Yield a query for all words, then for any of the first ones."""
        yield _join(words, " ")
        yield _join(words[: _MAX_OPERATORS + 1], " OR ")

    async def fetch_page(self, query: str, page: int, size: int) -> Reply:
        return await self._client.get(
            "/search/repositories",
            {"q": query, "per_page": size, "page": page + 1},
            accept="application/vnd.github+json",
            headers={"x-github-api-version": "2022-11-28"},
        )

    def parse_page(self, reply: Reply) -> RecordPage:
        data = reply.json()
        items = find_list(reply, data, "items")
        total = data.get("total_count")
        return RecordPage(items, total=total if isinstance(total, int) else None)

    def to_finding(self, record: dict[str, Any]) -> Finding:
        details = [
            f"language: {record['language']}" if record.get("language") else "",
            f"stars: {record['stargazers_count']}" if record.get("stargazers_count") else "",
            f"topics: {', '.join(record['topics'])}" if record.get("topics") else "",
        ]
        parts = [record.get("description") or "", "; ".join(filter(None, details))]
        owner = record.get("owner") or {}
        return Finding(
            tidy(record["full_name"], 300),
            record["html_url"],
            iso_date(record.get("pushed_at") or record.get("updated_at") or ""),
            [owner["login"]] if owner.get("login") else [],
            tidy("\n".join(filter(None, parts))),
            self.name,
        )


def _join(words: list[str], separator: str) -> str:
    """Join as many of the words as GitHub accepts."""
    while len(separator.join(words)) > _MAX_QUERY_CHARACTERS:
        words = words[:-1]
    return separator.join(words)
