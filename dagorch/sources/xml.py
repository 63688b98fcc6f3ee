"""
XML from services, parsed so that it can do no harm: no entity declarations, bounded depth.

The parser is expat. `docs/adr/0030` says why it is not feedparser.
"""

from __future__ import annotations

from html.entities import html5
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

__all__ = ["child_text", "local_name", "parse_xml"]

MAX_DEPTH: Final = 100


def parse_xml(body: bytes) -> Element:
    r"""
    Parse a document. Tags are `{namespace}name`, or `name` without a namespace.

    A document that declares entities is refused, since a few bytes of them can expand to
    gigabytes. HTML entities such as `&nbsp;`, which feeds use without a declaration, are
    replaced. External entities are never fetched.

    Raises:
        ValueError: It is not well-formed, is nested too deep, or declares entities.

    Example:
        >>> parse_xml(b"<!DOCTYPE r><r><a>1&nbsp;2</a></r>")[0].text
        '1\xa02'
        >>> parse_xml(b'<!DOCTYPE r [<!ENTITY a "aaaa">]><r>&a;</r>')
        Traceback (most recent call last):
        ...
        ValueError: it declares the entity 'a'
    """
    builder = TreeBuilder()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
        builder.start(_clark(name), attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_clark(name))

    def refuse_entity(name: str, *_: object) -> None:
        raise ValueError(f"it declares the entity {name!r}")

    def replace_entity(name: str, is_parameter: bool) -> None:
        if not is_parameter:
            builder.data(html5.get(f"{name};", ""))

    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse_entity
    parser.SkippedEntityHandler = replace_entity
    parser.UseForeignDTD(True)  # expat then reports an unknown entity as skipped
    parser.ExternalEntityRefHandler = lambda *_: 1  # and does not open the external file
    try:
        parser.Parse(body, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, LookupError) as error:  # of an unknown encoding
        raise ValueError(f"it is not XML: {error}") from None


def _clark(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def child_text(element: Element, *names: str) -> str:
    """Return the text of the first child with one of these names; empty if there is none."""
    for name in names:
        if (child := element.find(f"{{*}}{name}")) is not None:
            return "".join(child.itertext()).strip()
    return ""
