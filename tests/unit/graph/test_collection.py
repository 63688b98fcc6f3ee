"""Collections of refs as bindings: values, when a node runs, and refused collections."""

from __future__ import annotations

import sys
from collections import ChainMap, OrderedDict, UserDict, UserList, deque, namedtuple
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from itertools import chain
from types import MappingProxyType
from typing import Any, TypedDict

import pytest

from dagorch import LLM, DagorchError, DefinitionError, Graph, Policy, Ref
from dagorch.graph.collection import MAX_DEPTH, Collection, collect
from dagorch.models.result import Result
from dagorch.nodes import Function
from dagorch.testing import ScriptedProvider


def numbered(graph: Graph, *ids: str) -> list[Ref[Any]]:
    """Add a node for each id, whose value is its id."""

    def give(id: str) -> Any:
        async def node() -> str:
            return id

        return node

    return [graph.function(give(id), id=id) for id in ids]


async def show(texts: Any) -> Any:
    return texts


async def with_default(texts: Any = "default", other: Any = None) -> Any:
    return texts


def problems(graph: Graph) -> str:
    with pytest.raises(DefinitionError) as caught:
        graph.compile()
    return str(caught.value)


def ran(graph: Graph, **options: Any) -> Result:
    return graph.run_sync(**options)


# -- values of collections ------------------------------------------------------------------------


def test_the_order_is_that_of_the_collection_and_not_of_the_nodes() -> None:
    graph = Graph()
    a, b, c = numbered(graph, "a", "b", "c")
    listed = graph.function(show, id="listed", texts=[c, a, b])
    keyed = graph.function(show, id="keyed", texts={"y": b, "x": a})
    tupled = graph.function(show, id="tupled", texts=(b, a))
    result = ran(graph)
    assert result[listed] == ["c", "a", "b"]
    assert list(result[keyed].items()) == [("y", "b"), ("x", "a")]
    assert result[tupled] == ("b", "a")


def test_a_ref_may_appear_twice_and_beside_constants() -> None:
    graph = Graph()
    a, b = numbered(graph, "a", "b")
    x = graph.input("x", int)
    node = graph.function(show, texts=[a, a, 3, None, b, "a", x], id="node")
    assert ran(graph, x=7)[node] == ["a", "a", 3, None, "b", "a", 7]


def test_collections_nest() -> None:
    graph = Graph()
    a, b = numbered(graph, "a", "b")
    node = graph.function(show, texts={"in": [a, (b, 1), {2: a}], "out": [1, {"k": [2]}]}, id="n")
    assert ran(graph)[node] == {"in": ["a", ("b", 1), {2: "a"}], "out": [1, {"k": [2]}]}


def test_containers_without_refs_are_constants_that_are_passed_as_they_are() -> None:
    graph = Graph()
    constants: list[Any] = [[], {}, (), [1, [2]], {1, 2}, deque([1])]
    cyclic: list[Any] = [1]
    cyclic.append(cyclic)
    constants.append(cyclic)
    for number, constant in enumerate(constants):
        graph.function(show, texts=constant, id=f"n{number}")
    result = ran(graph)
    for number, constant in enumerate(constants):
        assert result[f"n{number}"] is constant
        assert not graph.compile().collections


def test_the_collection_is_read_when_the_node_is_added() -> None:
    graph = Graph()
    a, b = numbered(graph, "a", "b")
    texts = [a]
    node = graph.function(show, texts=texts, id="node")
    texts.append(b)
    assert ran(graph)[node] == ["a"]


def test_each_run_gets_a_list_of_its_own() -> None:
    async def spoil(texts: list[str]) -> int:
        texts.append("more")
        return len(texts)

    graph = Graph()
    node = graph.function(spoil, texts=numbered(graph, "a"))
    assert [ran(graph)[node], ran(graph)[node]] == [2, 2]


