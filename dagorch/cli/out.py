"""Where the outcome is kept: found out before the run whether it can be, written after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from dagorch.cli.report import markdown
from dagorch.errors import DagorchError, DefinitionError, RunError
from dagorch.models.orchestration import OrchestratorResult

__all__ = ["Destination"]

_LATER: Final = (".html", ".htm", ".pdf", ".docx")


class Destination:
    """
    A file named `.md` or `.json`, or else a folder that gets the answer, the result, the picture.

    Args:
        path: As the user gave it. A folder is made now, so that it is known that it can be.

    Raises:
        DefinitionError: The format is not one of these, or nothing can be written there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ending = path.suffix.lower()
        if self._ending in _LATER:
            raise DefinitionError(
                f"--out {str(path)!r}: {self._ending} cannot be written yet; "
                "name a file .md or .json, or a folder"
            )
        self._is_file = self._ending in (".md", ".json") and not path.is_dir()
        _told(path, self._try)

    def _try(self) -> None:
        if self._is_file:
            new = not self._path.exists()
            with self._path.open("ab"):
                pass
            if new:
                self._path.unlink()
        else:
            self._path.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self._path):
                pass

    def write(self, task: str, result: OrchestratorResult) -> list[Path]:
        """
        Write what a workflow came to, whole or partial; give the files.

        Raises:
            DagorchError: One could not be written; the others are there all the same.
        """
        json = result.model_dump_json(indent=2) + "\n"
        if self._is_file:
            text = json if self._ending == ".json" else markdown(task, result)
            return _all([(self._path, partial(_put, self._path, text))])
        answer, whole = self._path / "answer.md", self._path / "result.json"
        files: list[tuple[Path, Callable[[], object]]] = [
            (answer, partial(_put, answer, markdown(task, result))),
            (whole, partial(_put, whole, json)),
        ]
        if result.run is not None:
            from dagorch.exporters import write

            picture = self._path / "graph.svg"
            files.append((picture, partial(write, result.run.graph, picture, result.run)))
        return _all(files)


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


def _put(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise RunError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


def _told(path: Path, attempt: Callable[[], None]) -> None:
    try:
        attempt()
    except OSError as error:
        raise DefinitionError(
            f"--out {str(path)!r} cannot be written: {error.strerror or error}"
        ) from error
