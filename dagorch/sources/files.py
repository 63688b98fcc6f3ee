"""A folder of the user's own documents as a source; no network."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio

from dagorch.errors import DagorchWarning, DefinitionError, SourceRefusedError
from dagorch.models.finding import Finding, Found
from dagorch.sources.documents import ENDINGS, can_read_pdf, passages, read_document
from dagorch.sources.index import Index
from dagorch.sources.text import iso_date, keywords

__all__ = ["Files"]

_PASSAGES_EACH = 3
"""Of one file, in one finding."""
_SHOWN = 3


class Files:
    r"""
    Searches a folder of text, Markdown, reStructuredText, HTML and PDF files, and those below it.

    The first search reads them all, later ones only what has changed. A finding is a file, its
    text the passages that match best. Files that cannot be read are left out and warned of once;
    PDF files need the `pdf` extra. Links that lead out of the folder are not followed.

    Args:
        folder: Where they are.
        index: A file to keep the index in, so that it need not be made again; None keeps it in
            memory.
        name: What it is called.

    Raises:
        DefinitionError: There is no such folder.

    Example:
        >>> import tempfile
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
        """Stamp by path, so that a file is tried again when it has changed."""

    @property
    def name(self) -> str:
        """What its findings are said to come from."""
        return self._name

    async def search(self, query: str, limit: int) -> Found:
        """
        Find the files that are nearest to a question; the work is done in a thread.

        Returns:
            At most one finding a file; `.skipped` counts the files that could not be read.

        Raises:
            SourceRefusedError: There is no document in the folder, or the index cannot be kept.
        """
        return await anyio.to_thread.run_sync(
            self._search, query, limit, limiter=anyio.CapacityLimiter(1), abandon_on_cancel=True
        )

    def _search(self, query: str, limit: int) -> Found:
        with self._lock:
            index = self._fresh()
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
                if len(texts) < _PASSAGES_EACH:
                    texts.append(hit.text)
        for path, texts in pieces.items():
            found.append(
                Finding(
                    titles[path],
                    path,
                    self._date(path),
                    (),
                    "\n…\n".join(texts),
                    self._name,
                )
            )
        return found

    def _date(self, path: str) -> str:
        """The day on which it was last changed; empty if it has gone meanwhile."""
        from datetime import UTC, datetime

        with suppress(OSError):
            seconds = (self._folder / path).stat().st_mtime
            return iso_date(datetime.fromtimestamp(seconds, UTC).isoformat())
        return ""

    def _fresh(self) -> Index:
        """Give the index, as the folder is now."""
        if self._index is None:
            self._index = Index(self._address)
        index, known = self._index, self._index.stamps()
        seen: set[str] = set()
        without: dict[str, str] = {}
        for path, stamp in self._files():
            seen.add(path)
            if known.get(path) == stamp or self._unreadable.get(path) == stamp:
                continue
            try:
                document = read_document(self._folder / path)
            except (OSError, ValueError) as error:
                index.drop(path)
                without[path] = str(error)
                self._unreadable[path] = stamp
                continue
            self._unreadable.pop(path, None)
            index.put(path, stamp, document.title, passages(document.text))
        for path in known.keys() - seen:
            index.drop(path)
        for path in self._unreadable.keys() - seen:
            del self._unreadable[path]
        index.commit()
        if without:
            self._warn(without)
        if not seen - self._unreadable.keys():
            raise SourceRefusedError(
                f"{self._name}: no document can be read in {str(self._folder)!r}; "
                f"it takes files that end in {', '.join(sorted(ENDINGS))}",
                source=self._name,
            )
        return index

    def _files(self) -> Iterator[tuple[str, str]]:
        """Each document's path within the folder, in order, and what tells whether it changed."""
        top = self._folder.resolve()
        for here, folders, names in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                file = Path(here, name)
                if file.suffix.lower() not in ENDINGS or name.startswith("."):
                    continue
                with suppress(OSError):
                    if file.is_symlink() and top not in file.resolve().parents:
                        continue
                    facts = file.stat()
                    stamp = f"{facts.st_mtime_ns}:{facts.st_size}"
                    if file.suffix.lower() == ".pdf":
                        stamp += f":{can_read_pdf()}"
                    yield file.relative_to(self._folder).as_posix(), stamp

    def _warn(self, without: dict[str, str]) -> None:
        shown = [f"{path} ({why})" for path, why in list(without.items())[:_SHOWN]]
        more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
        warnings.warn(
            f"{self._name}: left out {', '.join(shown)}{more}", DagorchWarning, stacklevel=2
        )

    def __repr__(self) -> str:
        return f"<Files {str(self._folder)!r}>"