def test_a_function_of_any_keywords_and_a_prompt_take_collections() -> None:
    async def anything(**inputs: Any) -> dict[str, Any]:
        return inputs

    graph = Graph()
    a, b = numbered(graph, "a", "b")
    node = graph.function(anything, texts=[a, b], parts={"b": b})
    prompt = graph.add(LLM("llm", prompt="Weigh: {views}"), views=[a, b])
    provider = ScriptedProvider("Weighed.")
    result = ran(graph, provider=provider)
    assert result[node] == {"texts": ["a", "b"], "parts": {"b": "b"}}
    assert result[prompt] == "Weighed."
    assert provider.requests[0].messages[0].content == "Weigh: 1. a\n\n2. b"


def test_containers_take_collections() -> None:
    graph = Graph()
    a, b = numbered(graph, "a", "b")
    body = Graph("body")
    state, extra = body.input("state"), body.input("extra")
    body.function(show, id="pass", texts=[state, extra])
    looped = graph.loop("looped", body, max_iterations=2, state=[a], extra={"b": b})
    inside = graph.subgraph(body, id="inside", state=(b,), extra=1)
    mapped = graph.map(Function("each", show), over=[b, a, "c"], id="mapped")
    with_others = graph.map(body, over=["c"], id="others", extra=[a, b], item_input="state")
    result = ran(graph)
    assert result[looped] == [[["a"], {"b": "b"}], {"b": "b"}]
    assert result[inside] == [("b",), 1]
    assert result[mapped] == ["b", "a", "c"]
    assert result[with_others] == [["c", ["a", "b"]]]


def test_a_branch_and_a_decorator_take_collections() -> None:
    graph = Graph()
    a, b = numbered(graph, "a", "b")
    branch = graph.branch("many", lambda texts: len(texts) > 1, texts=[a, b])

    @graph.function(after=branch["true"], texts=(a, b))
    async def joined(texts: tuple[str, ...]) -> str:
        return "+".join(texts)

    assert ran(graph)[joined] == "a+b"


@pytest.mark.parametrize("retain", ["all", "outputs"])
def test_values_are_kept_until_a_collection_has_read_them(retain: str) -> None:
    graph = Graph()
    a, b = numbered(graph, "a", "b")
    middle = graph.function(show, id="middle", texts=b)
    node = graph.function(show, id="node", texts=[a, [middle], a])
    graph.output(node)
    result = ran(graph, retain=retain)
    assert result[node] == ["a", ["b"], "a"]
    if retain == "outputs":
        with pytest.raises(DagorchError, match="retain='all'"):
            result[a]


# -- dead and broken edges ------------------------------------------------------------------------


def skipping(graph: Graph) -> Ref[Any]:
    """A node that is skipped."""
    branch = graph.branch("never", lambda: False)
    return graph.function(show, id="skipped", texts=1, after=branch["true"])


def failing(graph: Graph) -> Ref[Any]:
    async def fails() -> str:
        raise ValueError("no")

    return graph.function(fails, policy=Policy(on_error="continue"))


def test_one_dead_edge_skips_the_node() -> None:
    graph = Graph()
    (a,) = numbered(graph, "a")
    node = graph.function(show, texts=[a, skipping(graph)], id="node")
    keyed = graph.function(show, texts={"a": [a, {"s": Ref(graph, "skipped")}]}, id="keyed")
    graph.output(a)
    result = ran(graph)
    assert result.get(node).end == result.get(keyed).end == "skipped"


def test_a_default_stands_for_the_whole_parameter() -> None:
    graph = Graph()
    a, b = numbered(graph, "a", "b")
    skipped = skipping(graph)
    node = graph.function(with_default, texts=[a, skipped], other=[b], id="node")
    alone = graph.function(with_default, texts=[skipped, skipped], id="alone")
    graph.output(node)
    result = ran(graph)
    assert result[node] == "default"
    assert result.get(alone).end == "skipped"  # no edge of it is alive


def test_a_labelled_edge_of_a_collection_is_required_in_spite_of_a_default() -> None:
    graph = Graph()
    (a,) = numbered(graph, "a")
    branch = graph.branch("choice", lambda: True)
    taken = graph.function(with_default, texts=[a, branch["true"]], id="taken")
    dead = graph.function(with_default, texts=[a, branch["false"]], id="dead")
    result = ran(graph)
    assert result[taken] == ["a", "true"]
    assert result.get(dead).end == "skipped"


