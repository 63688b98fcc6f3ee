"""Files with random defects are refused with a place, and never crash the loader."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dagorch.errors import DefinitionError, Problem
from dagorch.files import parse_graph
from dagorch.files.fields import COMMON, GRAPH, KINDS

VALID = """
inputs: {text: str, more: {type: "list[int]", default: [1]}, of: {type: {type: string}}}
nodes:
  ask: {prompt: "Say {text}", system: s, output: {type: object, properties: {n: {type: integer}}},
        retry: {attempts: 2, on: [OSError]}, fallback: {value: 1}, stop: [x], extra: {a: [1]}}
  turns: {messages: [{role: user, content: "{text}", images: [i]}], choices: [a, b]}
  sum: {function: {function: "dagorch.patterns.partition:join_texts", with: {max_bytes: 9}},
        values: {texts: [a]}}
  part: {pick: ask, field: n}
  way: {branch: ask, field: n, at_least: 3}
  kind: {branch: turns, labels: [a, b], otherwise: a}
  own: {select: "dagorch.nodes.reducers:first", labels: [a], inputs: {values: more}}
  all: {merge: [ask, {node: way, label: true}], reducer: list, wait: any}
  loop: {loop: {prompt: "{state}"}, values: {state: 1}, until: {field: a, is: 1},
         max_iterations: 2}
  map: {map: {nodes: {x: {ask: "{item}", output: bool}}, inputs: [item]}, over: [1],
        when: {way: true}}
  sub: {subgraph: {nodes: {y: {prompt: y, fallback: {id: z, prompt: z}}}}, after: [ask, map]}
outputs: [sub, all]
"""
FIELDS = sorted({*COMMON, *GRAPH, *(name for kind in KINDS.values() for name in kind.fields)})
JUNK: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", "ask", "{", "{a.b}", "a:b", "os:system", "list[", "[" * 50,
    [], [[]], [None], ["x"], [1], {}, {"a": 1}, {"node": "x"}, {"node": 1},
    {"node": "way", "label": []}, {"function": "x"}, {"function": 1}, {"nodes": {}},
    {"nodes": None}, {"value": 1}, {"prompt": "x"}, {"type": "object"}, {"type": []},
    {"type": {"type": "x"}}, {"properties": {"a": 1}}, {"on": [1]}, "x" * 5_000, "a\0b",
    "dagorch.nodes.reducers:nope", "dagorch.patterns.loop_state:Pass", "Literal[", "lisst[str]",
]  # fmt: skip


def spoil(data: Any, chance: random.Random) -> Any:
    """Change one random thing."""
    if isinstance(data, (dict, list)) and data and chance.random() < 0.85:
        spoilt = copy.copy(data)
        keys: list[Any] = list(data) if isinstance(data, dict) else list(range(len(data)))
        key = chance.choice(keys)
        spoilt[key] = spoil(data[key], chance)
        return spoilt
    draw = chance.random()
    if isinstance(data, dict) and draw < 0.6:
        spoilt = dict(data)
        if draw < 0.2 and data:
            del spoilt[chance.choice(list(data))]
        else:
            spoilt[chance.choice([*FIELDS, "a", "nope"])] = chance.choice(JUNK)
        return spoilt
    return chance.choice(JUNK)


def attempt(chance: random.Random) -> None:
    data = yaml.safe_load(VALID)
    for _ in range(chance.randint(1, 4)):
        data = spoil(data, chance)
    text = json.dumps(data) if chance.random() < 0.5 else yaml.safe_dump(data)
    problems: Iterable[Problem] = ()
    try:
        parse_graph(text, file="f")
    except DefinitionError as error:
        problems = error.problems
    assert all(re.fullmatch(r"f:\d+:\d+", problem.where) for problem in problems)


def test_the_file_is_valid_at_first() -> None:
    assert len(parse_graph(VALID)) == 11


@given(st.randoms(use_true_random=False))
@settings(max_examples=2 * settings.default.max_examples)
def test_it_is_refused_without_a_crash(chance: random.Random) -> None:
    attempt(chance)


@pytest.mark.full
@pytest.mark.parametrize("first", range(0, 20_000, 5_000))
def test_thousands_are_refused_without_a_crash(first: int) -> None:
    for seed in range(first, first + 5_000):
        attempt(random.Random(seed))
