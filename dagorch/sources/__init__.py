"""What a swarm searches, behind one port; a name is imported at its first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagorch.sources.arxiv import Arxiv
    from dagorch.sources.crossref import Crossref
    from dagorch.sources.files import Files
    from dagorch.sources.github import GitHub
    from dagorch.sources.hackernews import HackerNews
    from dagorch.sources.news import News
    from dagorch.sources.registry import SOURCES, get_source
    from dagorch.sources.wikipedia import Wikipedia

__all__ = [
    "SOURCES",
    "Arxiv",
    "Crossref",
    "Files",
    "GitHub",
    "HackerNews",
    "News",
    "Wikipedia",
    "get_source",
]

_HOMES = {
    "SOURCES": "registry",
    "Arxiv": "arxiv",
    "Crossref": "crossref",
    "Files": "files",
    "GitHub": "github",
    "HackerNews": "hackernews",
    "News": "news",
    "Wikipedia": "wikipedia",
    "get_source": "registry",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'dagorch.sources' has no attribute {name!r}")
    value = getattr(import_module(f"dagorch.sources.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
