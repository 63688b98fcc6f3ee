"""The sources that a swarm searches; each is imported when its name is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagorch.lazy_exports import lazy_exports

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

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dagorch.sources.arxiv": "Arxiv",
        "dagorch.sources.crossref": "Crossref",
        "dagorch.sources.files": "Files",
        "dagorch.sources.github": "GitHub",
        "dagorch.sources.hackernews": "HackerNews",
        "dagorch.sources.news": "News",
        "dagorch.sources.wikipedia": "Wikipedia",
        "dagorch.sources.registry": "SOURCES get_source",
    },
)
