"""Random graphs, written and loaded as YAML and JSON: same fingerprint, same text, same run."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagorch import Graph, RunError
from dagorch.errors import DefinitionError
from dagorch.files import dump_graph, parse_graph
from dagorch.files.syntax import parse_text
from dagorch.files.yaml_text import yaml_text
from dagorch.testing import ScriptedProvider, run_virtual
from tests.property.graphs import LIMITS, generate, with_collections
from tests.property.referable import build
from tests.property.spec import GraphSpec

MODULES = ("tests.property",)


def random_graph(chance: random.Random, **options: Any) -> tuple[GraphSpec, Graph]:
    """Return a random graph that compiles, with collections of refs. A few do not compile."""
    while True:
        spec = with_collections(generate(chance, **options), chance)
        graph = build(spec)
        try:
            graph.compile()
        except DefinitionError:
            continue
        return spec, graph


def round_trip(graph: Graph, format: Any) -> Graph:
    text = dump_graph(graph, format)
    again = parse_graph(text, modules=MODULES)
    assert again.fingerprint == graph.fingerprint
    assert list(again.entries) == list(graph.entries)
    assert again.name == graph.name
    assert dump_graph(again, format) == text
    return again


def policies(graph: Graph) -> list[Any]:
    """Return the policies of a graph and of its bodies and fallbacks, as far as they are data."""
    found: list[Any] = []
    for entry in graph.entries.values():
        policy = entry.node.policy
        fallback = policy.fallback
        plain = not hasattr(fallback, "entries") and not hasattr(fallback, "policy")
        found.append((policy.retry, policy.timeout_seconds, policy.priority, policy.resources,
                      policy.keep, policy.on_error, fallback if plain else None))  # fmt: skip
        for inner in (getattr(entry.node, "body", None), fallback):
            if hasattr(inner, "entries"):
                found += policies(inner)
    return found


@pytest.mark.parametrize("format", ["yaml", "json"])
@given(chance=st.randoms(use_true_random=False))
def test_a_loaded_graph_equals_the_written_one(format: str, chance: random.Random) -> None:
    _, graph = random_graph(chance)
    again = round_trip(graph, format)
    assert policies(again) == policies(graph)


def without_people(spec: GraphSpec) -> bool:
    return all(node.kind != "ask" for node in spec.everything())


def outcome(graph: Graph) -> Any:
    """Run a graph, and return the end of each node run and the values."""

    async def run() -> Any:
        provider = ScriptedProvider("yes", name="p", default_model="m")
        try:
            result = await graph.run(
                x=3, provider={"m": provider, "p": provider}, limits=LIMITS, seed=1, max_parallel=1
            )
        except RunError as error:
            result = error.partial_results
            if result is None:
                return type(error), str(error)
        ends = {path: (run.end, run.attempts) for path, run in result.node_runs.items()}
        return ends, repr(result.values)

    return run_virtual(run)


@given(chance=st.randoms(use_true_random=False), format=st.sampled_from(["yaml", "json"]))
@settings(max_examples=20)
def test_it_runs_the_same(chance: random.Random, format: str) -> None:
    spec, graph = random_graph(chance, size=8)
    if without_people(spec):
        assert outcome(round_trip(graph, format)) == outcome(graph)


@pytest.mark.full
@pytest.mark.parametrize("first", range(0, 4_000, 500))
def test_thousands_load_and_run_the_same(first: int) -> None:
    for seed in range(first, first + 500):
        spec, graph = random_graph(random.Random(seed))
        again = round_trip(graph, ("yaml", "json")[seed % 2])
        assert policies(again) == policies(graph), seed
        if without_people(spec):
            assert outcome(again) == outcome(graph), seed


# Half characters and control characters are refused, not lost.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(["no", "1e3", ".inf", "0o7", "1_000", "2026-01-01", "~", "=", "<<", "a: b"])
)


@given(
    st.dictionaries(
        TEXTS,
        st.recursive(
            SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20
        ),
        max_size=4,
    )
)
@settings(max_examples=2 * settings.default.max_examples)
def test_any_plain_data_survives_yaml(data: Any) -> None:
    tree = parse_text(yaml_text(data))
    assert tree is not None
    assert tree.plain() == data
    assert repr(tree.plain()) == repr(data)
