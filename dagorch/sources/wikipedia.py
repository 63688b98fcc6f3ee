"""Wikipedia: what its articles begin with, by MediaWiki's Action API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from dagorch.errors import DefinitionError, SourceRefusedError
from dagorch.models.finding import Finding
from dagorch.sources.http import Reply
from dagorch.sources.text import iso_date, tidy
from dagorch.sources.web import Records, WebSource

__all__ = ["Wikipedia"]


class Wikipedia(WebSource):
    """
    Searches the articles of one language's Wikipedia, or of any MediaWiki with text extracts.

    Args:
        base_url: Of an `api.php`; None is that of the language.
        language: The code in its address (`de`).
        contact: As of every source; Wikipedia asks for one.
        delay_seconds: As of every source.
        timeout_seconds: As of every source.
        name: As of every source.

    Source: https://www.mediawiki.org/wiki/API:Search
    """

    usual_name: ClassVar[str] = "wikipedia"
    usual_url: ClassVar[str] = "https://en.wikipedia.org/w/api.php"
    page_size: ClassVar[int] = 20  # extracts are given for no more pages at once

    def __init__(
        self,
        base_url: str | None = None,
        *,
        language: str = "en",
        contact: str = "",
        delay_seconds: float | None = None,
        timeout_seconds: float = 30.0,
        name: str | None = None,
    ) -> None:
        if not re.fullmatch(r"[a-z]{2,}(-[a-z]+)*", language):
            raise DefinitionError(f"language={language!r} is no language's code; give one as 'de'")
        super().__init__(
            base_url or self.usual_url.replace("en.", f"{language}.", 1),
            contact=contact,
            delay_seconds=delay_seconds,
            timeout_seconds=timeout_seconds,
            name=name,
        )

    def phrasings(self, words: list[str]) -> Iterator[str]:
        """All of the words, else any."""
        yield " ".join(words)
        yield " OR ".join(words)

    async def ask(self, query: str, page: int, size: int) -> Reply:
        return await self._web.get(
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

    def read(self, reply: Reply) -> Records:
        """Read the pages, in the order of the search; an error comes with status 200."""
        answer = reply.json()
        if not isinstance(answer, dict):
            raise reply.malformed("no JSON object")
        if isinstance(error := answer.get("error"), dict):
            lagging = error.get("code") in ("maxlag", "ratelimited", "readonly")
            said = tidy(str(error.get("info") or error.get("code") or "no reason"), 200)
            refusal = SourceRefusedError(
                f"{self.name}: does not take this search: {said}", source=self.name, status=200
            )
            refusal.retryable = lagging
            raise refusal
        pages = (answer.get("query") or {}).get("pages", [])
        if not isinstance(pages, list):
            raise reply.malformed("no list of pages")
        pages.sort(key=_place)
        return Records(pages, more="continue" in answer and "gsroffset" in answer["continue"])

    def finding(self, record: dict[str, Any]) -> Finding | None:
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


def _place(page: Any) -> float:
    """Where a page stands in the search; they come sorted by their ids."""
    place = page.get("index") if isinstance(page, dict) else None
    return place if isinstance(place, int) else float("inf")
