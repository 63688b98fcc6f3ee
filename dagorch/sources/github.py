"""GitHub: public repositories, by its REST search."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, ClassVar

from dagorch.models.finding import Finding
from dagorch.sources.http import Reply
from dagorch.sources.text import iso_date, tidy
from dagorch.sources.web import Records, WebSource

__all__ = ["GitHub"]

_MAX_QUERY_CHARACTERS = 250
_MAX_OPERATORS = 5


class GitHub(WebSource):
    """
    Searches the names, descriptions and topics of repositories.

    Without a token GitHub permits ten searches a minute, with one thirty.

    Args:
        base_url: Of the API; None is the public one.
        token: A personal access token; None takes that of `GITHUB_TOKEN`, if it is set. Shown
            nowhere.
        contact: As of every source.
        delay_seconds: As of every source.
        timeout_seconds: As of every source.
        name: As of every source.

    Source: https://docs.github.com/rest/search/search
    """

    usual_name: ClassVar[str] = "github"
    usual_url: ClassVar[str] = "https://api.github.com"
    page_size: ClassVar[int] = 100

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        contact: str = "",
        delay_seconds: float | None = None,
        timeout_seconds: float = 30.0,
        name: str | None = None,
    ) -> None:
        # Somebody else's address is not sent what is in the environment for GitHub.
        if token is None:
            token = os.environ.get("GITHUB_TOKEN", "") if base_url is None else ""
        if delay_seconds is None:
            delay_seconds = 2.0 if token else 6.0
        super().__init__(
            base_url,
            contact=contact,
            delay_seconds=delay_seconds,
            timeout_seconds=timeout_seconds,
            name=name,
            token=token.strip(),
        )

    def phrasings(self, words: list[str]) -> Iterator[str]:
        """All of the words, else any of the first."""
        yield _short(words, " ")
        yield _short(words[: _MAX_OPERATORS + 1], " OR ")

    async def ask(self, query: str, page: int, size: int) -> Reply:
        return await self._web.get(
            "/search/repositories",
            {"q": query, "per_page": size, "page": page + 1},
            accept="application/vnd.github+json",
            headers={"x-github-api-version": "2022-11-28"},
        )

    def read(self, reply: Reply) -> Records:
        answer = reply.json()
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise reply.malformed("no list of items")
        total = answer.get("total_count")
        return Records(items, total=total if isinstance(total, int) else None)

    def finding(self, record: dict[str, Any]) -> Finding:
        facts = [
            f"language: {record['language']}" if record.get("language") else "",
            f"stars: {record['stargazers_count']}" if record.get("stargazers_count") else "",
            f"topics: {', '.join(record['topics'])}" if record.get("topics") else "",
        ]
        parts = [record.get("description") or "", "; ".join(fact for fact in facts if fact)]
        owner = record.get("owner") or {}
        return Finding(
            tidy(record["full_name"], 300),
            record["html_url"],
            iso_date(record.get("pushed_at") or record.get("updated_at") or ""),
            [owner["login"]] if owner.get("login") else [],
            tidy("\n".join(part for part in parts if part)),
            self.name,
        )


def _short(words: list[str], between: str) -> str:
    """As many of the words as GitHub takes."""
    while len(between.join(words)) > _MAX_QUERY_CHARACTERS:
        words = words[:-1]
    return between.join(words)
