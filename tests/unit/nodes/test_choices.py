"""What files and Python both have: a choice between words, and a field of a value."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from dagorch import LLM, DefinitionError, Graph, RunError
from dagorch.files import dump_graph, parse_graph
from dagorch.testing import ScriptedProvider, run_virtual


class Report(BaseModel):
    title: str


def report() -> Report:
    return Report(title="Bees")


def test_the_value_is_the_word_that_the_model_chose() -> None:
    graph = Graph()
    asked = graph.add(LLM("ask", prompt="Is it?", choices=["yes", "no"]))
    provider = ScriptedProvider("**Yes**, it is.")
    assert graph.run_sync(provider=provider)[asked] == "yes"
    assert provider.requests[0].json_schema is not None
    assert graph.node("ask").output_type() == Literal["yes", "no"]


def test_a_mapping_gives_each_word_a_label() -> None:
    graph = Graph()
    way = graph.branch(
        "way", lambda ask: ask, ["code", "other"],
        ask=graph.add(LLM("ask", prompt="?", choices={"bug": "code", "praise": "other"})),
    )  # fmt: skip
    graph.function(report, after=way["code"])
    result = graph.run_sync(provider=ScriptedProvider('{"value": "bug"}'))
    assert (result["ask"], result["report"].title) == ("code", "Bees")


def test_a_reply_that_is_none_of_the_words_is_asked_again() -> None:
    graph = Graph()
    graph.add(LLM("ask", prompt="?", choices=["yes", "no"]))
    provider = ScriptedProvider(["perhaps", "no"])

    async def run() -> Any:
        return (await graph.run(provider=provider)).output

    assert run_virtual(run) == "no"
    assert "not one of these words: yes, no" in provider.requests[1].messages[-1].content
    never = ScriptedProvider("perhaps")

    async def fail() -> None:
        await graph.run(provider=never)

    with pytest.raises(RunError, match="not one of these words"):
        run_virtual(fail)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"choices": ["yes", 3]}, "choices=.* must be a list of words"),
        ({"choices": ["yes", ""]}, "choices=.* must be a list of words"),
        ({"choices": {"yes": 1}}, "choices=.* must be a list of words"),
        ({"choices": []}, r"choices=\[\] has no word"),
        ({"choices": {}}, r"choices=\{\} has no word"),
        ({"choices": 3}, "choices=3 must be one value or a list"),
        ({"choices": ["Yes", "yes"]}, "has a word twice; case does not count"),
        ({"choices": ["yes"], "output": Report}, "choices define the output; leave output= out"),
    ],
)
def test_wrong_choices_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=f"LLM node 'x'.*{message}"):
        LLM("x", prompt="?", **options)


def test_a_field_is_picked() -> None:
    graph = Graph()
    graph.output(graph.pick("title", graph.function(report), "title"))
    assert graph.run_sync().output == "Bees"


def test_a_field_that_cannot_be_there_is_refused() -> None:
    graph = Graph()
    graph.pick("title", graph.function(report), "titel")
    with pytest.raises(DefinitionError, match="node 'title' picks 'titel', but Report has no fiel"):
        graph.compile()


def test_a_file_and_python_make_the_same_graph() -> None:
    file = parse_graph("""
        inputs: {report: Any}
        nodes:
          ask: {prompt: "Is it?", choices: {"yes": code, "no": other}}
          title: {pick: report, field: title}
          way: {branch: ask, labels: [code, other]}
          more: {prompt: "More.", when: {way: code}, retry: 3}
    """)
    assert parse_graph(dump_graph(file)).fingerprint == file.fingerprint
    from dagorch.nodes.conditions import Label

    graph = Graph("graph")
    source = graph.input("report")
    asked = graph.add(LLM("ask", prompt="Is it?", choices={"yes": "code", "no": "other"}))
    graph.pick("title", source, "title")
    way = graph.branch("way", Label(), ["code", "other"], value=asked)
    graph.add(LLM("more", prompt="More."), after=way["code"])
    assert graph.fingerprint == file.fingerprint
