"""A full-text index of passages in SQLite. Reads no documents."""

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
"""The version of the tables; a file with another version is refused."""
_MAX_HITS: Final = 400
"""Passages that one search returns; several may belong to one file."""
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
    The passages of files, searched by word; English words match by their stem.

    Not thread-safe: the owner must lock.

    Args:
        address: The file of the database, or `:memory:`.

    Raises:
        SourceRefusedError: The file is something else.
    """

    def __init__(self, address: str) -> None:
        try:
            self._database = sqlite3.connect(address, check_same_thread=False)
            self._finalizer = weakref.finalize(self, self._database.close)
            self._database.execute("PRAGMA synchronous = OFF")  # the index can be rebuilt
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and version != _VERSION:
                raise SourceRefusedError(
                    f"files: {address!r} is not an index of this version; delete it or name "
                    "another file"
                )
            if not tables:
                self._database.executescript(f"{_TABLES} PRAGMA user_version = {_VERSION};")
        except sqlite3.Error as error:
            raise SourceRefusedError(
                f"files: cannot keep an index in {address!r}: {error}; name another file"
            ) from error

    def stamps(self) -> dict[str, str]:
        """Return the stamp of each indexed file, by path."""
        return dict(self._database.execute("SELECT path, stamp FROM files"))

    def put(self, path: str, stamp: str, title: str, texts: Iterable[str]) -> None:
        """Index a file, replacing its earlier entry."""
        self.drop(path)
        file = self._database.execute(
            "INSERT INTO files (path, stamp, title) VALUES (?, ?, ?)", (path, stamp, title)
        ).lastrowid
        for text in texts:
            row = self._database.execute(
                "INSERT INTO passages (file, text) VALUES (?, ?)", (file, text)
            ).lastrowid
            self._database.execute(
                "INSERT INTO words (rowid, title, body) VALUES (?, ?, ?)",
                (row, _spaced(title), _spaced(text)),
            )

    def drop(self, path: str) -> None:
        """Remove a file, if it is indexed."""
        found = self._database.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
        if found is None:
            return
        self._database.execute(
            "DELETE FROM words WHERE rowid IN (SELECT id FROM passages WHERE file = ?)", found
        )
        self._database.execute("DELETE FROM passages WHERE file = ?", found)
        self._database.execute("DELETE FROM files WHERE id = ?", found)

    def commit(self) -> None:
        """Commit the changes."""
        self._database.commit()

    def search(self, words: Iterable[str]) -> Iterator[Hit]:
        """
        Yield the passages that contain any of the words, the best first.

        A word in the title counts three times. Equal passages keep the order of the files.
        """
        # FTS5 takes a quoted text as a phrase and interprets nothing inside it.
        expression = " OR ".join('"{}"'.format(_spaced(word).replace('"', '""')) for word in words)
        if not expression:
            return
        yield from (
            Hit(*row)
            for row in self._database.execute(
                """
                SELECT files.path, files.title, passages.text
                FROM words JOIN passages ON passages.id = words.rowid
                           JOIN files ON files.id = passages.file
                WHERE words MATCH ? ORDER BY bm25(words, 3.0, 1.0), words.rowid LIMIT ?
                """,
                (expression, _MAX_HITS),
            ).fetchall()
        )

    def close(self) -> None:
        """Close the database."""
        self._finalizer()


def _spaced(text: str) -> str:
    """Put blanks around the characters of scripts without blanks, so that each is a word."""
    return text if text.isascii() else _IDEOGRAPH.sub(r" \1 ", text).strip()
