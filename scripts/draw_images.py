#!/usr/bin/env python3
"""
Draw docs/images: each pattern as planned and as it ran, and graphs of 5, 30, 100 and 500 nodes.

    uv run scripts/draw_images.py

Runs are scripted and on virtual time, and the portable renderer lays them out, so a picture is the
same on every machine. Each picture holds a hash of its DOT. A test compares the hash with the DOT
that the patterns and exporters write now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final

import anyio

from dagorch import (
    LLM,
    BaseOrchestrator,
    ConditionalOrchestrator,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    Finding,
    Graph,
    IterativeOrchestrator,
    OrchestratorConfig,
    Ref,
    RunError,
    SequentialOrchestrator,
)
from dagorch.errors import OverloadedError
from dagorch.exporters import to_dot
from dagorch.exporters.pictures.picture import render_svg
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.result import Result
from dagorch.models.usage import Usage
from dagorch.testing import ScriptedProvider, run_virtual

__all__ = ["FOLDER", "dots", "mark"]

FOLDER: Final = Path(__file__).parents[1] / "docs" / "images"
TASK: Final = "How do bees find their way home?"


# -- patterns ------------------------------------------------------------------------------------


class Service(ScriptedProvider):
    """A service that takes 2 to 5 seconds a call, costs a few cents, and fails its second call."""

    def __init__(self) -> None:
        super().__init__(self._reply, name="service", latency_seconds=self._latency)
        self._number = count()

    def _latency(self, request: LLMRequest) -> float:
        return 2 + 7 * len(self.requests) % 4

    def _reply(self, request: LLMRequest) -> LLMResponse | Exception:
        number = next(self._number)
        if number == 1:
            return OverloadedError("overloaded", retry_after_seconds=2)
        prompt = request.messages[-1].content
        text = "Bees dance [1]. They see the sun [2]."
        if "Is it" in prompt:
            text = "yes" if "code" in prompt or number > 4 else "no"
        elif request.json_schema is not None:
            text = '{"questions": ["What do they see?", "What do they learn?", "Who tells them?"]}'
        tokens = 200 + 130 * (number % 5)
        used = Usage(tokens, tokens // 2, Decimal(tokens) / 50_000, calls=1)
        return LLMResponse(text, self.default_model, used)


class Shelf:
    """A source with five findings, or one that is down."""

    def __init__(self, name: str, *, is_down: bool = False) -> None:
        self.name, self._is_down = name, is_down

    async def search(self, query: str, limit: int) -> list[Finding]:
        """Return the findings."""
        await anyio.sleep(1)
        if self._is_down:
            raise ConnectionError("no route to host")
        return [Finding(f"On bees, part {n}", f"https://{self.name}.example/{n}") for n in range(5)]


def patterns() -> dict[str, BaseOrchestrator]:
    """Return an orchestrator of each pattern."""
    domains = ["arxiv", "news", "wikipedia"]
    shelves = {name: Shelf(name, is_down=name == "news") for name in domains}
    return {
        "sequential": SequentialOrchestrator(
            OrchestratorConfig(steps=["research", "analyze", "synthesize"]), Service()
        ),
        "conditional": ConditionalOrchestrator(
            OrchestratorConfig(),
            Service(),
            condition="Is it about code?",
            true_branch=["List likely causes", "Advise"],
            false_branch="Reply",
        ),
        "iterative": IterativeOrchestrator(
            OrchestratorConfig(), Service(), convergence_fn="Is it simple enough?"
        ),
        "cascade": DreamCascadeOrchestrator(DreamCascadeConfig(), Service()),
        "swarm": DreamSwarmOrchestrator(
            DreamSwarmConfig(num_agents=5, domains=domains), Service(), sources=shelves
        ),
    }


def ran(orchestrator: BaseOrchestrator) -> Result:
    """Run a workflow and round its times to seconds; retry delays are fractions."""

    async def main() -> Any:
        try:
            return (await orchestrator.execute_workflow(TASK)).run
        except RunError as error:
            return error.partial_results.run

    result: Result = run_virtual(main)
    result.node_runs = {
        path: replace(
            run,
            ready_seconds=_rounded(run.ready_seconds),
            started_seconds=_rounded(run.started_seconds),
            ended_seconds=_rounded(run.ended_seconds) or 0.0,
        )
        for path, run in result.node_runs.items()
    }
    result.duration_seconds = _rounded(result.duration_seconds) or 0.0
    return result


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else float(round(seconds))


# -- sizes ---------------------------------------------------------------------------------------


async def _step(a: Any = None, b: Any = None) -> Any:
    """Stand for any function; it never runs."""
    return ""


def five() -> Graph:
    """A question, two views of it, a judge."""
    graph = Graph("5 nodes")
    graph.input("question", str)
    facts = graph.function(_step, id="look_up")
    views = [
        graph.add(LLM(side, prompt=f"{{question}} Argue {side}: {{facts}}"), facts=facts)
        for side in ("for", "against")
    ]
    both = graph.merge("both", views)
    graph.add(LLM("judge", prompt="{both}"), both=both)
    return graph


def thirty() -> Graph:
    """Sort a letter, look into it, answer it and polish the answer, with every kind of body."""
    draft = Graph("draft")
    draft.input("state", str)
    critic = draft.add(LLM("critic", prompt="What is wrong with {state}?"))
    draft.add(LLM("writer", prompt="Mend {state} by {critic}"), critic=critic)
    look = Graph("look into")
    look.input("order", str)
    found = [look.function(_step, id=f"{what}_of", a=None) for what in ("parcel", "invoice")]
    look.merge("facts", found)
    page = Graph("page")
    page.input("item", str)
    read = page.function(_step, id="fetch")
    page.add(LLM("extract", prompt="{item} {read}", model="small"), read=read)

    graph = Graph("30 nodes")
    letter = graph.input("letter", str)
    clean = graph.function(_step, id="clean", a=letter)
    language = graph.add(LLM("language", prompt="{clean}", model="small"), clean=clean)
    mood = graph.add(LLM("mood", prompt="{clean}", model="small"), clean=clean)
    topic = graph.branch(
        "topic", lambda clean: "order", ("order", "product", "thanks"), clean=clean
    )
    order = graph.function(_step, id="order_number", a=clean, after=topic["order"])
    case = graph.subgraph(look, id="case", order=order)
    words = graph.function(_step, id="key_words", a=clean, after=topic["product"])
    pages = graph.map(page, id="pages", over=graph.function(_step, id="search", a=words))
    advice = graph.add(LLM("advice", prompt="{pages}"), pages=pages)
    thanks = graph.add(
        LLM("reply", prompt="{clean}", model="small"), clean=clean, after=topic["thanks"]
    )
    known = graph.merge("known", [case, advice, thanks])
    rules = [
        graph.function(_step, id=f"{name}_rules", a=known) for name in ("refund", "tone", "law")
    ]
    rule = graph.merge("rules", rules)
    first = graph.add(
        LLM("first_draft", prompt="{known} {rule} {mood} {language}"),
        known=known, rule=rule, mood=mood, language=language,
    )  # fmt: skip
    final = graph.loop("polish", draft, max_iterations=4, state=first)
    checks = [
        graph.add(LLM(f"{name}_check", prompt="{final}", model="small"), final=final)
        for name in ("fact", "tone", "privacy")
    ]
    passed = graph.merge("checks", checks)
    graph.function(_step, id="send", a=passed, b=final)
    return graph


def hundred() -> Graph:
    """Read three collections page by page, compare pairs of pages, and join all in a book."""
    graph = Graph("100 nodes")
    chapters: list[Ref[Any]] = []
    for name in ("letters", "reports", "minutes"):
        listed = graph.function(_step, id=f"list_{name}")
        pages = [graph.function(_step, id=f"{name}_page_{n}", a=listed) for n in range(1, 11)]
        notes = [
            graph.add(LLM(f"{name}_note_{n}", prompt="{page}", model="small"), page=page)
            for n, page in enumerate(pages, 1)
        ]
        pairs = [
            graph.function(_step, id=f"{name}_pair_{n}", a=a, b=b)
            for n, (a, b) in enumerate(zip(notes[::2], notes[1::2], strict=True), 1)
        ]
        themes = graph.merge(f"{name}_themes", pairs)
        outline = graph.add(LLM(f"{name}_outline", prompt="{themes}"), themes=themes)
        sections = [
            graph.add(LLM(f"{name}_{part}", prompt="{outline}"), outline=outline)
            for part in ("people", "places", "events")
        ]
        chapters.append(graph.merge(f"{name}_chapter", sections))
    book = graph.merge("book", chapters)
    foreword = graph.add(LLM("foreword", prompt="{book}"), book=book)
    index = graph.function(_step, id="index", a=book)
    graph.function(_step, id="print", a=foreword, b=index)
    return graph


def five_hundred() -> Graph:
    """Take thirty documents in each of four languages through four steps, then summarise."""
    graph = Graph("500 nodes")
    found = graph.function(_step, id="find")
    digests: list[Ref[Any]] = []
    for language in ("english", "french", "german", "spanish"):
        sift = graph.function(_step, id=f"sift_{language}", a=found)
        read: list[Ref[Any]] = []
        for n in range(1, 31):
            fetched = graph.function(_step, id=f"fetch_{language}_{n}", a=sift)
            text = graph.function(_step, id=f"text_{language}_{n}", a=fetched)
            facts = graph.add(
                LLM(f"facts_{language}_{n}", prompt="{text}", model="small"), text=text
            )
            read.append(graph.function(_step, id=f"check_{language}_{n}", a=facts, b=text))
        joined = graph.merge(f"{language}_facts", read)
        digests.append(graph.add(LLM(f"digest_{language}", prompt="{joined}"), joined=joined))
    every = graph.merge("every_language", digests)
    themes = [
        graph.add(LLM(f"theme_{name}", prompt="{every}"), every=every)
        for name in ("climate", "health", "trade")
    ]
    report = graph.merge("themes", themes)
    summary = graph.add(LLM("summary", prompt="{report}"), report=report)
    graph.function(_step, id="send", a=summary)
    return graph


SIZES: Final = (five, thirty, hundred, five_hundred)


def dots() -> Iterator[tuple[str, str]]:
    """Yield the name and the DOT of each picture."""
    for name, orchestrator in patterns().items():
        yield f"{name}-planned", to_dot(orchestrator.graph(TASK))
        result = ran(orchestrator)
        yield f"{name}-ran", to_dot(result.graph, result)
    for build in SIZES:
        graph = build()
        yield graph.name.replace(" ", "-"), to_dot(graph)


def mark(dot: str) -> str:
    """Return the comment with the hash of a picture's DOT."""
    return f"<!-- drawn from sha256 {hashlib.sha256(dot.encode()).hexdigest()} -->"


def main() -> None:
    """Draw and write the files."""
    for name, dot in dots():
        svg = render_svg(dot, portable=True)
        (FOLDER / f"{name}.svg").write_text(f"{svg.rstrip()}\n{mark(dot)}\n", "utf-8")


if __name__ == "__main__":
    main()
