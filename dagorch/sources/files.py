"""A folder of the user's own documents as a source."""

from __future__ import annotations

import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dagorch.errors import DagorchWarning, DefinitionError, SourceRefusedError
from dagorch.models.clean import one_line
from dagorch.models.finding import Finding, Found
from dagorch.sources.documents import SUFFIXES, can_read_pdf, passages, read_document
from dagorch.sources.index import Index
from dagorch.sources.text import iso_date, keywords
from dagorch.worker_threads import run_in_thread

__all__ = ["Files"]

_MAX_PASSAGES = 3
"""Passages of a file in one finding."""
_MAX_SHOWN_FILES = 3


class Files:
    r"""
    Searches text, Markdown, reStructuredText, HTML and PDF files of a folder and its subfolders.

    The first search reads all files, later ones only the files that changed. A finding is one
    file; its text is the passages that match best. A file that cannot be read is skipped, with
    one warning; so is one whose name has control characters or is not UTF-8. PDF files need the
    `pdf` extra, and are read in a child process with limits. Links that leave the folder are not
    followed; pipes, sockets and devices are ignored.

    Args:
        folder: The folder.
        index: A file that keeps the index between processes; None keeps it in memory.
        name: The name in findings and errors.

    Raises:
        DefinitionError: There is no such folder.

    Example:
        >>> import anyio, tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "bees.md").write_text("# Bees\n\nBees navigate by the sun.")
        >>> found = anyio.run(Files(folder).search, "How do bees navigate?", 5)
        >>> found[0].title, found[0].source
        ('Bees', 'files')
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        index: str | os.PathLike[str] | None = None,
        name: str = "files",
    ) -> None:
        self._folder = Path(folder).expanduser().absolute()
        if not self._folder.is_dir():
            what = "is a file" if self._folder.exists() else "does not exist"
            raise DefinitionError(f"folder {str(folder)!r} {what}; name one with documents in it")
        self._address = ":memory:" if index is None else str(Path(index).expanduser().absolute())
        self._name = name
        self._index: Index | None = None
        self._lock = threading.Lock()
        self._unreadable: dict[str, str] = {}
        """Stamp by path; a file is read again when its stamp changes."""

    @property
    def name(self) -> str:
        """The name in findings and errors."""
        return self._name

    async def search(self, query: str, limit: int) -> Found:
        """
        Search the files for a question, in a worker thread.

        Returns:
            At most one finding per file; `.skipped` counts the files that could not be read.

        Raises:
            SourceRefusedError: The folder has no documents, or the index cannot be written.
        """
        return await run_in_thread(partial(self._search, query, limit))

    def _search(self, query: str, limit: int) -> Found:
        with self._lock:
            index = self._refresh_index()
            found = Found(skipped=len(self._unreadable))
            if limit < 1:
                return found
            pieces: dict[str, list[str]] = {}
            titles: dict[str, str] = {}
            for hit in index.search(keywords(query)):
                if hit.path not in pieces and len(pieces) == limit:
                    continue
                titles[hit.path] = hit.title
                texts = pieces.setdefault(hit.path, [])
                if len(texts) < _MAX_PASSAGES:
                    texts.append(hit.text)
        for path, texts in pieces.items():
            text = "\n…\n".join(texts)
            found.append(Finding(titles[path], path, self._date(path), (), text, self._name))
        return found

    def _date(self, path: str) -> str:
        """Return the day of the last change; empty if the file no longer exists."""
        with suppress(OSError):
            seconds = (self._folder / path).stat().st_mtime
            return iso_date(datetime.fromtimestamp(seconds, UTC).isoformat())
        return ""

    def _refresh_index(self) -> Index:
        """Update the index to the current state of the folder."""
        if self._index is None:
            self._index = Index(self._address)
        index, known = self._index, self._index.stamps()
        seen: set[str] = set()
        failures: dict[str, str] = {}
        for path, stamp in self._files():
            seen.add(path)
            if known.get(path) == stamp or self._unreadable.get(path) == stamp:
                continue
            try:
                _check_name(path)
                document = read_document(self._folder / path)
            except (OSError, ValueError) as error:
                if path in known:
                    index.drop(path)
                failures[path] = str(error)
                self._unreadable[path] = stamp
                continue
            self._unreadable.pop(path, None)
            index.put(path, stamp, document.title, passages(document.text))
        for path in known.keys() - seen:
            index.drop(path)
        for path in self._unreadable.keys() - seen:
            del self._unreadable[path]
        index.commit()
        if failures:
            self._warn(failures)
        if not seen - self._unreadable.keys():
            raise SourceRefusedError(
                f"{self._name}: no document can be read in {str(self._folder)!r}; "
                f"add files with one of the suffixes {', '.join(sorted(SUFFIXES))}",
                source=self._name,
            )
        return index

    def _files(self) -> Iterator[tuple[str, str]]:
        """Yield each document's relative path, sorted, and a stamp that changes with the file."""
        top = self._folder.resolve()
        for here, folders, names in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                file = Path(here, name)
                if file.suffix.lower() not in SUFFIXES or name.startswith("."):
                    continue
                with suppress(OSError):  # removed in the meantime
                    if file.is_symlink() and top not in file.resolve().parents:
                        continue
                    status = file.stat()
                    if not stat.S_ISREG(status.st_mode):  # a pipe, a socket or a device
                        continue
                    stamp = f"{status.st_mtime_ns}:{status.st_size}"
                    if file.suffix.lower() == ".pdf":
                        stamp += f":{can_read_pdf()}"
                    yield file.relative_to(self._folder).as_posix(), stamp

    def _warn(self, failures: dict[str, str]) -> None:
        shown = [
            f"{_shown(path)} ({one_line(why)})"
            for path, why in list(failures.items())[:_MAX_SHOWN_FILES]
        ]
        rest = len(failures) - len(shown)
        more = f" and {rest} more" if rest else ""
        warnings.warn(
            f"{self._name}: skipped {', '.join(shown)}{more}", DagorchWarning, stacklevel=2
        )

    def __repr__(self) -> str:
        return f"<Files {str(self._folder)!r}>"


def _check_name(path: str) -> None:
    """Refuse a name that would be read as something else by a model, a terminal or SQLite."""
    if _shown(path) != path:
        raise ValueError("its name has control characters, or is not UTF-8")


def _shown(path: str) -> str:
    return one_line(path.encode("utf-8", "replace").decode("utf-8"))
