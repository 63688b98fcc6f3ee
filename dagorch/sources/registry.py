"""The sources that dagorch knows by name, as words until one is made. Nothing is opened here."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from dagorch.errors import DefinitionError, did_you_mean
from dagorch.ports import Source

__all__ = ["SOURCES", "get_source"]

SOURCES: Final = {
    "arxiv": "arxiv:Arxiv",
    "crossref": "crossref:Crossref",
    "files": "files:Files",
    "github": "github:GitHub",
    "hackernews": "hackernews:HackerNews",
    "news": "news:News",
    "wikipedia": "wikipedia:Wikipedia",
}
"""Each with the module and the class that it is made of."""


def get_source(name: str, **options: Any) -> Source:
    """
    Make a source.

    Args:
        name: One of `SOURCES`.
        options: What its class takes, such as `base_url`, `contact` or `folder`.

    Raises:
        DefinitionError: There is none of that name, or an option is missing or unknown.

    Example:
        >>> get_source("wikipedia", language="de").name
        'wikipedia'
        >>> get_source("wikipeda")
        Traceback (most recent call last):
        ...
        dagorch.errors.DefinitionError: no source 'wikipeda'; did you mean 'wikipedia'?
    """
    home = SOURCES.get(name)
    if home is None:
        known = did_you_mean(name, SOURCES) or f"; there is {', '.join(SOURCES)}"
        raise DefinitionError(f"no source {name!r}{known}")
    if name == "files" and "folder" not in options:
        raise DefinitionError("source 'files' needs a folder: get_source('files', folder='notes')")
    module, _, kind = home.partition(":")
    try:
        made: Source = getattr(import_module(f"dagorch.sources.{module}"), kind)(**options)
    except TypeError as error:
        raise DefinitionError(f"source {name!r}: {error}") from None
    return made
