"""
Random graphs made of what a file can name: functions of this module, builtin reducers, conditions.

What a node does follows from its id and its inputs alone.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, Literal

from dagorch import LLM, Graph, Policy, Ref, Retry
from dagorch.graph.graph import NO_DEFAULT
from dagorch.models.policy import NO_FALLBACK
from dagorch.nodes import Ask, Branch, Function, Loop, Map, Subgraph
from dagorch.nodes.conditions import Condition, Label, pick
from dagorch.nodes.reducers import REDUCERS
from dagorch.nodes.schema import schema_type
from tests.property.spec import GraphSpec, NodeSpec, Place
from tests.property.world import digest

OUTPUTS: tuple[Any, ...] = (
    None, list[str], dict[str, int | None], Literal["a", 1, None], tuple[int, ...],
    schema_type({"type": "object", "properties": {"x": {"enum": ["yes", 1]}}}),
)  # fmt: skip
TEXTS = (
    "Say {p}", "Zwei\nZeilen mit {p}\n", "  indented {p}", "no", "1e5 {p}", "{{json}}: #{p}",
    "trailing \n\nblank ", 'quo"ted\t\u2028{p}', "- list\n  of {p}", "naïve 😀 \x85 {p}", "",
)  # fmt: skip


def _given(inputs: dict[str, Any]) -> Any:
    return sorted((name, repr(value)) for name, value in inputs.items())


def work(inputs: dict[str, Any], salt: str, gives: str, mood: str) -> Any:
    number = digest(salt, _given(inputs))
    if mood == "broken" or (mood in ("shaky", "mixed") and number % 3 == 0):
        raise OSError(salt)
    if gives == "number":
        return number
    items = [number % 1000 + i for i in range(number % 4)]
    return items if gives == "list" else dict.fromkeys(items)


# A function for every way in which three inputs can be absent, required or optional.
for needs in product(("", "required", "optional"), repeat=3):
    _required = [f"p{n}" for n, need in enumerate(needs) if need == "required"]
    _optional = [f"p{n}" for n, need in enumerate(needs) if need == "optional"]
    _name = "_".join(["work", *_required, "or", *_optional])
    _arguments = ", ".join(f"{name}={name}" for name in (*_required, *_optional))
    _takes = ", ".join([*_required, *(f"{name}=0" for name in _optional), "*", "salt='x'"])
    exec(
        f"async def {_name}({_takes}, gives='number', mood='sure'):\n"
        f"    return work(dict({_arguments}), salt, gives, mood)\n"
        f"async def expand_{_name}({_takes}):\n"
        f"    return expansion(dict({_arguments}), salt)\n"
        f"def select_{_name}({_takes}, labels=()):\n"
        f"    return labels[digest(salt, _given(dict({_arguments}))) % len(labels)]\n"
    )


def expansion(inputs: dict[str, Any], salt: str) -> Graph:
    graph = Graph("expansion")
    graph.function(partial(globals()["work_p0_or"], salt=salt), id="only", p0=_given(inputs))
    return graph


def fold(values: list[Any], salt: str = "") -> Any:
    return digest(salt, repr(values))


def stop(state: Any, salt: str = "") -> bool:
    return digest(salt, repr(state)) % 3 == 0


def build(spec: GraphSpec) -> Graph:
    """Make the graph that a spec describes."""
    graph = Graph(spec.name)
    for number, (name, default) in enumerate(spec.inputs.items()):
        kind = (Any, int | list[Any] | dict[str, Any] | None)[number % 2]
        graph.input(name, kind, default=NO_DEFAULT if default is None else default)
    for node in spec.nodes:
        _add(graph, node)
    graph.output(*(Ref(graph, id) for id in spec.outputs))
    return graph


def _add(graph: Graph, spec: NodeSpec) -> None:
    def ref(place: Place) -> Ref[Any]:
        return Ref(graph, place[0], frozenset(place[1]))

    policy = _policy(spec)
    after = [ref(place) for place in spec.after]
    after_end = [Ref(graph, id) for id in spec.after_end]
    if spec.kind == "merge":
        graph.merge(
            spec.id, [ref(place) for place in spec.sources], reducer=_reducer(spec),
            wait=spec.wait, tolerate_failures=spec.tolerate, after=after,
            after_end=after_end, policy=policy,
        )  # type: ignore[call-overload]  # fmt: skip
        return
    node = _node(spec, policy)
    bound = {p.name: p.value(ref) for p in spec.params}
    if isinstance(node, Branch) and isinstance(node.select, Label):
        bound = {"value": bound["p0"]}
    elif isinstance(node, Function) and node.fn is pick:
        bound = {"value": bound["p0"], "field": "x.y"}
    elif isinstance(node, LLM | Ask):
        names = [p.name for p in node.parameters()]
        bound = {name: value for name, value in bound.items() if name in names}
    graph.add(node, after=after, after_end=after_end, **bound)


def _reducer(spec: NodeSpec) -> Any:
    known = list(REDUCERS)
    choice = digest(spec.id, "reducer") % (len(known) + 3)
    if choice < len(known):
        return known[choice]
    return fold if choice == len(known) else partial(fold, salt=spec.id)


def _node(spec: NodeSpec, policy: Policy) -> Any:
    chance = digest(spec.id, "form")
    if spec.kind in ("llm", "ask"):
        text = TEXTS[chance % len(TEXTS)].replace("{p}", "{p0}" if spec.params else "")
        if spec.kind == "ask":
            return Ask(spec.id, text, OUTPUTS[chance % 5] or str, policy=policy)
        return _llm(spec, chance, text, policy)
    required = [p.name for p in spec.params if p.required]
    optional = [p.name for p in spec.params if not p.required]
    name = "_".join(["work", *sorted(required), "or", *sorted(optional)])
    if spec.kind == "function":
        if required == ["p0"] and not optional and chance % 5 == 0 and spec.params[0].source:
            return Function(spec.id, pick, policy=policy)
        made = partial(globals()[name], salt=spec.id, gives=spec.gives, mood=spec.mood)
        return Function(spec.id, made if chance % 3 else globals()[name], policy=policy)
    if spec.kind == "expand":
        return Function(
            spec.id, partial(globals()[f"expand_{name}"], salt=spec.id), True, policy=policy
        )
    if spec.kind == "branch":
        if len(spec.params) == 1 and spec.params[0].source and chance % 2:
            select: Any = Label("", spec.labels, spec.labels[0])
        else:
            select = partial(globals()[f"select_{name}"], salt=spec.id, labels=spec.labels)
        return Branch(spec.id, select, spec.labels, policy=policy)
    assert spec.body is not None
    body = build(spec.body)
    if spec.kind == "loop":
        until = (Condition(test="at_most", than=2**31), stop, partial(stop, salt=spec.id))
        return Loop(
            spec.id, body, spec.max_iterations, until[chance % 3] if spec.has_until else None,
            "state" if chance % 2 else None, policy=policy,
        )  # fmt: skip
    if spec.kind == "map":
        return Map(spec.id, body, None, spec.max_items, spec.on_item_error, policy=policy)  # type: ignore[arg-type]
    return Subgraph(spec.id, body, policy=policy)


def _llm(spec: NodeSpec, chance: int, text: str, policy: Policy) -> Any:
    more: dict[str, Any] = {"model": "m" if chance % 2 else "", "stop": ("\n", "END")}
    if chance % 3 == 0:
        more |= {"system": "Be {p0}" if spec.params else "Be", "max_tokens": 7, "temperature": 0.0}
    if chance % 7 == 0:
        more = {"extra": {"a": [1, 2.5, None, {"b": "no"}]}, "provider": "p"}
    if chance % 5 == 0:
        labels = {"yes": "true", "no": "false" if chance % 2 else "no"}
        return LLM(spec.id, prompt=text, choices=labels, policy=policy, **more)
    if chance % 5 == 1:
        turns: Any = [{"role": "user", "content": text}, {"role": "assistant", "content": "ok"}]
        return LLM(spec.id, messages=turns, policy=policy, **more)
    return LLM(spec.id, prompt=text, output=OUTPUTS[chance % 6], policy=policy, **more)


def _policy(spec: NodeSpec) -> Policy:
    fallback: Any = NO_FALLBACK if spec.fallback is None else spec.fallback
    if isinstance(fallback, GraphSpec):
        fallback = build(fallback)
    elif spec.fallback is not None and digest(spec.id, "fallback") % 3 == 0:
        fallback = LLM(f"{spec.id}_else", prompt="Else")
    retry = None
    if spec.attempts is not None:
        retry = Retry(spec.attempts, spec.base_delay, on=spec.retry_on)
    return Policy(
        retry=retry, attempt_timeout_seconds=spec.attempt_timeout, timeout_seconds=spec.timeout,
        on_error=spec.on_error, fallback=fallback, priority=spec.priority,
        resources=spec.resources, keep=spec.keep,
    )  # type: ignore[arg-type]  # fmt: skip
