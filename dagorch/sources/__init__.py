"""The sources that a swarm searches; each is imported when its name is first used."""

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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dagorch.sources' has no attribute {name!r}")
    module = "registry" if name in ("SOURCES", "get_source") else name.lower()
    value = getattr(import_module(f"dagorch.sources.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
