"""Plain descriptions of graphs, and the graphs built from them. What nodes do is in `world.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from dagorch import LLM, Graph, Policy, Ref, Retry
from dagorch.graph.graph import NO_DEFAULT
from dagorch.models.policy import NO_FALLBACK
from dagorch.nodes import Ask, Branch, Function, Loop, Map, Merge, Subgraph

if TYPE_CHECKING:
    from tests.property.world import World

Place = tuple[str, tuple[str, ...]]
"""A node and some of its labels; no labels means the node itself."""


@dataclass
class Param:
    """One input of a node: from a node or an input of the graph, or a constant."""

    name: str
    source: Place | None
    required: bool = True
    constant: Any = None
    items: tuple[Param, ...] | None = None
    """Of a collection, which has neither source nor constant: its items, named by their keys."""
    keyed: bool = False
    """Whether the collection is a dict; else a list."""

    def parts(self) -> list[Param]:
        """Return the parameter itself, or the items of its collection, nested ones included."""
        return [self] if self.items is None else [p for item in self.items for p in item.parts()]

    def value(self, of: Callable[[Place], Any]) -> Any:
        """Return what the parameter is bound to, with `of(source)` for each source."""
        if self.items is None:
            return of(self.source) if self.source else self.constant
        values = [item.value(of) for item in self.items]
        if self.keyed:
            return dict(zip([item.name for item in self.items], values, strict=True))
        return values


@dataclass
class NodeSpec:
    """One node, with everything that decides how it will behave."""

    id: str
    kind: str
    params: list[Param] = field(default_factory=list)
    after: list[Place] = field(default_factory=list)
    after_end: list[str] = field(default_factory=list)
    sources: list[Place] = field(default_factory=list)
    wait: str | int = "all"
    tolerate: bool = False
    labels: tuple[str, ...] = ()
    body: GraphSpec | None = None
    max_iterations: int = 0
    has_until: bool = False
    on_item_error: str = "fail"
    max_items: int | None = None

    on_error: str = "fail"
    fallback: Any = None
    """None, a value, or a GraphSpec."""
    attempts: int | None = None
    """None: no retry of its own."""
    base_delay: float = 0.0
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    attempt_timeout: float | None = None
    timeout: float | None = None
    priority: int | None = None
    resources: tuple[str, ...] = ()
    keep: bool = False

    mood: str = "sure"
    """Decides its attempts and evaluations, see `World`."""
    gives: str = "number"

    def policy(self, world: World) -> Policy:
        fallback: Any = NO_FALLBACK if self.fallback is None else self.fallback
        if isinstance(fallback, GraphSpec):
            fallback = build(fallback, world)
        retry = None
        if self.attempts is not None:
            retry = Retry(
                attempts=self.attempts, base_delay_seconds=self.base_delay, on=self.retry_on
            )
        return Policy(
            retry=retry,
            attempt_timeout_seconds=self.attempt_timeout,
            timeout_seconds=self.timeout,
            on_error=self.on_error,  # type: ignore[arg-type]
            fallback=fallback,
            priority=self.priority,
            resources=self.resources,
            keep=self.keep,
        )


@dataclass
class GraphSpec:
    """A graph: inputs with their defaults (None: must be given), nodes in the order added."""

    name: str
    inputs: dict[str, Any] = field(default_factory=dict)
    nodes: list[NodeSpec] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def node(self, id: str) -> NodeSpec:
        return next(node for node in self.nodes if node.id == id)

    def everything(self) -> list[NodeSpec]:
        """Every node, those of bodies and fallbacks included."""
        found = []
        for node in self.nodes:
            found.append(node)
            for inner in (node.body, node.fallback):
                if isinstance(inner, GraphSpec):
                    found += inner.everything()
        return found


@cache
def function_taking(required: tuple[str, ...], optional: tuple[str, ...]) -> Any:
    """Return a function of that signature; it is never called, the driver supplies its value."""
    names = [*required, *(f"{name}='default'" for name in optional)]
    scope: dict[str, Any] = {}
    exec(f"async def work({', '.join(names)}): ...", scope)
    return scope["work"]


def build(spec: GraphSpec, world: World) -> Graph:
    """Make the graph that a spec describes."""
    graph = Graph(spec.name)
    for name, default in spec.inputs.items():
        graph.input(name, default=NO_DEFAULT if default is None else default)
    for node in spec.nodes:
        _add(graph, node, world)
    graph.output(*(Ref(graph, id) for id in spec.outputs))
    return graph


def _add(graph: Graph, spec: NodeSpec, world: World) -> None:
    def ref(place: Place) -> Ref[Any]:
        return Ref(graph, place[0], frozenset(place[1]))

    policy = spec.policy(world)
    bindings = {p.name: p.value(ref) for p in spec.params}
    after = [ref(place) for place in spec.after]
    after_end = [Ref(graph, id) for id in spec.after_end]
    if spec.kind == "merge":
        node = Merge(
            spec.id,
            lambda values: world.fold(spec, values),
            spec.wait,
            spec.tolerate,
            policy=policy,
        )
        sources = tuple(ref(place) for place in spec.sources)
        graph.insert(node, {}, after, after_end, sources)
        return
    graph.add(_node(spec, world, policy), after=after, after_end=after_end, **bindings)


def _node(spec: NodeSpec, world: World, policy: Policy) -> Any:
    if spec.kind in ("function", "expand"):
        required = tuple(p.name for p in spec.params if p.required)
        optional = tuple(p.name for p in spec.params if not p.required)
        return Function(
            spec.id, function_taking(required, optional), spec.kind == "expand", policy=policy
        )
    if spec.kind in ("llm", "ask"):
        text = "tell " + " ".join("{" + p.name + "}" for p in spec.params)
        return (
            LLM(spec.id, prompt=text, policy=policy)
            if spec.kind == "llm"
            else Ask(spec.id, text, policy=policy)
        )
    if spec.kind == "branch":
        names = ", ".join(p.name for p in spec.params)
        scope = {"pick": lambda **inputs: world.pick(spec, inputs)}
        passed = ", ".join(f"{p.name}={p.name}" for p in spec.params)
        select = eval(f"lambda {names}: pick({passed})", scope)
        return Branch(spec.id, select, spec.labels, policy=policy)
    assert spec.body is not None
    body = build(spec.body, world)
    if spec.kind == "loop":
        until = (lambda state: world.until(spec, state)) if spec.has_until else None
        return Loop(spec.id, body, spec.max_iterations, until, policy=policy)
    if spec.kind == "map":
        return Map(spec.id, body, None, spec.max_items, spec.on_item_error, policy=policy)  # type: ignore[arg-type]
    return Subgraph(spec.id, body, policy=policy)
