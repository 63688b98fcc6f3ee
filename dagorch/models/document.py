"""The record of a written document, and the formats of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from dagorch.models.strict import StrictModel

__all__ = ["FORMATS", "Document", "DocumentFormat", "document_format"]

DocumentFormat = Literal["markdown", "html", "pdf", "docx"]
FORMATS: Final[dict[str, DocumentFormat]] = {
    "markdown": "markdown",
    "md": "markdown",
    "html": "html",
    "pdf": "pdf",
    "docx": "docx",
}
"""Each accepted name, and the format it stands for."""


def document_format(name: object) -> DocumentFormat | None:
    """
    Look up the format of a name, ignoring case; None if there is no such format.

    Example:
        >>> document_format("PDF"), document_format("md"), document_format("doc")
        ('pdf', 'markdown', None)
    """
    return FORMATS.get(name.lower()) if isinstance(name, str) else None


class Document(StrictModel):
    """
    A document that was written; `open(document)` and `Path(document)` take it for its path.

    Example:
        >>> Document("reports/bees.pdf", "pdf", 48_213).path
        'reports/bees.pdf'
    """

    path: str
    """Relative if `output_dir` is relative."""
    format: str
    """As `output_formats` spells it."""
    size_bytes: int

    def __fspath__(self) -> str:
        return self.path

    if TYPE_CHECKING:  # type checkers only know fields by name

        def __init__(self, path: str, format: str, size_bytes: int) -> None: ...
