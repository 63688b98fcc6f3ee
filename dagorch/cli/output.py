"""Where the outcome is kept: found out before the run whether it can be, written after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from dagorch.errors import DagorchError, DefinitionError, RunError, did_you_mean
from dagorch.exporters.documents import check_installed, compose, render_document
from dagorch.models.document import DocumentFormat
from dagorch.models.orchestration import OrchestratorResult

__all__ = ["Destination", "try_file"]

_DOCUMENTS: Final[dict[str, DocumentFormat]] = {
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
}
_IN_FOLDER: Final = ("answer.md", "answer.html", "result.json", "graph.svg")


class Destination:
    """
    A file named `.md`, `.html`, `.pdf`, `.docx` or `.json`, or else a folder.

    A folder gets the answer as a document, `.md` and `.html`, the result and the picture.

    Args:
        path: As the user gave it. A folder is made now, so that it is known that it can be.

    Raises:
        DefinitionError: Its ending is that of another kind of file, a package for the format is
            missing, or nothing can be written there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ending = path.suffix.lower()
        self._is_file = self._ending in (".json", *_DOCUMENTS) and not path.is_dir()
        if self._is_file and self._ending in _DOCUMENTS:
            check_installed([_DOCUMENTS[self._ending]])
        if self._is_file:
            try_file(path, "--out")
        elif self._ending[1:].isalpha() and not path.is_dir():  # a folder's name may be `v1.2`
            raise DefinitionError(
                f"--out {str(path)!r}: name a file .md, .html, .pdf, .docx or .json, or a folder "
                f"without an ending{did_you_mean(self._ending, (*_DOCUMENTS, '.json'))}"
            )
        else:
            _told(path, "--out", self._try_folder)

    @property
    def files(self) -> tuple[Path, ...]:
        """All that may be written."""
        return (self._path,) if self._is_file else tuple(self._path / name for name in _IN_FOLDER)

    def _try_folder(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=self._path):
            pass

    def write(self, task: str, result: OrchestratorResult, failure: str = "") -> list[Path]:
        """
        Write what a workflow came to, whole or partial; give the files.

        Args:
            task: As it was given.
            result: What it came to.
            failure: Why there is no answer, in words.

        Raises:
            DagorchError: One could not be written; the others are there all the same.
        """
        files: list[tuple[Path, Callable[[], object]]] = []
        for path in self.files:
            if path.suffix == ".svg":
                if result.run is not None:
                    from dagorch.exporters import write

                    files.append((path, partial(write, result.run.graph, path, result.run)))
            else:
                rendered = partial(_rendered, path, task, result, failure)
                files.append((path, partial(_put, path, rendered)))
        return _all(files)


def _rendered(path: Path, task: str, result: OrchestratorResult, failure: str) -> bytes:
    """What goes into a file of that name."""
    ending = path.suffix.lower()
    if ending == ".json":
        return (result.model_dump_json(indent=2) + "\n").encode("utf-8")
    content = compose(result, task, failure=failure)
    return render_document(content, _DOCUMENTS[ending])


def _all(files: list[tuple[Path, Callable[[], object]]]) -> list[Path]:
    """Write every file, then tell of the first that could not be."""
    failure: DagorchError | None = None
    for _, attempt in files:
        try:
            attempt()
        except DagorchError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return [path for path, _ in files]


def _put(path: Path, rendered: Callable[[], bytes]) -> None:
    try:
        path.write_bytes(rendered())
    except OSError as error:
        raise RunError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    except DagorchError:
        raise
    except Exception as error:  # what makes a PDF fails in ways of its own; nothing else is lost
        raise RunError(f"cannot make {str(path)!r}: {type(error).__name__}: {error}") from error


def try_file(path: Path, option: str) -> None:
    """See whether a file can be written, and leave nothing behind; raises `DefinitionError`."""

    def attempt() -> None:
        new = not path.exists()
        with path.open("ab"):
            pass
        if new:
            path.resolve().unlink()  # of a link to where nothing is yet, not the link

    _told(path, option, attempt)


def _told(path: Path, option: str, attempt: Callable[[], None]) -> None:
    try:
        attempt()
    except OSError as error:
        raise DefinitionError(
            f"{option} {str(path)!r} cannot be written: {error.strerror or error}"
        ) from error
