"""A full-text index of passages in SQLite; what the files are and how they are read is given."""

from __future__ import annotations

import re
import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dagorch.errors import SourceRefusedError

__all__ = ["Hit", "Index"]

_VERSION: Final = 1
"""Of the tables; a file with another is filled anew."""
_MAX_HITS: Final = 400
"""Passages that are looked at for one search; several may be of one file."""
_TABLES: Final = """
CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, stamp TEXT NOT NULL,
                    title TEXT NOT NULL);
CREATE TABLE passages (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX passages_of ON passages (file);
CREATE VIRTUAL TABLE words USING fts5(title, body, tokenize = "porter unicode61");
"""
_IDEOGRAPH: Final = re.compile(r"([\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af])")


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that matches."""

    path: str
    title: str
    text: str


class Index:
    """
    Passages of files, found by their words; stems of English words count as the same.

    Not for several threads at once: whoever owns it sees to that.

    Args:
        address: Where SQLite keeps it; `:memory:` is nowhere.

    Raises:
        SourceRefusedError: There is something else at that place.
    """

    def __init__(self, address: str) -> None:
        try:
            self._base = sqlite3.connect(address, check_same_thread=False)
            self._closing = weakref.finalize(self, self._base.close)
            self._base.execute("PRAGMA synchronous = OFF")  # it can be made again at any time
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
            tables = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and version != _VERSION:
                raise SourceRefusedError(
                    f"files: {address!r} is no index of this version; delete it or name another "
                    "file"
                )
            if not tables:
                self._base.executescript(f"{_TABLES} PRAGMA user_version = {_VERSION};")
        except sqlite3.Error as error:
            raise SourceRefusedError(
                f"files: no index can be kept in {address!r}: {error}; name another file"
            ) from error

    def stamps(self) -> dict[str, str]:
        """What is known of the files: path to stamp."""
        return dict(self._base.execute("SELECT path, stamp FROM files"))

    def put(self, path: str, stamp: str, title: str, texts: Iterable[str]) -> None:
        """Take a file in, in place of what was known of it."""
        self.drop(path)
        file = self._base.execute(
            "INSERT INTO files (path, stamp, title) VALUES (?, ?, ?)", (path, stamp, title)
        ).lastrowid
        for text in texts:
            row = self._base.execute(
                "INSERT INTO passages (file, text) VALUES (?, ?)", (file, text)
            ).lastrowid
            self._base.execute(
                "INSERT INTO words (rowid, title, body) VALUES (?, ?, ?)",
                (row, _spaced(title), _spaced(text)),
            )

    def drop(self, path: str) -> None:
        """Forget a file; nothing if it is not known."""
        found = self._base.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
        if found is None:
            return
        self._base.execute(
            "DELETE FROM words WHERE rowid IN (SELECT id FROM passages WHERE file = ?)", found
        )
        self._base.execute("DELETE FROM passages WHERE file = ?", found)
        self._base.execute("DELETE FROM files WHERE id = ?", found)

    def commit(self) -> None:
        """Keep what was changed."""
        self._base.commit()

    def search(self, words: Iterable[str]) -> Iterator[Hit]:
        """
        Give the passages that have any of the words, the best first.

        A word in the title counts threefold; the order among equals is that of the files.
        """
        # A quoted text is a phrase to FTS5, whatever is in it.
        wanted = " OR ".join('"{}"'.format(_spaced(word).replace('"', '""')) for word in words)
        if not wanted:
            return
        yield from (
            Hit(*row)
            for row in self._base.execute(
                """
                SELECT files.path, files.title, passages.text
                FROM words JOIN passages ON passages.id = words.rowid
                           JOIN files ON files.id = passages.file
                WHERE words MATCH ? ORDER BY bm25(words, 3.0, 1.0), words.rowid LIMIT ?
                """,
                (wanted, _MAX_HITS),
            ).fetchall()
        )

    def close(self) -> None:
        """Let the file go."""
        self._closing()


def _spaced(text: str) -> str:
    """Put blanks around the signs of scripts without blanks, so that each is a word."""
    return text if text.isascii() else _IDEOGRAPH.sub(r" \1 ", text).strip()
