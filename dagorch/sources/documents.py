"""Documents read into a title and a text, and texts cut into passages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from dagorch.sources.html import read_page
from dagorch.sources.text import tidy

__all__ = ["SUFFIXES", "Document", "can_read_pdf", "passages", "read_document"]

SUFFIXES: Final = frozenset(
    {".txt", ".text", ".md", ".markdown", ".rst", ".html", ".htm", ".xhtml", ".pdf"}
)
MAX_BYTES: Final = 20_000_000
PASSAGE_CHARACTERS: Final = 1_200
_HTML: Final = frozenset({".html", ".htm", ".xhtml"})
_BREAKS: Final = ("\n\n", "\n", ". ", " ")


@dataclass(frozen=True, slots=True)
class Document:
    """The title and the text of one file."""

    title: str
    text: str


def can_read_pdf() -> bool:
    """Return whether the library for PDF files is installed."""
    return find_spec("pypdf") is not None


def read_document(path: Path) -> Document:
    """
    Read a file in the format that its suffix names.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, is binary, or is a broken PDF file.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    if path.suffix.lower() == ".pdf":
        return _read_pdf(path)
    raw = path.read_bytes()
    text = _decode(raw)
    if path.suffix.lower() in _HTML:
        page = read_page(text)
        return Document(page.title or _title(path), page.text)
    text = tidy(text, len(text) + 1)
    return Document(_heading(text) or _title(path), text)


def _decode(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw[:4_096]:
        raise ValueError("it is not a text file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _read_pdf(path: Path) -> Document:
    if not can_read_pdf():
        raise ValueError("PDF files are read with pypdf; install dagorch[pdf]")
    import pypdf

    try:
        reader = pypdf.PdfReader(path)
        metadata: Mapping[str, Any] = reader.metadata or {}
        title = str(metadata.get("/Title") or "")
        text = "\n\n".join(page.extract_text() for page in reader.pages)
    except Exception as error:  # pypdf raises many types for a broken file
        raise ValueError(f"pypdf cannot read it: {error}") from error
    return Document(tidy(title, 300) or _title(path), tidy(text, len(text) + 1))


def _heading(text: str) -> str:
    """Return the first line of a Markdown or reStructuredText file if it is a heading."""
    first, _, rest = text.partition("\n")
    heading = re.match(r"#{1,6} +(.+?)[# ]*$", first)
    if heading is not None:
        return heading[1][:300]
    if first and re.match(r"([=\-~^*])\1{2,}\s*(\n|$)", rest):
        return first[:300]
    return ""


def _title(path: Path) -> str:
    return re.sub(r"[_\-]+", " ", path.stem).strip() or path.name


def passages(text: str, max_characters: int = PASSAGE_CHARACTERS) -> Iterator[str]:
    r"""
    Cut a text into pieces of limited length, between paragraphs if possible.

    Example:
        >>> list(passages("One two three.\n\nFour five six seven.", 24))
        ['One two three.', 'Four five six seven.']
        >>> list(passages("x" * 50, 24))
        ['xxxxxxxxxxxxxxxxxxxxxxxx', 'xxxxxxxxxxxxxxxxxxxxxxxx', 'xx']
    """
    start = 0
    while start < len(text):
        end = start + max_characters
        if end < len(text):
            for separator in _BREAKS:
                at = text.rfind(separator, start + max_characters // 3, end)
                if at >= 0:
                    end = at + len(separator)
                    break
        piece = text[start:end].strip()
        if piece:
            yield piece
        start = end
