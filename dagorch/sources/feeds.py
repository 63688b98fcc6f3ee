"""RSS and Atom feeds read into findings; nothing is fetched here."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from dagorch.errors import DefinitionError
from dagorch.models.finding import Finding, Found
from dagorch.sources.text import iso_date, plain_text, tidy
from dagorch.sources.xml import child_text, children, local_name, parse_xml

__all__ = ["read_feed"]


def read_feed(body: bytes, source: str) -> Found:
    """
    Read RSS 0.9x, 1.0 and 2.0, and Atom; entries without a title or an address are left out.

    Raises:
        ValueError: It is none of these.

    Example:
        >>> feed = b"<rss><channel><item><title>Bees</title><link>https://e.org/1</link></item>"
        >>> read_feed(feed + b"<item><title/></item></channel></rss>", "news")
        [Finding(title='Bees', url='https://e.org/1', date='', authors=(), text='', source='news')]
    """
    root = parse_xml(body)
    if local_name(root) not in ("rss", "RDF", "feed"):
        raise ValueError(f"it is no feed but <{local_name(root)}>")
    found = Found()
    for entry in _entries(root):
        address = _address(entry)
        if urlsplit(address).scheme not in ("http", "https"):
            found.skipped += 1
            continue
        try:
            found.append(
                Finding(
                    tidy(" ".join(plain_text(child_text(entry, "title")).split()), 500),
                    address,
                    iso_date(child_text(entry, "pubDate", "published", "date", "updated")),
                    list(_authors(entry)),
                    plain_text(child_text(entry, "description", "summary", "encoded", "content")),
                    source,
                )
            )
        except DefinitionError:
            found.skipped += 1
    return found


def _entries(root: Element) -> Iterator[Element]:
    for place in (root, *children(root, "channel")):
        for child in place:
            if local_name(child) in ("item", "entry"):
                yield child


def _address(entry: Element) -> str:
    """Atom has it in an attribute, RSS as text; an Atom entry may have several."""
    links = list(children(entry, "link"))
    for link in links:
        if link.get("href") and link.get("rel", "alternate") == "alternate":
            return link.get("href", "").strip()
    text = child_text(entry, "link")
    return text or child_text(entry, "guid", "id")


def _authors(entry: Element) -> Iterator[str]:
    for author in (*children(entry, "author"), *children(entry, "creator")):
        name = tidy(child_text(author, "name") or "".join(author.itertext()), 200)
        if name:
            yield name
