"""Crossref: scholarly works that have a DOI, through its REST API."""

from __future__ import annotations

from typing import Any, ClassVar

from dagorch.models.finding import Finding
from dagorch.sources.html import plain_text
from dagorch.sources.http import Reply
from dagorch.sources.text import tidy
from dagorch.sources.web import RecordPage, WebSource, find_list

__all__ = ["Crossref"]

_FIELDS = "DOI,URL,title,author,issued,abstract,container-title"


class Crossref(WebSource):
    """
    Searches titles, authors and journals of published works.

    An e-mail address as `contact` sends the requests to Crossref's polite pool, which is more
    reliable.

    Source: https://api.crossref.org
    """

    default_name: ClassVar[str] = "crossref"
    default_url: ClassVar[str] = "https://api.crossref.org"
    page_size: ClassVar[int] = 100

    async def fetch_page(self, query: str, page: int, size: int) -> Reply:
        parameters: dict[str, str | int] = {
            "query.bibliographic": query,
            "rows": size,
            "offset": page * size,
            "select": _FIELDS,
        }
        if "@" in self._contact:
            parameters["mailto"] = self._contact.removeprefix("mailto:")
        return await self._client.get("/works", parameters)

    def parse_page(self, reply: Reply) -> RecordPage:
        data = reply.json()
        message = data.get("message") if isinstance(data, dict) else None
        items = find_list(reply, message, "items")
        total = message.get("total-results") if message else None
        return RecordPage(items, total=total if isinstance(total, int) else None)

    def to_finding(self, record: dict[str, Any]) -> Finding:
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
    """Return the name of a person or of a group."""
    person = f"{author.get('given') or ''} {author.get('family') or ''}".strip()
    return tidy(person or author.get("name") or "", 200)


def _date(issued: Any) -> str:
    """Return a day, a month or a year, as far as it is known."""
    parts = ((issued or {}).get("date-parts") or [[]])[0]
    if not parts or not all(isinstance(part, int) for part in parts):
        return ""
    return "-".join(f"{part:0{width}}" for part, width in zip(parts, (4, 2, 2), strict=False))
