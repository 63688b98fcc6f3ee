"""Writes documents into a folder: the file names are safe everywhere, and no file is replaced."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import count
from os import PathLike, fspath
from pathlib import Path
from typing import Final

from dagorch.errors import DefinitionError, InvariantError, asks_to_stop, did_you_mean
from dagorch.exporters.documents.blocks import Content
from dagorch.exporters.documents.composition import compose
from dagorch.exporters.documents.formats import CHILD_FORMATS, ENDINGS, render_document
from dagorch.models.clean import one_line
from dagorch.models.document import FORMATS, Document, DocumentFormat, document_format
from dagorch.models.orchestration import OrchestratorResult
from dagorch.private_files import private_folder, private_write

__all__ = ["file_name", "write_documents"]

_MAX_NAME_BYTES: Final = 80
"""File systems allow 255; some limit a whole path to 260."""
_SEPARATORS: Final = re.compile(r"[\W_]+")
# Device names on Windows, reserved with any ending.
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)")


def write_documents(
    result: OrchestratorResult,
    folder: str | PathLike[str] = "reports",
    formats: Iterable[str] = ("markdown",),
    *,
    task: str = "",
    failure: str = "",
) -> OrchestratorResult:
    """
    Write the outcome of a workflow, one file per format. A failure in one format affects no other.

    Markdown and HTML are written first. PDF and DOCX are each stopped after a minute.

    Args:
        result: Complete or partial. A result read from JSON has no pictures.
        folder: The target folder, created if missing. An existing file is never replaced: the new
            file name gets a number.
        formats: As `output_formats` spells them.
        task: The task as the user wrote it; empty takes it from the result.
        failure: Why there is no answer, in words.

    Returns:
        The result with `documents`, and with the reason for each missing one in
        `document_errors`.

    Raises:
        DefinitionError: A format is unknown.
    """
    wanted = _parse_formats(formats)
    target = Path(folder)
    documents: dict[str, Document] = {}
    errors: dict[str, str] = {}
    name = file_name(task or str(result.metadata.get("task", "")))
    content: Content | None = None
    first = _free_number(target, name, [ENDINGS[format] for format in wanted.values()])
    # What may take long or fail comes last.
    for spelled, format in sorted(wanted.items(), key=lambda item: item[1] in CHILD_FORMATS):
        try:
            content = content or compose(result, task, failure=failure)
            data = render_document(content, format)
            path = _write_new(target, name, first, ENDINGS[format], data)
        except BaseException as error:  # no failure here may lose the answer, which was paid for
            if asks_to_stop(error):
                raise
            errors[spelled] = f"{type(error).__name__}: {one_line(str(error))}"
        else:
            documents[spelled] = Document(fspath(path), spelled, len(data))
    listed = [documents[spelled] for spelled in wanted if spelled in documents]
    return result.model_copy(update={"documents": listed, "document_errors": errors})


def file_name(task: str) -> str:
    """
    Make a file name of the first words of a task: letters and digits of any script, and `-`.

    Example:
        >>> file_name("../../etc/passwd?"), file_name("Wie fliegt die Biene?"), file_name("CON")
        ('etc-passwd', 'wie-fliegt-die-biene', 'workflow-con')
    """
    words = _SEPARATORS.sub("-", unicodedata.normalize("NFKC", task[:1_000]).casefold())
    name = unicodedata.normalize("NFC", words).encode("utf-8", "ignore")[:_MAX_NAME_BYTES]
    text = name.decode("utf-8", "ignore").strip("-")
    if len(name) == _MAX_NAME_BYTES and "-" in text:
        text = text.rpartition("-")[0]
    return f"workflow-{text}".rstrip("-") if not text or _RESERVED.fullmatch(text) else text


def _parse_formats(formats: Iterable[str]) -> dict[str, DocumentFormat]:
    wanted: dict[str, DocumentFormat] = {}
    for spelled in formats:
        format = document_format(spelled)
        if format is None:
            raise DefinitionError(
                f"there is no document format {spelled!r}; the formats are {', '.join(ENDINGS)}"
                f"{did_you_mean(spelled, FORMATS)}"
            )
        wanted[spelled] = format
    return wanted


def _numbered(folder: Path, name: str, number: int, ending: str) -> Path:
    return folder / (f"{name}{ending}" if number == 1 else f"{name}-{number}{ending}")


def _free_number(folder: Path, name: str, endings: list[str]) -> int:
    """Find the first number without any file, so that the files of one run share a number."""
    return next(
        number
        for number in count(1)
        if not any(_numbered(folder, name, number, ending).exists() for ending in endings)
    )


def _write_new(folder: Path, name: str, first: int, ending: str, data: bytes) -> Path:
    """Create a file under the first number; if another process takes that, under the next."""
    private_folder(folder)
    for number in count(first):
        path = _numbered(folder, name, number, ending)
        try:
            path.open("xb").close()  # reserves the name
        except FileExistsError:
            continue
        try:
            private_write(path, data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path
    raise InvariantError("itertools.count ended")
