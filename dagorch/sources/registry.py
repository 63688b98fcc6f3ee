"""The sources that dagorch knows by name; a source is imported when it is made."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.ports import Source

__all__ = ["SOURCES", "get_source"]

SOURCES: Final = {
    "arxiv": "Arxiv",
    "crossref": "Crossref",
    "files": "Files",
    "github": "GitHub",
    "hackernews": "HackerNews",
    "news": "News",
    "wikipedia": "Wikipedia",
}
"""The class of each source; the module has the source's name."""


def get_source(name: str, **options: Any) -> Source:
    """
    Make a source.

    Args:
        name: One of `SOURCES`.
        options: Arguments of its class, such as `base_url`, `contact` or `folder`.

    Raises:
        DefinitionError: There is no such source, or an option is missing or unknown.

    Example:
        >>> get_source("wikipedia", language="de").name
        'wikipedia'
        >>> get_source("wikipeda")
        Traceback (most recent call last):
        ...
        dagorch.errors.DefinitionError: no source 'wikipeda'; did you mean 'wikipedia'?
    """
    if name not in SOURCES:
        hint = did_you_mean(name, SOURCES) or f"; choose one of {', '.join(SOURCES)}"
        raise DefinitionError(f"no source {name!r}{hint}")
    if name == "files" and "folder" not in options:
        raise DefinitionError("source 'files' needs a folder: get_source('files', folder='notes')")
    try:
        source: Source = getattr(import_module(f"dagorch.sources.{name}"), SOURCES[name])(**options)
    except TypeError as error:
        raise DefinitionError(f"source {name!r}: {error}") from None
    return source
