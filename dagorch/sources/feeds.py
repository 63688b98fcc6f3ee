"""RSS and Atom feeds turned into findings. Fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from dagorch.errors import DefinitionError
from dagorch.models.finding import Finding, Found
from dagorch.sources.html import plain_text
from dagorch.sources.text import iso_date, tidy
from dagorch.sources.xml import child_text, local_name, parse_xml

__all__ = ["read_feed"]


def read_feed(body: bytes, source: str) -> Found:
    """
    Read RSS 0.9x, 1.0 and 2.0, and Atom; entries without a title or an address are skipped.

    Raises:
        ValueError: It is not such a feed.

    Example:
        >>> feed = b"<rss><channel><item><title>Bees</title><link>https://e.org/1</link></item>"
        >>> read_feed(feed + b"<item><title/></item></channel></rss>", "news")
        [Finding(title='Bees', url='https://e.org/1', date='', authors=(), text='', source='news')]
    """
    root = parse_xml(body)
    if local_name(root) not in ("rss", "RDF", "feed"):
        raise ValueError(f"it is not a feed but <{local_name(root)}>")
    found = Found()
    for container in (root, *root.findall("{*}channel")):
        for entry in (*container.findall("{*}item"), *container.findall("{*}entry")):
            finding = _to_finding(entry, source)
            if finding is None:
                found.skipped += 1
            else:
                found.append(finding)
    return found


def _to_finding(entry: Element, source: str) -> Finding | None:
    address = _address(entry)
    try:
        if urlsplit(address).scheme not in ("http", "https"):
            return None
        return Finding(
            tidy(" ".join(plain_text(child_text(entry, "title")).split()), 500),
            address,
            iso_date(child_text(entry, "pubDate", "published", "date", "updated")),
            list(_authors(entry)),
            plain_text(child_text(entry, "description", "summary", "encoded", "content")),
            source,
        )
    except (DefinitionError, ValueError):  # a blank title, or an address that is none
        return None


def _address(entry: Element) -> str:
    """Return the address: an attribute in Atom, which allows several links, and text in RSS."""
    for link in entry.findall("{*}link"):
        if link.get("href") and link.get("rel", "alternate") == "alternate":
            return link.get("href", "").strip()
    return child_text(entry, "link") or child_text(entry, "guid", "id")


def _authors(entry: Element) -> Iterator[str]:
    for author in (*entry.findall("{*}author"), *entry.findall("{*}creator")):
        name = tidy(child_text(author, "name") or "".join(author.itertext()), 200)
        if name:
            yield name
