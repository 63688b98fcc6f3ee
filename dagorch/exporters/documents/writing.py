"""Documents into a folder: names that are safe anywhere, and no file that is there replaced."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import count
from os import PathLike, fspath
from pathlib import Path
from typing import Final

from dagorch.errors import DefinitionError, InvariantError, did_you_mean
from dagorch.exporters.documents.blocks import Content
from dagorch.exporters.documents.composing import compose
from dagorch.exporters.documents.formats import ENDINGS, render_document
from dagorch.models.clean import one_line
from dagorch.models.document import FORMATS, Document, DocumentFormat, document_format
from dagorch.models.orchestration import OrchestratorResult

__all__ = ["file_name", "write_documents"]

_MAX_LENGTH: Final = 80
"""Bytes of a name; file systems take 255, and paths on some have 260 in all."""
_BETWEEN: Final = re.compile(r"[\W_]+")
# Names of devices on Windows, whatever their ending.
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
    Write what a workflow came to, a file per format; what goes wrong with one loses no other.

    Args:
        result: Whole or partial; also one read from JSON, which has no pictures.
        folder: Where to; made if it is not there. A file that is there is never replaced: the
            new one has a number.
        formats: As `output_formats` has them.
        task: As it was given; empty is the result's own.
        failure: Why there is no answer, in words.

    Returns:
        The result with `documents`, and in `document_errors` why one is not among them.

    Raises:
        DefinitionError: A format is not known.
    """
    wanted = _known(formats)
    place = Path(folder)
    documents: list[Document] = []
    errors: dict[str, str] = {}
    name = file_name(task or str(result.metadata.get("task", "")))
    content: Content | None = None
    first = _free(place, name, [ENDINGS[format] for format in wanted.values()])
    for spelled, format in wanted.items():
        try:
            content = content or compose(result, task, failure=failure)
            data = render_document(content, format)
            path = _put(place, name, first, ENDINGS[format], data)
        except Exception as error:  # a document is a copy: whatever stops it, the answer stands
            errors[spelled] = f"{type(error).__name__}: {one_line(str(error))}"
        else:
            documents.append(Document(fspath(path), spelled, len(data)))
    return result.model_copy(update={"documents": documents, "document_errors": errors})


def file_name(task: str) -> str:
    """
    Make a name for a file of a task's first words: letters and digits of any script, and `-`.

    Example:
        >>> file_name("../../etc/passwd?"), file_name("Wie fliegt die Biene?"), file_name("CON")
        ('etc-passwd', 'wie-fliegt-die-biene', 'workflow-con')
    """
    words = _BETWEEN.sub("-", unicodedata.normalize("NFKC", task[:1_000]).casefold())
    name = unicodedata.normalize("NFC", words).encode("utf-8", "ignore")[:_MAX_LENGTH]
    text = name.decode("utf-8", "ignore").strip("-")
    if len(name) == _MAX_LENGTH and "-" in text:
        text = text.rpartition("-")[0]
    return f"workflow-{text}".rstrip("-") if not text or _RESERVED.fullmatch(text) else text


def _known(formats: Iterable[str]) -> dict[str, DocumentFormat]:
    wanted: dict[str, DocumentFormat] = {}
    for spelled in formats:
        format = document_format(spelled)
        if format is None:
            raise DefinitionError(
                f"there is no document format {spelled!r}; there are {', '.join(ENDINGS)}"
                f"{did_you_mean(spelled, FORMATS)}"
            )
        wanted[spelled] = format
    return wanted


def _numbered(place: Path, name: str, number: int, ending: str) -> Path:
    return place / (f"{name}{ending}" if number == 1 else f"{name}-{number}{ending}")


def _free(place: Path, name: str, endings: list[str]) -> int:
    """Find the first number of which there is no file yet, so that files of a run share one."""
    return next(
        number
        for number in count(1)
        if not any(_numbered(place, name, number, ending).exists() for ending in endings)
    )


def _put(place: Path, name: str, first: int, ending: str, data: bytes) -> Path:
    """Write a new file: with the first number, or if another has just taken it the next."""
    place.mkdir(parents=True, exist_ok=True)
    for number in count(first):
        path = _numbered(place, name, number, ending)
        try:
            file = path.open("xb")
        except FileExistsError:
            continue
        try:
            with file:
                file.write(data)
        except OSError:
            path.unlink(missing_ok=True)  # half a document is none
            raise
        return path
    raise InvariantError("there is a number for every file")
