"""XML from outside, read so that it can do no harm: no entities of its own, no endless depth."""

from __future__ import annotations

from collections.abc import Iterator
from html.entities import html5
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

__all__ = ["child_text", "children", "local_name", "parse_xml"]

MAX_DEEP: Final = 100


def parse_xml(body: bytes) -> Element:
    r"""
    Read a document; names are `namespace}local`, or just `local` without a namespace.

    A document that declares entities is refused: they are how a few bytes become gigabytes.
    Entities of HTML (`&nbsp;`), which feeds use without declaring them, are put in.

    Raises:
        ValueError: It is no XML, is nested too deep, or declares entities.

    Example:
        >>> parse_xml(b"<!DOCTYPE r><r><a>1&nbsp;2</a></r>")[0].text
        '1\xa02'
        >>> parse_xml(b'<!DOCTYPE r [<!ENTITY a "aaaa">]><r>&a;</r>')
        Traceback (most recent call last):
        ...
        ValueError: it declares the entity 'a'
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEEP:
            raise ValueError(f"it is nested more than {MAX_DEEP} deep")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def declared(name: str, *_: object) -> None:
        raise ValueError(f"it declares the entity {name!r}")

    def skipped(name: str, is_parameter: bool) -> None:
        if not is_parameter:
            builder.data(html5.get(f"{name};", ""))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = declared
    parser.SkippedEntityHandler = skipped
    parser.UseForeignDTD(True)  # an unknown entity is then skipped, and no error
    parser.ExternalEntityRefHandler = lambda *_: 1  # nothing is fetched
    try:
        parser.Parse(body, True)
        return builder.close()
    except (expat.ExpatError, AssertionError) as error:
        raise ValueError(f"it is no XML: {error}") from None


def local_name(element: Element) -> str:
    """Give an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: Element, name: str) -> Iterator[Element]:
    """Give the children of that local name, whatever their namespace."""
    return (child for child in element if local_name(child) == name)


def child_text(element: Element, *names: str) -> str:
    """Give the whole text of the first child that has one of these names; empty if none has."""
    for name in names:
        for child in children(element, name):
            return "".join(child.itertext()).strip()
    return ""