def test_one_broken_edge_blocks_the_node() -> None:
    graph = Graph()
    (a,) = numbered(graph, "a")
    broken = failing(graph)
    node = graph.function(show, texts=[a, broken], id="node")
    optional = graph.function(with_default, texts=[a, broken], id="optional")
    graph.output(a)
    result = ran(graph)
    assert result.get(node).end == result.get(optional).end == "blocked"


def test_a_fallback_gets_the_collection_of_the_failed_node() -> None:
    async def fails(texts: list[str]) -> str:
        raise ValueError(texts)

    async def join(texts: list[str]) -> str:
        return "".join(texts)

    graph = Graph()
    policy = Policy(fallback=Function("join", join))
    node = graph.function(fails, texts=numbered(graph, "a", "b"), policy=policy)
    assert ran(graph)[node] == "ab"


# -- refused collections --------------------------------------------------------------------------


def test_a_ref_of_another_graph_is_named_with_its_place() -> None:
    graph, other = Graph("mine"), Graph("other")
    (a,) = numbered(graph, "a")
    (b,) = numbered(other, "b")
    graph.function(show, texts={"x": a, "y": [b]}, id="node")
    assert "input 'texts[y][0]' of node 'node' reads 'b' of graph 'other'" in problems(graph)


def test_a_ref_that_is_not_in_the_graph() -> None:
    graph = Graph()
    (a,) = numbered(graph, "first")
    graph.function(show, texts=[a, Ref(graph, "frist")], id="node")
    assert "node 'node' depends on 'frist', which is not in graph" in problems(graph)
    assert "did you mean 'first'" in problems(graph)


def test_a_cycle_through_a_collection_is_found() -> None:
    graph = Graph()
    graph.function(show, id="a", texts=[Ref(graph, "b")])
    graph.function(show, id="b", texts={"a": Ref(graph, "a")})
    assert "a -> b -> a" in problems(graph)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda ref: {ref}, "a set cannot hold refs; pass them in a list, a tuple or a dict"),
        (lambda ref: [frozenset([ref])], "a frozenset cannot hold refs"),
        (lambda ref: deque([ref]), "a deque cannot hold refs"),
        (lambda ref: OrderedDict(a=ref), "a OrderedDict cannot hold refs"),
        (lambda ref: namedtuple("Pair", "x y")(ref, 1), "a Pair cannot hold refs"),
        (lambda ref: {ref: 1}, "a ref cannot be the key of a dict"),
        (lambda ref: {(ref, 1): 1}, "a ref cannot be the key of a dict"),
        (lambda ref: {"x": ref}.values(), "a dict_values cannot hold refs; pass them in a list"),
        (lambda ref: {"x": ref}.items(), "a dict_items cannot hold refs"),
        (lambda ref: {ref: 1}.keys(), "a dict_keys cannot hold refs"),
        (lambda ref: MappingProxyType({"x": ref}), "a mappingproxy cannot hold refs"),
        (lambda ref: ChainMap({"x": ref}), "a ChainMap cannot hold refs"),
        (lambda ref: UserDict({"x": [ref]}), "a UserDict cannot hold refs"),
        (lambda ref: UserList([ref]), "a UserList cannot hold refs"),
        (lambda ref: [{"x": ref}.values()], "a dict_values cannot hold refs"),
    ],
)
def test_refs_in_other_containers_are_refused(make: Any, message: str) -> None:
    graph = Graph()
    graph.function(show, texts=make(numbered(graph, "a")[0]), id="node")
    assert f"input 'texts' of node 'node': {message}" in problems(graph)


@pytest.mark.parametrize(
    "make",
    [
        lambda ref: (item for item in [ref]),
        lambda ref: map(str, [1]),
        lambda ref: zip([1], [ref], strict=True),
        lambda ref: iter([1]),
        lambda ref: iter({"x": ref}.values()),
        lambda ref: chain([1]),
        lambda ref: [1, reversed([1])],
        lambda ref: [ref, reversed([1])],
    ],
)
def test_an_iterator_is_refused_because_it_serves_one_run(make: Any) -> None:
    graph = Graph()
    graph.function(show, texts=make(numbered(graph, "a")[0]), id="node")
    text = "is empty after the first run; pass its items in a list or a dict"
    assert "input 'texts' of node 'node': a " in problems(graph)
    assert text in problems(graph)


