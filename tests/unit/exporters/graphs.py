"""Graphs to draw: one with every kind of node, fans, lanes, layers, nested bodies."""

from __future__ import annotations

import random

from dagorch import LLM, Graph, Policy, Ref
from dagorch.nodes.function import Function


async def _steady(joined: list[object]) -> str:
    return "steady"


def everything() -> Graph:
    """A branch, a loop, a map, a merge, a fallback, an expansion, LLM and function nodes."""
    body = Graph("refine")
    state = body.input("state", str)
    critic = body.add(LLM("critic", prompt="Find a fault: {state}"), state=state)
    body.add(LLM("writer", prompt="{state} {critic}"), critic=critic)

    graph = Graph("research")
    question = graph.input("question", str)

    @graph.function
    async def angles(question: str) -> list[str]:
        return [f"{question} {i}" for i in range(12)]

    views = graph.map(LLM("view", prompt="{item}", model="grok-3-mini"), over=angles)
    pick = graph.branch("pick", lambda question: "deep", ("deep", "short"), question=question)
    deep = graph.loop("refine", body, max_iterations=3, state=question, after=pick["deep"])

    async def brief(question: str) -> str:
        return question

    short = graph.function(brief, after=pick["short"])
    joined = graph.merge("joined", [views, deep, short])

    async def flaky(joined: list[object]) -> str:
        raise ValueError("not today")

    mended = graph.function(
        flaky, joined=joined, policy=Policy(fallback=Function("steady", _steady))
    )

    async def plan(flaky: str) -> object:
        made = Graph("made")

        async def one() -> int:
            return 1

        async def two(one: int) -> int:
            return one + 1

        made.function(one)
        made.function(two)
        return made

    planned = graph.function(plan, expand=True, flaky=mended)
    graph.add(LLM("report", prompt="{plan}"), plan=planned)
    return graph


async def first() -> int:
    return 1


async def middle(first: int) -> int:
    return first


def fan(width: int) -> Graph:
    """One node, `width` successors, and a merge of them."""
    graph = Graph("fan")
    start = graph.function(first)
    graph.merge("last", [graph.function(middle, id=f"m{i}", first=start) for i in range(width)])
    return graph


def lanes(count: int) -> Graph:
    """Parallel lanes of three nodes each, between a first node and a merge."""
    graph = Graph("lanes")

    async def step(before: int = 0) -> int:
        return before + 1

    start = graph.function(step, id="split")
    ends = []
    for lane in range((count - 2) // 3 or 1):
        ref = start
        for stage in ("read", "filter", "map"):
            ref = graph.function(step, id=f"{stage}_{lane}", before=ref)
        ends.append(ref)
    graph.merge("joined", ends)
    return graph


def layered(count: int) -> Graph:
    """Layers of nodes with unlike names; each node reads some of the previous layer."""
    chance, graph = random.Random(count), Graph(f"{count} nodes")
    across = max(2, round(count**0.5 * 0.7))
    letters = "abcdefghijklmnop"
    names: set[str] = set()
    while len(names) < count:
        names.add("".join(chance.choices(letters, k=chance.randint(3, 14))))

    async def step(a0: int = 0, a1: int = 0) -> int:
        return 1

    before: list[Ref[int]] = []
    layer: list[Ref[int]] = []
    for name in sorted(names):
        sources = chance.sample(before, min(len(before), chance.choice((1, 1, 2))))
        bindings = {f"a{place}": source for place, source in enumerate(sources)}
        layer.append(graph.function(step, id=name, **bindings))
        if len(layer) == across:
            before, layer = layer, []
    return graph


def nested(depth: int) -> Graph:
    """One node inside `depth` nested subgraphs."""
    graph = Graph("bottom")
    graph.input("x", int)

    async def leaf(x: int) -> int:
        return x

    graph.function(leaf)
    for level in range(depth):
        outer = Graph(f"level{level}")
        outer.input("x", int)
        outer.subgraph(graph, id="inner")
        graph = outer
    return graph
