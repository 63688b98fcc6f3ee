"""A file that tells what a workflow came to, and the formats there are; nothing is written here."""

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
"""By every name that a format has."""


def document_format(name: object) -> DocumentFormat | None:
    """
    Find the format that a name means, whatever its case; None if it means none.

    Example:
        >>> document_format("PDF"), document_format("md"), document_format("doc")
        ('pdf', 'markdown', None)
    """
    return FORMATS.get(name.lower()) if isinstance(name, str) else None


class Document(StrictModel):
    """
    One file that was written.

    Example:
        >>> Document("reports/bees.pdf", "pdf", 48_213).path
        'reports/bees.pdf'
    """

    path: str
    """Relative if `output_dir` is."""
    format: str
    """As `output_formats` spells it."""
    size_bytes: int

    if TYPE_CHECKING:  # they know fields by name only

        def __init__(self, path: str, format: str, size_bytes: int) -> None: ...