def test_a_map_over_an_iterator_is_refused() -> None:
    graph = Graph()
    graph.map(Function("each", show), over=map(str, [1]))
    assert "input 'texts' of node 'each': a map is empty after the first run" in problems(graph)


def test_a_constant_that_is_more_than_its_items_is_accepted() -> None:
    graph = Graph()
    for number, constant in enumerate([StringIO("text"), {"x": 1}.values(), UserDict(x=1)]):
        node = graph.function(show, texts=constant, id=f"n{number}")
        assert ran(graph)[node] is constant


def test_refs_nest_up_to_the_maximum_depth() -> None:
    def nested(depth: int) -> Any:
        value: Any = Ref(None, "a")
        for _ in range(depth):
            value = [value]
        return value

    assert isinstance(collect(nested(MAX_DEPTH)), Collection)
    with pytest.raises(DefinitionError, match="nested more than 8 deep"):
        collect(nested(MAX_DEPTH + 1))
    endless: list[Any] = [Ref(None, "a")]
    endless += [endless] * 20
    with pytest.raises(DefinitionError, match="nested more than 8 deep"):
        collect(endless)


class Names(TypedDict):
    first: str
    last: str


@pytest.mark.parametrize(
    ("wanted", "make", "message"),
    [
        (list[int], lambda a: [1, a], "takes list[int], but 'a' at texts[1] gives str"),
        (Sequence[int], lambda a: [a], "takes Sequence[int], but 'a' at texts[0] gives str"),
        (dict[str, int], lambda a: {"x": a}, "takes dict[str, int], but 'a' at texts[x] gives str"),
        (dict[int, str], lambda a: {"x": a}, "but 'a' at texts[x] gives str"),
        (list[str], lambda a: [a, 1], "takes list[str], but texts[1] is 1"),
        (
            list[list[int]],
            lambda a: [[a]],
            "takes list[list[int]], but texts[0] is [<dagorch.Ref 'a'>]",
        ),
        (list[str], lambda a: {"x": a}, "takes list[str], but is bound to a dict of refs"),
        (str, lambda a: [a], "takes str, but is bound to a list of refs"),
        (dict[str, str], lambda a: (a,), "but is bound to a tuple of refs"),
        (tuple[str, int], lambda a: (a, a), "but its items give tuple[str, str]"),
        (tuple[str, str], lambda a: (a,), "but its items give tuple[str]"),
        (list[str] | None, lambda a: [1, a], "takes list[str] | None, but texts[0] is 1"),
    ],
)
def test_items_that_cannot_match_are_named(wanted: Any, make: Any, message: str) -> None:
    graph = Graph()

    async def give() -> str: ...

    async def take(texts: Any) -> None: ...

    take.__annotations__["texts"] = wanted
    graph.function(take, id="node", texts=make(graph.function(give, id="a")))
    text = problems(graph)
    assert "input 'texts' of node 'node'" in text
    assert message in text


@pytest.mark.parametrize(
    ("wanted", "make"),
    [
        (list[str], lambda a: [a, "b", None]),
        (Iterable[str], lambda a: [a]),
        (Sequence[str], lambda a: (a, "b")),
        (tuple[str, int], lambda a: (a, 1)),
        (tuple[str, ...], lambda a: (a, a, a)),
        (Mapping[str, str], lambda a: {"x": a}),
        (Names, lambda a: {"first": a, "last": a}),
        (list[str | int], lambda a: [a, 1]),
        (list[str] | str, lambda a: [a]),
        (list[list[str]], lambda a: [[a, "b"], ["c"], []]),
        (dict[str, dict[str, Any]], lambda a: {"x": {"y": a, "z": 1}}),
        (Any, lambda a: [a]),
        (object, lambda a: {"x": a}),
        (list, lambda a: [a]),
    ],
)
def test_items_that_may_match_are_accepted(wanted: Any, make: Any) -> None:
    graph = Graph()

    async def give() -> str: ...

    async def take(texts: Any) -> None: ...

    take.__annotations__["texts"] = wanted
    graph.function(take, id="node", texts=make(graph.function(give, id="a")))
    graph.compile()


