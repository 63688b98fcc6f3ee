"""
Documents read into a title and a text, and texts cut into passages.

A file may come from a stranger: nothing here waits for a pipe, and memory and time are bounded.
"""

from __future__ import annotations

import io
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from dagorch.child_process.bounded import Limits, run_function
from dagorch.sources.html import read_page
from dagorch.sources.text import tidy

__all__ = [
    "SUFFIXES", "Document", "can_read_pdf", "extract_pdf", "passages", "read_document",
]  # fmt: skip

SUFFIXES: Final = frozenset(
    {".txt", ".text", ".md", ".markdown", ".rst", ".html", ".htm", ".xhtml", ".pdf"}
)
MAX_BYTES: Final = 20_000_000
PDF_LIMITS: Final = Limits(seconds=30.0, memory_bytes=1024**3)
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
        ValueError: It is no regular file, is too large, is binary, or is a broken PDF file.

    Cost: 0.4 s for the child process of a PDF file.
    """
    raw = _read_bytes(path)
    if path.suffix.lower() == ".pdf":
        return _read_pdf(path, raw)
    text = _decode(raw)
    if path.suffix.lower() in _HTML:
        page = read_page(text)
        return Document(page.title or _title(path), page.text)
    text = tidy(text, len(text) + 1)
    return Document(_heading(text) or _title(path), text)


def _read_bytes(path: Path) -> bytes:
    """Read a regular file; opening a pipe must not wait for a writer."""
    # Windows has no O_NONBLOCK, and macOS and Linux have no O_BINARY.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        raw = file.read(MAX_BYTES + 1) if status.st_size <= MAX_BYTES else None
    if raw is None or len(raw) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    return raw


def _decode(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw[:4_096]:
        raise ValueError("it is not a text file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _read_pdf(path: Path, raw: bytes) -> Document:
    if not can_read_pdf():
        raise ValueError("PDF files are read with pypdf; install dagorch[pdf]")
    result = run_function(__name__, "extract_pdf", raw, PDF_LIMITS)
    if result.error:
        raise ValueError(f"pypdf cannot read it: {result.error}")
    title, text = json.loads(result.output)
    return Document(tidy(title, 300) or _title(path), tidy(text, len(text) + 1))


def extract_pdf(raw: bytes) -> bytes:
    """Return the title and the text of a PDF file as JSON; what the child process runs."""
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(raw))
    metadata: Mapping[str, Any] = reader.metadata or {}
    title = str(metadata.get("/Title") or "")
    text = "\n\n".join(page.extract_text() for page in reader.pages)
    return json.dumps([title, text]).encode()


def _heading(text: str) -> str:
    """Return the first line of a Markdown or reStructuredText file if it is a heading."""
    first, _, rest = text.partition("\n")
    if re.match(r"#{1,6} ", first):
        return first.strip("# ")[:300]
    if first and re.match(r"([=\-~^*])\1{2,}\s*(\n|$)", rest[:1_000]):
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
