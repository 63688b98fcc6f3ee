"""Shared by the tests of Dream Swarm: sources in memory, replies that cite, a swarm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dagorch import DreamSwarmConfig, DreamSwarmOrchestrator, Finding
from dagorch.models.llm import LLMRequest

DOMAINS = ["arxiv", "github", "news", "wikipedia"]


def findings(domain: str, count: int = 9) -> list[Finding]:
    return [
        Finding(
            f"{domain} on bees and their ways, part {n}",
            f"https://{domain}.example/{n}",
            "2024",
            ["Ada Bee"],
            f"Fact {n} that {domain} tells of bees.",
        )
        for n in range(1, count + 1)
    ]


class Shelf:
    """A user's own source: one method and a name."""

    def __init__(self, name: str, found: Any = None, error: Exception | None = None) -> None:
        self.name = name
        self.found = findings(name) if found is None else found
        self.error = error
        self.asked: list[tuple[str, int]] = []

    async def search(self, query: str, limit: int) -> Any:
        self.asked.append((query, limit))
        if self.error is not None:
            raise self.error
        return self.found[:limit]


def shelves(**others: Any) -> dict[str, Any]:
    return {name: others.get(name, Shelf(name)) for name in [*DOMAINS, *others]}


def is_synthesis(request: LLMRequest) -> bool:
    return "number that it has in the notes" in request.messages[-1].content


def citing(request: LLMRequest) -> str:
    return "Both say so [1][2]." if is_synthesis(request) else "Bees dance [1]. They see [2]."


def swarm(
    provider: Any,
    sources: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = shelves,
    *,
    max_retries: int = 0,
    **fields: Any,
) -> DreamSwarmOrchestrator:
    config = DreamSwarmConfig(max_retries=max_retries, **fields)
    by_name = sources() if callable(sources) else sources
    return DreamSwarmOrchestrator(config, provider, sources=by_name)
