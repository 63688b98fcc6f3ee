"""The graphs of step patterns: which node reads which, before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch import DefinitionError, Graph, Policy
from dagorch.errors import InvalidOutputError
from dagorch.models.llm import LLMResponse
from dagorch.nodes.llm import LLM
from dagorch.patterns.conditional import Decision, conditional_graph
from dagorch.patterns.iterative import iterative_graph
from dagorch.patterns.loop_state import Pass, model_results
from dagorch.patterns.sequential import sequential_graph
from dagorch.patterns.steps import ModelSettings, Step, add_steps


def reads(graph: Graph, id: str) -> list[str]:
    """Return the ids of the nodes whose values a step reads."""
    results = (graph.entries[id].bindings or {})["results"]
    return [ref.id for ref in getattr(results, "refs", ())]


def nothing(results: Any) -> Any:
    """Do nothing."""


@given(
    st.lists(
        st.text("ab/[] ", min_size=1, max_size=3).filter(str.strip),
        unique=True,
        min_size=1,
        max_size=6,
    )
)
def test_each_step_reads_all_before_it_with_any_names(names: list[str]) -> None:
    steps = [Step(name, nothing if n % 2 else None) for n, name in enumerate(names)]
    graph = sequential_graph(steps, "Why?")
    ids = [node.id for node in graph]
    assert len(ids) == len(names)
    for place, id in enumerate(ids):
        assert reads(graph, id) == ids[:place]
    graph.compile()


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(DefinitionError, match="no steps"):
        sequential_graph([], "Why?")


def test_a_step_may_have_an_instruction_besides_its_name() -> None:
    graph = Graph("one")
    graph.input("task", str)
    add_steps(
        graph, [Step("short", instruction="Say it in a few words.")], ModelSettings(), Policy()
    )
    assert graph.entries["short"].bindings["step"] == "Say it in a few words."


def test_an_arm_follows_its_label_and_the_answer_follows_all_arms() -> None:
    decision = Decision("which?", question="Which?", labels=(("a", "a"), ("b", "b")))
    graph, refs = conditional_graph(
        decision, {"a": [Step("x"), Step("y")], "b": [Step("x")]}, "Why?"
    )
    assert {label: [ref.id for ref in chain] for label, chain in refs.items()} == {
        "a": ["x", "y"], "b": ["x-2"],
    }  # fmt: skip
    assert [ref.labels for ref in graph.entries["x-2"].after] == [frozenset({"b"})]
    assert [ref.id for ref in graph.entries["answer"].sources] == ["y", "x-2"]
    graph.compile()


def test_a_pass_reads_the_one_before_and_the_check_reads_the_pass() -> None:
    graph = iterative_graph([Step("a"), Step("b")], nothing, "check", 3, "Why?")
    loop: Any = graph.node("passes")
    assert reads(loop.body, "a") == ["last"]
    assert reads(loop.body, "b") == ["last", "a"]
    assert reads(loop.body, "check") == ["last", "a", "b"]
    assert loop.max_iterations == 3
    graph.compile()


@pytest.mark.parametrize(
    ("results", "text"),
    [(None, ""), ("x", "x"), ({"content": "x", "iteration": 1}, "x"), ([1], "[\n  1\n]")],
)
def test_a_pass_as_text_is_its_results(results: Any, text: str) -> None:
    assert str(Pass(1, results)) == text


@given(st.text("{}[]\"':,a1 \\\n", max_size=40))
def test_any_reply_has_results(reply: str) -> None:
    results = model_results(reply, 2)
    assert (results["content"], results["iteration"]) == (reply, 2)


LABELS = (("code", "code"), ("code review", "review"), ("other", "other"))


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("code", "code"),
        ("Code review.", "review"),
        ("It is a code review, I think", "review"),
        ("other, not code", "other"),
        ('```json\n{"value": "other"}\n```', "other"),
        ("encoded", None),
        ("either other or code", None),
        ("", None),
    ],
)
def test_the_label_of_a_reply(reply: str, label: str | None) -> None:
    node = LLM("which", prompt="Which?", choices=LABELS)
    response = LLMResponse(reply, "m")
    if label is None:
        with pytest.raises(InvalidOutputError, match="code, code review, other"):
            node.parse(response)
    else:
        assert node.parse(response) == label
