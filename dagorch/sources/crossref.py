"""Crossref: the scholarly works that have a DOI, by its REST API."""

from __future__ import annotations

from typing import Any, ClassVar

from dagorch.models.finding import Finding
from dagorch.sources.http import Reply
from dagorch.sources.text import plain_text, tidy
from dagorch.sources.web import Records, WebSource

__all__ = ["Crossref"]

_FIELDS = "DOI,URL,title,author,issued,abstract,container-title"


class Crossref(WebSource):
    """
    Searches the titles, authors and journals of published works.

    With an e-mail address as `contact`, requests go to Crossref's polite pool, which is the more
    reliable one.

    Source: https://api.crossref.org
    """

    usual_name: ClassVar[str] = "crossref"
    usual_url: ClassVar[str] = "https://api.crossref.org"
    page_size: ClassVar[int] = 100

    async def ask(self, query: str, page: int, size: int) -> Reply:
        asked: dict[str, str | int] = {
            "query.bibliographic": query,
            "rows": size,
            "offset": page * size,
            "select": _FIELDS,
        }
        if "@" in self._contact:
            asked["mailto"] = self._contact.removeprefix("mailto:")
        return await self._web.get("/works", asked)

    def read(self, reply: Reply) -> Records:
        answer = reply.json()
        message = answer.get("message") if isinstance(answer, dict) else None
        items = message.get("items") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(items, list):
            raise reply.malformed("no list of items")
        total = message.get("total-results")
        return Records(items, total=total if isinstance(total, int) else None)

    def finding(self, record: dict[str, Any]) -> Finding:
        journal = (record.get("container-title") or [""])[0]
        parts = [
            plain_text(record.get("abstract") or ""),
            f"Published in {tidy(plain_text(journal), 300)}." if journal else "",
        ]
        return Finding(
            tidy(" ".join(plain_text(record["title"][0]).split()), 500),
            record.get("URL") or f"https://doi.org/{record['DOI']}",
            _date(record.get("issued")),
            [name for author in record.get("author") or [] if (name := _name(author))],
            "\n\n".join(part for part in parts if part),
            self.name,
        )


def _name(author: dict[str, Any]) -> str:
    """A person's name, or that of a group."""
    person = f"{author.get('given') or ''} {author.get('family') or ''}".strip()
    return tidy(person or author.get("name") or "", 200)


def _date(issued: Any) -> str:
    """As exact as it is known: there may be a year alone."""
    parts = ((issued or {}).get("date-parts") or [[]])[0]
    if not parts or not all(isinstance(part, int) for part in parts):
        return ""
    return "-".join(f"{part:0{width}}" for part, width in zip(parts, (4, 2, 2), strict=False))
