"""Fingerprints: the same for what does the same, another for what does not, in every process."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

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


def test_when_and_how_often_is_not() -> None:
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