def test_a_map_checks_the_items_of_its_collection() -> None:
    async def give() -> str: ...

    async def double(item: int) -> int: ...

    graph = Graph()
    a = graph.function(give, id="a")
    graph.map(Function("double", double), over=[1, a])
    graph.map(Function("triple", double), over={"a": a})
    text = problems(graph)
    assert "map 'double' runs over Iterable[int], but 'a' at item[1] gives str" in text
    assert "map 'triple' runs over a dict of refs, which is not a sequence; pass a list" in text


# -- fingerprints and networkx --------------------------------------------------------------------


def fingerprint_of(make: Any) -> str:
    graph = Graph()
    a, b = Ref(graph, "a"), Ref(graph, "b")
    for id in ("a", "b"):
        graph.function(show, id=id, texts=1)
    graph.function(show, id="node", texts=make(a, b))
    return graph.fingerprint


def test_graphs_with_different_collections_have_different_fingerprints() -> None:
    makers = [
        lambda a, b: [a, b],
        lambda a, b: [b, a],
        lambda a, b: (a, b),
        lambda a, b: [[a, b]],
        lambda a, b: [a, a, b],
        lambda a, b: [a, b, 1],
        lambda a, b: [a, b, True],
        lambda a, b: [a, b, {"ref": "a", "labels": []}],
        lambda a, b: {"x": a, "y": b},
        lambda a, b: {"y": b, "x": a},
        lambda a, b: {"x": b, "y": a},
        lambda a, b: {0: a, 1: b},
        lambda a, b: {"0": a, "1": b},
    ]
    found = [fingerprint_of(make) for make in makers]
    assert len(set(found)) == len(found)
    assert found == [fingerprint_of(make) for make in makers]


def test_the_fingerprint_of_a_graph_without_collections_is_what_it_was() -> None:
    graph = Graph()
    graph.add(LLM("draft", prompt="Write on {topic}."), topic="bees")
    graph.add(LLM("report", prompt="Polish: {draft}"))
    assert graph.fingerprint == "818ba9b4947c1baff40a4bed184e1290"


def test_edges_of_networkx_name_the_place_in_the_collection() -> None:
    graph = Graph()
    a, b = numbered(graph, "a", "b")
    graph.function(show, id="node", texts={"x": a, "y": [b, a]})
    assert graph.nx.edges["a", "node"]["bindings"] == ("texts[x]", "texts[y][1]")
    assert graph.nx.edges["b", "node"]["bindings"] == ("texts[y][0]",)


def test_the_sinks_of_a_graph_do_not_include_what_a_collection_reads() -> None:
    graph = Graph()
    graph.function(show, id="node", texts=numbered(graph, "a", "b"))
    assert graph.sinks() == ["node"]


# -- size -----------------------------------------------------------------------------------------


def wide(size: int) -> tuple[Graph, Ref[Any]]:
    graph = Graph()
    x = graph.input("x", int)
    refs = [graph.function(show, id=f"n{number}", texts=x) for number in range(size)]
    return graph, graph.function(show, id="node", texts=[*refs, {"more": refs}])


def test_ten_thousand_refs_reach_one_node() -> None:
    graph, node = wide(10_000)
    values = [1] * 10_000
    assert ran(graph, x=1, retain="outputs")[node] == [*values, {"more": values}]


def test_compiling_takes_linear_time_in_the_number_of_refs() -> None:
    def calls(size: int) -> int:
        graph, _ = wide(size)
        counted = 0

        def count(*_: Any) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count)
        try:
            assert len(graph.compile().slots_read(size)) == size
            assert graph.nx.in_degree("node") == size
        finally:
            sys.setprofile(None)
        return counted

    calls(10)
    assert calls(1_000) < 11 * calls(100)
