"""`--out`: checks before the run that the result can be saved, and saves it after the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from dagorch.errors import DagorchError, DefinitionError, RunError, did_you_mean
from dagorch.exporters.documents import check_installed, compose, render_document
from dagorch.models.document import DocumentFormat
from dagorch.models.orchestration import OrchestratorResult

__all__ = ["Destination", "check_writable"]

_DOCUMENTS: Final[dict[str, DocumentFormat]] = {
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
}
_FOLDER_FILES: Final = ("answer.md", "answer.html", "result.json", "graph.svg")


class Destination:
    """
    A file named `.md`, `.html`, `.pdf`, `.docx` or `.json`, or else a folder.

    A folder gets the answer as `.md` and `.html`, the result and the picture.

    Args:
        path: As the user wrote it. A folder is created at once, to check that it can be.

    Raises:
        DefinitionError: The suffix is that of another kind of file, a package for the format is
            missing, or the path cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        suffix = path.suffix.lower()
        self._is_file = suffix in (".json", *_DOCUMENTS) and not path.is_dir()
        if self._is_file:
            if suffix in _DOCUMENTS:
                check_installed([_DOCUMENTS[suffix]])
            check_writable(path, "--out")
        elif suffix[1:].isalpha() and not path.is_dir():  # a folder's name may be `v1.2`
            raise DefinitionError(
                f"--out {str(path)!r}: name a file .md, .html, .pdf, .docx or .json, or a folder "
                f"without a suffix{did_you_mean(suffix, (*_DOCUMENTS, '.json'))}"
            )
        else:
            _check(path, "--out", self._create_folder)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that may be written."""
        if self._is_file:
            return (self._path,)
        return tuple(self._path / name for name in _FOLDER_FILES)

    def _create_folder(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=self._path):
            pass

    def write(self, task: str, result: OrchestratorResult, failure: str = "") -> list[Path]:
        """
        Write the result of a workflow, whole or partial, and return the files.

        Args:
            task: The task.
            result: The result.
            failure: The reason why there is no answer.

        Raises:
            DagorchError: A file could not be written; the others were.
        """
        written: list[Path] = []
        first_error: DagorchError | None = None
        for path in self.files:
            if path.suffix == ".svg" and result.run is None:
                continue
            try:
                _write_file(path, task, result, failure)
            except DagorchError as error:
                first_error = first_error or error
            else:
                written.append(path)
        if first_error is not None:
            raise first_error
        return written


def _write_file(path: Path, task: str, result: OrchestratorResult, failure: str) -> None:
    try:
        if path.suffix == ".svg" and result.run is not None:
            from dagorch.exporters import write

            write(result.run.graph, path, result.run)
        else:
            path.write_bytes(_render(path.suffix.lower(), task, result, failure))
    except OSError as error:
        raise RunError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    except DagorchError:
        raise
    except Exception as error:  # the PDF writer, for example, has errors of its own
        raise RunError(f"cannot make {str(path)!r}: {type(error).__name__}: {error}") from error


def _render(suffix: str, task: str, result: OrchestratorResult, failure: str) -> bytes:
    if suffix == ".json":
        return (result.model_dump_json(indent=2) + "\n").encode("utf-8")
    return render_document(compose(result, task, failure=failure), _DOCUMENTS[suffix])


def check_writable(path: Path, option: str) -> None:
    """
    Check that a file can be written, without leaving one behind.

    Raises:
        DefinitionError: It cannot be written.
    """

    def try_to_open() -> None:
        is_new = not path.exists()
        with path.open("ab"):
            pass
        if is_new:
            path.resolve().unlink()  # the target of a dangling link, not the link

    _check(path, option, try_to_open)


def _check(path: Path, option: str, attempt: Callable[[], None]) -> None:
    try:
        attempt()
    except OSError as error:
        raise DefinitionError(
            f"{option} {str(path)!r} cannot be written: {error.strerror or error}"
        ) from error
