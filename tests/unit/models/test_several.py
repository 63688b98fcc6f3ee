"""A single value is one element, in every option that takes several."""

from __future__ import annotations

from typing import Any

import pytest

from dagorch import LLM, DefinitionError, DreamSwarmConfig, Graph, OrchestratorConfig, SubTask
from dagorch.files import load_graph, parse_graph
from dagorch.models.llm import Message, ToolSpec
from dagorch.models.messages import build_request
from dagorch.models.several import several
from dagorch.nodes import Branch
from dagorch.testing import ScriptedProvider


def tool(city: str) -> str:
    """Return the weather."""
    return city


SPEC = ToolSpec("t", "A tool.", {"type": "object"})
HELLO = Message("user", "Hello")

ONE_FOR_SEVERAL: list[tuple[Any, Any]] = [
    (LLM("x", prompt="?", stop="END").stop, ("END",)),
    (LLM("x", prompt="?", stop=["END", "STOP"]).stop, ("END", "STOP")),
    (LLM("x", prompt="?", stop=iter(["END", "STOP"])).stop, ("END", "STOP")),
    (LLM("x", prompt="?", tools=tool).tools, (tool,)),
    (LLM("x", prompt="?", tools=[tool]).tools, (tool,)),
    (LLM("x", messages=HELLO).messages, (HELLO,)),
    (LLM("x", messages={"role": "user", "content": "Hello"}).messages, (HELLO,)),
    (Branch("x", bool, "true").labels, ("true",)),
    (Message("user", "Look", images="https://x.org/a.png").images, ("https://x.org/a.png",)),
    (Message("user", "Look", images=["a", "b"]).images, ("a", "b")),
    (build_request([HELLO], None, {"stop": "END"}).stop, ("END",)),
    (build_request([HELLO], None, {"stop": None}).stop, ()),
    (build_request([HELLO], None, {"tools": SPEC}).tools, (SPEC,)),
    (OrchestratorConfig(output_formats="pdf").output_formats, ["pdf"]),
    (OrchestratorConfig(steps="research").steps, ["research"]),
    (OrchestratorConfig(steps="research").validate(), []),
    (DreamSwarmConfig(domains="arxiv").domains, ["arxiv"]),
    (SubTask("b", "", dependencies="alpha").dependencies, ["alpha"]),
]


@pytest.mark.parametrize(("found", "wanted"), ONE_FOR_SEVERAL)
def test_one_value_is_one_element(found: Any, wanted: Any) -> None:
    assert found == wanted


def test_one_image_at_run_time_is_one_image() -> None:
    graph = Graph()
    graph.input("pictures")
    graph.add(LLM("look", prompt="What is it?", images="pictures"))
    provider = ScriptedProvider("A bee.")
    graph.run_sync(pictures="https://x.org/a.png", provider=provider)
    assert provider.requests[0].messages[0].images == ("https://x.org/a.png",)


def test_one_label_is_one_label() -> None:
    graph = Graph()
    way = graph.branch("way", lambda: "yes", "yes")
    assert way["yes"].labels == {"yes"}
    graph.function(tool, city="Rome", after=way["yes"])
    assert graph.run_sync().output == "Rome"


def test_one_module_is_one_module(tmp_path: Any) -> None:
    text = "nodes: {a: {function: 'tests.unit.files.own:nothing_like_this'}}"
    with pytest.raises(DefinitionError) as caught:
        parse_graph(text, modules="os")
    assert "modules=('tests.unit.files.own',)" in str(caught.value)
    path = tmp_path / "a.yaml"
    path.write_text("nodes: {a: {function: 'posixpath:basename', values: {p: a/b}}}")
    assert load_graph(path, modules="posixpath").run_sync().output == "b"


@pytest.mark.parametrize("value", [3, None, {"a": 1}, b"x"])
def test_neither_one_nor_several_is_refused(value: Any) -> None:
    with pytest.raises(DefinitionError, match=r"thing=.* must be one value or a list of values"):
        several(value, "thing")


@pytest.mark.parametrize("stop", [5, ["END", 5]])
def test_a_stop_that_is_not_text_is_refused(stop: Any) -> None:
    with pytest.raises(DefinitionError, match="LLM node 'x': stop="):
        LLM("x", prompt="?", stop=stop)
