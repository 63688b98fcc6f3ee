"""`--out` and `--picture`: checked before the run, and written after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, NamedTuple

from dagorch import files
from dagorch.errors import DagorchError, DefinitionError, RunError, asks_to_stop, did_you_mean
from dagorch.exporters import ENDINGS
from dagorch.exporters.documents import check_installed, compose, render_document
from dagorch.exporters.files import to_bytes
from dagorch.models.document import DocumentFormat
from dagorch.models.orchestration import OrchestratorResult
from dagorch.private_files import check_writable, private_folder, private_write

__all__ = ["Destination", "RunPicture", "Written", "check_option", "write_each"]

_DOCUMENTS: Final[dict[str, DocumentFormat]] = {
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
}
_FOLDER_FILES: Final = ("answer.md", "result.json", "answer.html", "graph.svg")
"""The first two cannot fail for what they contain; they are written first."""
_PICTURES: Final = tuple(ending for ending in ENDINGS if ending not in files.ENDINGS)


class Written(NamedTuple):
    """The files that were written, and why the others were not."""

    paths: list[Path]
    errors: list[RunError]


class Destination:
    """
    A file named `.md`, `.html`, `.pdf`, `.docx` or `.json`, or else a folder.

    A folder gets the answer as `.md` and `.html`, the result as `.json`, and the picture.

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
            check_option(path, "--out")
        elif suffix[1:].isalpha() and not path.is_dir():  # a folder's name may be `v1.2`
            raise DefinitionError(
                f"--out {str(path)!r}: name a file .md, .html, .pdf, .docx or .json, or a folder "
                f"without a suffix{did_you_mean(suffix, (*_DOCUMENTS, '.json'))}"
            )
        else:
            self._create_folder()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that may be written."""
        if self._is_file:
            return (self._path,)
        return tuple(self._path / name for name in _FOLDER_FILES)

    def _create_folder(self) -> None:
        try:
            private_folder(self._path)
            with TemporaryFile(dir=self._path):
                pass
        except OSError as error:
            raise DefinitionError(
                f"--out: cannot write {str(self._path)!r}: {error.strerror or error}"
            ) from error

    def write(self, task: str, result: OrchestratorResult, failure: str = "") -> Written:
        """
        Write the result of a workflow, whole or partial.

        Args:
            task: The task.
            result: The result.
            failure: The reason why there is no answer.
        """
        has_picture = result.run is not None
        paths = [path for path in self.files if has_picture or path.suffix != ".svg"]
        named = self._is_file
        return write_each(paths, lambda path: _write_file(path, task, result, failure, named=named))


class RunPicture:
    """
    The file of `--picture`: the graph as it ran.

    Args:
        path: A file named as a picture of `dagorch.exporters.write`.
        taken: Files that other options write.

    Raises:
        DefinitionError: The suffix is another one, a package for the format is missing, or the
            path cannot be written or is taken.
    """

    def __init__(self, path: Path, taken: Iterable[Path] = ()) -> None:
        self.path = path
        suffix = path.suffix.lower()
        if suffix not in _PICTURES:
            raise DefinitionError(
                f"--picture {str(path)!r}: use a name that ends in one of {', '.join(_PICTURES)}"
                f"{did_you_mean(suffix, _PICTURES)}"
            )
        if suffix == ".pdf":
            check_installed(["pdf"])
        check_option(path, "--picture", taken)

    def write(self, result: OrchestratorResult) -> Written:
        """Draw a result."""
        return write_each([self.path], lambda path: _write_file(path, "", result, "", named=True))


def check_option(path: Path, option: str, taken: Iterable[Path] = ()) -> None:
    """
    Check that the file of an option can be written, and that no other option writes it.

    Raises:
        DefinitionError: It cannot be written, or it is taken.
    """
    try:
        check_writable(path)
    except DefinitionError as error:
        raise DefinitionError(f"{option}: {error}") from error
    if path.resolve() in map(Path.resolve, taken):
        raise DefinitionError(
            f"{option} {str(path)!r}: another option writes a file of that name; use another name"
        )


def write_each(paths: Iterable[Path], write_one: Callable[[Path], None]) -> Written:
    """Write files of a finished run; one that fails affects no other, and not the answer."""
    written = Written([], [])
    for path in paths:
        try:
            write_one(path)
        except BaseException as cause:
            if asks_to_stop(cause):
                raise
            # What dagorch raises has the path and the reason. It was checked before the run.
            own = isinstance(cause, DagorchError)
            text = f"{cause}" if own else f"{type(cause).__name__}: {cause}"
            error = RunError(text if str(path) in text else f"cannot make {str(path)!r}: {text}")
            error.__cause__ = cause
            written.errors.append(error)
        else:
            written.paths.append(path)
    return written


def _write_file(
    path: Path, task: str, result: OrchestratorResult, failure: str, *, named: bool
) -> None:
    suffix = path.suffix.lower()
    if suffix in _DOCUMENTS or suffix == ".json":
        private_write(path, _render(suffix, task, result, failure), named=named)
    elif result.run is not None:
        private_write(path, to_bytes(result.run.graph, suffix, result.run), named=named)


def _render(suffix: str, task: str, result: OrchestratorResult, failure: str) -> bytes:
    if suffix == ".json":
        return (result.model_dump_json(indent=2) + "\n").encode("utf-8")
    return render_document(compose(result, task, failure=failure), _DOCUMENTS[suffix])
