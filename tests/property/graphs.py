"""
Random graphs: a seeded generator, and a hypothesis strategy over it. What they mean is elsewhere.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

from tests.property.spec import GraphSpec, NodeSpec, Param, Place

__all__ = ["LIMITS", "generate", "plain", "specs", "with_collections"]

LIMITS = {"gpu": 1, "disk": 2}
KINDS = ("function", "llm", "branch", "merge", "loop", "map", "subgraph", "expand", "ask")
WEIGHTS = (34, 6, 16, 22, 6, 8, 6, 5, 2)
ATTEMPTING = ("function", "llm", "expand")


def generate(
    chance: random.Random, *, depth: int = 3, size: int = 15, calm: bool = False
) -> GraphSpec:
    """
    Make a random graph.

    Args:
        chance: Decides everything.
        depth: Levels of graphs in graphs, this one included.
        size: Nodes at most, on the top level; bodies are smaller.
        calm: Nothing fails, hangs or is late.
    """
    return _Maker(chance, calm).graph(
        "g", depth, chance.randint(min(3, size), size), {"x": None, "y": 5}
    )


def plain(chance: random.Random, size: int) -> GraphSpec:
    """Make a random graph of functions alone, none of which fails."""
    maker = _Maker(chance, calm=True)
    maker.kinds = ("function",)
    return maker.graph("plain", 1, size, {"x": None})


def with_collections(spec: GraphSpec, chance: random.Random) -> GraphSpec:
    """Turn some parameters of a random graph, those of graphs inside it too, into collections."""
    names = list(spec.inputs)
    earlier: list[NodeSpec] = []
    for node in sorted(spec.nodes, key=lambda node: int(node.id[1:])):  # as they were made
        for p in node.params if node.kind != "map" else node.params[1:]:
            if chance.random() < 0.5:
                _collect(p, earlier, names, chance, depth=2)
        earlier.append(node)
        for inner in (node.body, node.fallback):
            if isinstance(inner, GraphSpec):
                with_collections(inner, chance)
    return spec


def _collect(
    param: Param, earlier: list[NodeSpec], names: list[str], chance: random.Random, depth: int
) -> None:
    """Make a collection of a parameter, its source or constant among the items."""
    items = [Param("", param.source, constant=param.constant)]
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        draw = chance.random()
        if earlier and draw < 0.7:
            source = chance.choice(earlier[-6:])
            labels: tuple[str, ...] = ()
            if source.kind == "branch" and chance.random() < 0.5:
                labels = (chance.choice(source.labels),)
            items.append(Param("", (source.id, labels)))
        elif names and draw < 0.8:
            items.append(Param("", (chance.choice(names), ())))
        else:
            items.append(Param("", None, constant=chance.randrange(100)))
        if depth > 1 and chance.random() < 0.15:
            _collect(items[-1], earlier, names, chance, depth - 1)
    chance.shuffle(items)
    for number, item in enumerate(items):
        item.name = f"k{number}"
    param.source, param.constant, param.items = None, None, tuple(items)
    param.keyed = chance.random() < 0.4


def specs(**options: Any) -> st.SearchStrategy[GraphSpec]:
    """Draw such graphs in hypothesis, which shrinks failing examples."""
    return st.randoms(use_true_random=False).map(lambda chance: generate(chance, **options))


class _Maker:
    """Makes one graph with all its bodies; ids are unique over all levels."""

    def __init__(self, chance: random.Random, calm: bool) -> None:
        self.chance = chance
        self.calm = calm
        self.count = 0
        self.kinds: tuple[str, ...] = KINDS

    def likely(self, share: float) -> bool:
        return self.chance.random() < share

    def graph(self, name: str, depth: int, size: int, inputs: dict[str, Any]) -> GraphSpec:
        spec = GraphSpec(name, inputs)
        for _ in range(size):
            spec.nodes.append(self.node(spec, depth))
        if spec.nodes and self.likely(0.4):
            count = min(len(spec.nodes), self.chance.choice((1, 1, 2, 3)))
            spec.outputs = [node.id for node in self.chance.sample(spec.nodes, count)]
        self.chance.shuffle(spec.nodes)
        return spec

    def node(self, spec: GraphSpec, depth: int) -> NodeSpec:
        if self.kinds == KINDS:
            kind = self.chance.choices(KINDS, WEIGHTS)[0]
        else:
            kind = self.chance.choice(self.kinds)
        if depth <= 1 and kind in ("loop", "map", "subgraph", "expand"):
            kind = "function"
        if kind == "merge" and not spec.nodes:
            kind = "function"
        node = NodeSpec(f"n{self.count}", kind)
        self.count += 1
        if kind == "merge":
            self._merge(spec, node)
        elif kind in ("loop", "map", "subgraph"):
            self._container(spec, node, depth)
        else:
            for place in range(self.chance.choice((0, 1, 1, 2, 3)) if kind != "ask" else 1):
                required = kind != "function" or self.likely(0.7)
                node.params.append(self._param(spec, f"p{place}", required))
            node.params.sort(key=lambda p: not p.required)
        if kind == "branch":
            node.labels = ("a", "b", "c")[: self.chance.randint(1, 3)]
        elif kind == "expand":
            node.body = self.graph(
                f"{node.id}_graph", depth - 1, self.chance.randint(1, 4), {"z": 7}
            )
        for _ in range(self.chance.choice((0, 0, 0, 1, 2)) if spec.nodes else 0):
            node.after.append(self._place(spec))
        for _ in range(self.chance.choice((0, 0, 0, 0, 1, 2)) if spec.nodes else 0):
            node.after_end.append(self._place(spec)[0])
        self._temper(node, depth)
        return node

    def _place(self, spec: GraphSpec) -> Place:
        """Choose a node to depend on, mostly a late one, and mostly some labels of a branch."""
        nodes = spec.nodes[-6:] if self.likely(0.7) else spec.nodes
        source = self.chance.choice(nodes)
        labels: tuple[str, ...] = ()
        if source.kind == "branch" and self.likely(0.8):
            labels = tuple(
                self.chance.sample(source.labels, self.chance.randint(1, len(source.labels)))
            )
        return source.id, labels

    def _param(self, spec: GraphSpec, name: str, required: bool = True) -> Param:
        draw = self.chance.random()
        if spec.nodes and draw < 0.75:
            return Param(name, self._place(spec), required)
        if draw < 0.9 and spec.inputs:
            return Param(name, (self.chance.choice(list(spec.inputs)), ()), required)
        return Param(name, None, required, self.chance.randrange(100))

    def _merge(self, spec: GraphSpec, node: NodeSpec) -> None:
        count = min(self.chance.randint(1, 5), 2 * len(spec.nodes))
        node.sources = [self._place(spec) for _ in range(count)]
        node.wait = self.chance.choice(("all", "all", "any", self.chance.randint(1, count)))
        node.tolerate = node.wait == "all" and self.likely(0.5)

    def _container(self, spec: GraphSpec, node: NodeSpec, depth: int) -> None:
        first = {"loop": "state", "map": "item", "subgraph": "s"}[node.kind]
        inputs: dict[str, Any] = {first: None}
        node.params = [self._param(spec, first)]
        if self.likely(0.5):
            inputs["extra"] = None
            node.params.append(self._param(spec, "extra"))
        if self.likely(0.3):
            name = f"spare_{node.id}"  # else an outer name would be bound to it
            inputs[name] = 9
            if self.likely(0.5):
                node.params.append(self._param(spec, name, required=False))
        node.body = self.graph(f"{node.id}_body", depth - 1, self.chance.randint(1, 5), inputs)
        if node.kind == "loop":
            node.max_iterations = self.chance.randint(1, 3)
            node.has_until = self.likely(0.7)
        elif node.kind == "map":
            node.on_item_error = self.chance.choice(("fail", "skip", "collect"))
            node.max_items = self.chance.choice((None, 1, 2))
            over = node.params[0]
            if over.source is None or over.source[0] in spec.inputs:
                over.source, over.constant = None, [1, 2, 3][: self.chance.randrange(4)]
            else:
                source = spec.node(over.source[0])
                if source.kind == "function":
                    source.gives = self.chance.choice(("list", "list", "bag"))
                elif self.calm or source.kind not in (
                    "expand",
                    "merge",
                ):  # known to give no sequence
                    over.source, over.constant = None, [4, 5]

    def _temper(self, node: NodeSpec, depth: int) -> None:
        """Set the policies and moods."""
        chance = self.chance
        node.keep = self.likely(0.05)
        attempting = node.kind in ATTEMPTING
        if attempting or node.kind in ("loop", "map", "subgraph"):
            node.priority = chance.choice((None, None, None, None, 1, 2, -1))
        if attempting and self.kinds == KINDS and self.likely(0.15):
            node.resources = tuple(chance.sample(tuple(LIMITS), chance.randint(1, 2)))
        if self.calm:
            return
        draw = chance.random()
        if draw < 0.3:
            node.on_error = "continue"
        elif draw < 0.4:
            node.fallback = chance.randrange(100)
        elif draw < 0.5 and depth > 1:
            names = [p.name for p in node.params if p.required]
            inputs: dict[str, Any] = dict.fromkeys(chance.sample(names, min(len(names), 1)))
            node.fallback = self.graph(f"{node.id}_else", depth - 1, chance.randint(1, 3), inputs)
        guarded = node.on_error == "continue" or node.fallback is not None
        weights = (60, 16, 8, 4, 12) if guarded else (88, 5, 2, 2, 3)
        node.mood = chance.choices(("sure", "shaky", "broken", "hanging", "mixed"), weights)[0]
        if attempting:
            if self.likely(0.4):
                node.attempts = chance.randint(1, 4)
                node.base_delay = chance.choice((0.0, 0.5, 2.0))
                node.retry_on = chance.choice(((Exception,), (OSError,)))
            if self.likely(0.2):
                node.attempt_timeout = chance.uniform(0.3, 3.0)
        if node.kind not in ("branch", "merge") and self.likely(0.2):
            node.timeout = chance.uniform(0.5, 8.0)
