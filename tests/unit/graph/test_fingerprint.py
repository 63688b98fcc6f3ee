"""Fingerprints: equal for graphs that do the same, different otherwise, in every process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Optional, Union

import pytest
from pydantic import create_model

from dagorch import LLM, Graph, Policy, Retry
from dagorch.nodes import Function


async def double(number: int) -> int:
    return 2 * number


async def triple(number: int) -> int:
    return 3 * number


def graph(fn: Any = double, *, policy: Policy | None = None, constant: int = 1) -> Graph:
    made = Graph("numbers")
    made.add(Function("step", fn, policy=policy or Policy()), number=constant)
    return made


def test_equal_graphs_have_equal_fingerprints() -> None:
    assert graph().fingerprint == graph().fingerprint


def test_what_a_node_does_is_part_of_it() -> None:
    known = {
        graph().fingerprint,
        graph(triple).fingerprint,
        graph(constant=2).fingerprint,
        graph(policy=Policy(fallback=0)).fingerprint,
        graph(policy=Policy(fallback=1)).fingerprint,
        graph(policy=Policy(fallback=Function("other", double))).fingerprint,
        graph(policy=Policy(fallback=Function("other", triple))).fingerprint,
    }
    assert len(known) == 7


def test_policies_are_not_part_of_the_fingerprint() -> None:
    policy = Policy(retry=Retry(attempts=9), timeout_seconds=5, priority=3)
    assert graph(policy=policy).fingerprint == graph().fingerprint


def test_a_version_stands_for_the_source() -> None:
    one = graph(double, policy=Policy(version="1"))
    same = graph(triple, policy=Policy(version="1"))
    other = graph(double, policy=Policy(version="2"))
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint != other.fingerprint


def test_a_prompt_and_a_body_are_part_of_it() -> None:
    def with_body(prompt: str) -> str:
        body = Graph("body")
        body.input("state", str)
        body.add(LLM("say", prompt=prompt))
        outer = Graph("outer")
        outer.loop("loop", body, max_iterations=2, state="x")
        return outer.fingerprint

    assert with_body("Say {state}") == with_body("Say {state}")
    assert with_body("Say {state}") != with_body("Sing {state}")


def test_closed_over_values_are_part_of_it() -> None:
    def made_with(factor: int) -> str:
        async def scale(number: int) -> int:
            return factor * number

        return graph(scale).fingerprint

    assert made_with(2) == made_with(2)
    assert made_with(2) != made_with(3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (list[str], list[int]),
        (dict[str, list[int]], dict[str, list[str]]),
        (Literal["a", "b"], Literal["a", "c"]),
        (str | None, int | None),
    ],
)
def test_an_output_type_is_part_of_it_with_its_arguments(one: Any, other: Any) -> None:
    def giving(output: Any) -> str:
        made = Graph("one")
        made.add(LLM("say", prompt="Say it", output=output))
        return made.fingerprint

    assert giving(one) == giving(one)
    assert giving(one) != giving(other)


def test_the_fields_of_an_output_type_and_what_a_node_does_with_the_reply_are_part_of_it() -> None:
    def giving(**fields: Any) -> str:
        made = Graph("one")
        made.add(LLM("say", prompt="Say it", output=create_model("Said", **fields)))
        return made.fingerprint

    class Loud(LLM[str]):
        def parse(self, response: Any) -> str:
            return str(LLM.parse(self, response)).upper()

    assert giving(score=(int, ...)) == giving(score=(int, ...))
    assert giving(score=(int, ...)) != giving(score=(float, ...))
    plain, loud = Graph("one"), Graph("one")
    plain.add(LLM("say", prompt="Say it"))
    loud.add(Loud("say", prompt="Say it"))
    assert plain.fingerprint != loud.fingerprint


def test_two_spellings_of_a_type_have_one_fingerprint() -> None:
    # The old spellings are the point, so no linter may modernise them.
    spelled: tuple[Any, Any] = (Optional[int], Union[int, None])  # noqa: UP007, UP045
    made = []
    for annotation in (*spelled, int | None):
        graph = Graph("one")
        graph.input("number", annotation)
        graph.function(double)
        made.append(graph.fingerprint)
    assert len(set(made)) == 1


@dataclass(frozen=True)
class Scale:
    factor: int

    def __call__(self, number: int) -> int:
        return self.factor * number

    def apply(self, number: int) -> int:
        return self.factor * number


class Shift:
    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, number: int) -> int:
        return self.by + number


def scaled(number: int, factor: int) -> int:
    return factor * number


def test_what_an_object_or_a_partial_was_made_with_is_part_of_it() -> None:
    known = {
        graph(Scale(2)).fingerprint,
        graph(Scale(3)).fingerprint,
        graph(Scale(2).apply).fingerprint,
        graph(Scale(3).apply).fingerprint,
        graph(Shift(2)).fingerprint,
        graph(Shift(3)).fingerprint,
        graph(partial(scaled, factor=2)).fingerprint,
        graph(partial(scaled, factor=3)).fingerprint,
        graph(partial(double)).fingerprint,
        graph(partial(triple)).fingerprint,
    }
    assert len(known) == 10
    assert graph(Shift(2)).fingerprint == graph(Shift(2)).fingerprint
    assert graph(Scale(2)).fingerprint == graph(Scale(2)).fingerprint
    assert graph(partial(scaled, factor=2)).fingerprint in known


def test_it_is_the_same_in_another_process() -> None:
    code = (
        "from dagorch import LLM, Graph\n"
        "g = Graph('g'); g.input('x', str); g.add(LLM('a', prompt='Say {x}', stop=('b', 'c')))\n"
        "print(g.fingerprint)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
