"""Loading of graphs: every kind of node, short forms, places of problems, references."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from dagorch import LLM, Graph, Policy, Retry
from dagorch.errors import CycleError, DefinitionError
from dagorch.files import dump_graph, load_graph, parse_graph
from dagorch.nodes import Ask, Function, Loop, Map, Merge
from dagorch.nodes.conditions import Condition
from dagorch.nodes.schema import schema_of
from dagorch.testing import ScriptedProvider
from tests.unit.files import own

OWN = ("tests.unit.files.own",)


def parse(text: str, modules: tuple[str, ...] = OWN) -> Graph:
    return parse_graph(textwrap.dedent(text), modules=modules, file="f.yaml")


def problems(text: str, modules: tuple[str, ...] = OWN) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        parse(text, modules)
    return [str(problem) for problem in caught.value.problems]


def test_a_file_loads_as_the_graph_that_python_builds() -> None:
    graph = Graph("compare")
    question = graph.input("question", str)
    angles = graph.add(
        LLM("angles", prompt="Angles on {question}", output=list[str]), question=question
    )
    views = graph.map(LLM("views", prompt="Argue {item}"), over=angles, max_parallel=4)
    graph.output(graph.add(LLM("report", prompt="Weigh {views} on {question}"), views=views))
    read = parse("""
        name: compare
        inputs: {question: str}
        nodes:
          angles: {prompt: "Angles on {question}", output: "list[str]"}
          views:
            map: {prompt: "Argue {item}"}
            over: angles
            max_parallel: 4
          report: {prompt: "Weigh {views} on {question}"}
        outputs: report
        """)
    assert read.fingerprint == graph.fingerprint
    assert read.name == graph.name


def test_json_and_yaml_load_the_same_graph(tmp_path: Path) -> None:
    graph = parse("nodes: {a: {prompt: 'Zürich: {{x}} \\t'}}")
    for ending in ("json", "yaml"):
        path = tmp_path / f"g.{ending}"
        text = dump_graph(graph, ending)  # type: ignore[arg-type]  # it is one of both
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())  # some editors write a byte order mark
        assert load_graph(path).fingerprint == graph.fingerprint
    assert load_graph(tmp_path / "g.json").name == "graph"
    (tmp_path / "named.yml").write_text("nodes: {a: {prompt: x}}")
    assert load_graph(tmp_path / "named.yml").name == "named"


def test_words_of_yaml_1_1_are_text() -> None:
    node: Any = parse("""
        nodes:
          a: {prompt: x, stop: [no, on, 2026-01-01, 1_000, "12"], extra: {n: 012, t: true}}
        """).node("a")
    assert node.stop == ("no", "on", "2026-01-01", "1_000", "12")
    assert node.extra == {"n": 12, "t": True}


def test_every_field_of_an_llm_node() -> None:
    node: Any = parse("""
        inputs: [topic, past, pictures]
        nodes:
          a:
            messages:
              - {role: system, content: "Be brief"}
              - {role: user, content: "On {topic}", images: ["https://e.org/i.png"]}
            history: past
            images: pictures
            output: tests.unit.files.own:Report
            model: m
            provider: p
            max_tokens: 10
            temperature: 0.5
            tools: [tests.unit.files.own:look_up]
            max_tool_rounds: 2
            timeout_seconds: 30
            attempt_timeout_seconds: 3
            retry:
              attempts: 5
              base_delay_seconds: 0
              "on": [OSError, "tests.unit.files.own:FailingError"]
            on_error: continue
            fallback_models: [other]
            hedge_after: p95
            priority: -1
            resources: [gpu]
            keep: true
            version: "1"
        """).node("a")
    assert node.output is own.Report
    assert node.tools == (own.look_up,)
    assert [turn.images for turn in node.messages] == [(), ("https://e.org/i.png",)]
    assert node.policy == Policy(
        Retry(5, 0, on=(OSError, own.FailingError)), 3, 30, "continue", fallback_models=("other",),
        hedge_after="p95", priority=-1, resources=("gpu",), keep=True, version="1",
    )  # fmt: skip


def test_outputs_by_schema_choices_and_a_custom_class() -> None:
    graph = parse("""
        nodes:
          a: {prompt: x, output: {type: array, items: {type: integer}}}
          b: {prompt: x, choices: ["yes", "no"]}
          c: {prompt: x, choices: {yes: "true", no: "false"}}
          d: {prompt: x, class: "tests.unit.files.own:Polite", with: {words: [please]}}
        """)
    nodes: dict[str, Any] = {node.id: node for node in graph}
    assert schema_of(nodes["a"].output) == {"type": "array", "items": {"type": "integer"}}
    assert nodes["b"].choices == (("yes", "yes"), ("no", "no"))
    assert nodes["c"].choices == (("yes", "true"), ("no", "false"))
    assert nodes["d"] == own.Polite("d", prompt="x", words=("please",))


def test_functions_partials_and_decorated_functions() -> None:
    graph = parse("""
        inputs: {n: int, word: str}
        nodes:
          a: {function: tests.unit.files.own:scale, inputs: {number: n}}
          b:
            function: {function: tests.unit.files.own:scale, with: {factor: 5}}
            inputs: {number: n}
          c: {function: tests.unit.files.own:tripled, inputs: {number: n}}
          d: {function: tests.unit.files.own:decorated}
          e: {function: "tests.unit.files.own:Report.named", values: {title: x}}
        """)
    result = graph.run_sync(n=2, word="w")
    assert result.output == {"a": 4, "b": 10, "c": 6, "d": "w", "e": "X"}


def test_branches_merges_and_order() -> None:
    graph = parse("""
        inputs: {kind: Any}
        nodes:
          way: {branch: kind, field: name, labels: [left, right], otherwise: right}
          big: {branch: kind, field: size, at_least: 10}
          long: {select: "tests.unit.files.own:is_long", inputs: {text: kind}}
          one: {function: "tests.unit.files.own:shout", values: {text: one}, when: {way: left}}
          two:
            function: tests.unit.files.own:shout
            values: {text: two}
            when: {way: right, big: true}
          three:
            function: tests.unit.files.own:shout
            inputs: {text: {node: way, label: [left, right]}}
            after: [one, {node: big, label: false}]
          all: {merge: [one, two, {node: way, label: right}], reducer: list, wait: 2}
        outputs: [all, long]
        """)
    assert isinstance(graph.node("all"), Merge)
    ends = {id: graph.run_sync(kind={"name": "x", "size": 12}).get(id).end for id in graph.entries}
    assert ends == {
        "way": "completed", "big": "completed", "long": "completed", "one": "skipped",
        "two": "completed", "three": "skipped", "all": "completed",
    }  # fmt: skip


def test_loops_maps_subgraphs_and_questions() -> None:
    graph = parse("""
        inputs: {start: str}
        nodes:
          grow:
            loop: {function: "tests.unit.files.own:shout"}
            inputs: {text: start}
            until: tests.unit.files.own:enough
            max_iterations: 4
          each:
            map: {function: "tests.unit.files.own:scale"}
            over: [1, 2]
            on_item_error: collect
            item_input: number
          inner:
            subgraph:
              inputs: {x: str}
              nodes: {loud: {function: "tests.unit.files.own:shout", inputs: {text: x}}}
            inputs: {x: start}
          score:
            loop:
              inputs: {state: Any}
              nodes: {same: {pick: state, field: a}}
            state_input: state
            values: {state: {a: {a: 3}}}
            until: {field: a, is: 3}
            max_iterations: 2
          ok: {ask: "Is {start} right?", output: bool}
        """)
    kinds = [type(node) for node in graph]
    assert kinds[0] is Loop
    assert kinds[1] is Map
    assert kinds[4] is Ask
    loop: Any = graph.node("score")
    assert loop.until == Condition("a", "is", 3)
    inner: Any = graph.node("inner")
    assert inner.body.name == "inner"


def test_collections_of_nodes_and_inputs() -> None:
    graph = parse("""
        inputs: {word: str, items: Any}
        nodes:
          a: {function: "tests.unit.files.own:shout", inputs: {text: word}}
          listed: {function: "tests.unit.files.own:same", inputs: {value: [a, word, a]}}
          paired: {function: "tests.unit.files.own:same", inputs: {value: {tuple: [a, word]}}}
          named:
            function: tests.unit.files.own:same
            inputs: {value: {mapping: {node: a, deep: [{value: [1]}, {node: word}, {list: []}]}}}
          each:
            map: {function: "tests.unit.files.own:shout"}
            over: {list: [a, word]}
        """)
    result = graph.run_sync(word="w", items=[])
    values = {id: result.values[id] for id in ("listed", "paired", "named", "each")}
    assert values == {
        "listed": ["W", "w", "W"],
        "paired": ("W", "w"),
        "named": {"node": "W", "deep": [[1], "w", []]},
        "each": ["W", "W"],
    }


COLLECTIONS = {
    "[a, 3]": "inputs.x.1 must be the name of a node or an input, or {node: name, label: label}, "
    "not 3 (f.yaml:1:44)",
    "{mapping: [a]}": "inputs.x.mapping must be a mapping of key to node or input, not a list "
    "(f.yaml:1:41)",
    "{tuple: {b: a}}": "inputs.x.tuple must be a list of nodes and inputs, not a mapping "
    "(f.yaml:1:41)",
    "{mapping: {b: {tuple: [[]], list: []}}}": "inputs.x.mapping.b has 'list' and 'tuple'; "
    "keep one (f.yaml:1:55)",
    "{b: a}": "inputs.x needs one of the keys node, list, tuple, mapping, value (f.yaml:1:37)",
    "[a, noode]": "'noode', which is not in graph 'graph' (f.yaml:1:44)",
    "[[[[[[[[[a]]]]]]]]]": "collections are nested more than 8 deep; flatten them (f.yaml:1:48)",
}


@pytest.mark.parametrize(("written", "message"), COLLECTIONS.items())
def test_a_wrong_collection_is_refused_with_its_place(written: str, message: str) -> None:
    text = f"nodes: {{n: {{prompt: '{{x}}', inputs: {{x: {written}}}}}, a: {{prompt: y}}}}"
    assert any(message in line for line in problems(text)), problems(text)


def test_fallbacks() -> None:
    nodes: dict[str, Any] = {
        node.id: node.policy.fallback
        for node in parse("""
            inputs: {text: str}
            nodes:
              a: {prompt: "{text}", fallback: {value: null}}
              b: {prompt: "{text}", fallback: {function: "tests.unit.files.own:shout"}}
              c: {prompt: "{text}", fallback: {id: other, prompt: "{text}!"}}
              d:
                prompt: "{text}"
                fallback: {inputs: [text], nodes: {x: {prompt: "{text}?"}}}
            """)
    }
    assert nodes["a"] is None
    assert nodes["b"] == Function("b_fallback", own.shout)
    assert nodes["c"].id == "other"
    assert list(nodes["d"].entries) == ["x"]


def test_all_problems_are_reported_at_once_with_their_places() -> None:
    found = problems("""
        inputs: {a: strr}
        nodes:
          one: {prompt: "{a", max_tokens: 0}
          two: {function: nowhere, retry: {on: [Nope]}}
          three: {loop: {nodes: {x: {prompt: y, modle: z}}}, max_iterations: 3, until: {field: []}}
          four: {merge: [one], reducer: conkat}
          five: {}
          six: text
          seven: {branch: one, is: 1, at_least: 2, otherwise: x}
          eight: {branch: one, labels: [x, y], otherwise: z}
          nine: {prompt: x, with: {a: 1}, choices: [a], output: str}
          ten: {kind: llm}
          eleven: {map: {prompt: x, inputs: {a: b}}, over: [1]}
          twelve: {prompt: x, fallback: 3}
          "": {prompt: x}
        outputs: [one, tow]
        """)
    assert len(found) == 20
    text = "\n".join(found)
    for message in (
        "no type 'strr'; did you mean 'str'? (f.yaml:2:13)",
        "is opened but never closed; a literal brace is written '{{' or '}}' (f.yaml:4:17)",
        "max_tokens must be at least 1, not 0 (f.yaml:4:23)",
        "'nowhere' is not of the form module:name (f.yaml:5:19)",
        "no error 'Nope'; write module:Name (f.yaml:5:41)",
        "node 'x' has no field 'modle'; did you mean 'model'? (f.yaml:6:41)",
        "until.field must be a name, not an empty list (f.yaml:6:81)",
        "no reducer 'conkat'; did you mean 'concat'? (f.yaml:7:33)",
        "node 'five' does nothing; it needs one of the fields prompt",
        "node 'six' is a mapping of fields, not 'text' (f.yaml:9:8)",
        "has 'is' and 'at_least'; keep one of these tests (f.yaml:10:31)",
        "the result of a test is true or false; remove 'otherwise' (f.yaml:10:44)",
        "'z' is not one of the labels (f.yaml:11:51)",
        "'with' needs 'class' beside it (f.yaml:12:21)",
        "'choices' already define the output; remove one of them (f.yaml:12:35)",
        "not by 'kind'; write prompt: ... (f.yaml:13:9)",
        "'inputs' is for nodes of a graph",
        "fallback must be {value: ...}, a node, or a graph, not 3 (f.yaml:15:33)",
        "an id must be a string that is not empty, not '' (f.yaml:16:3)",
        "output 'tow' is not a node; did you mean 'two'? (f.yaml:17:16)",
    ):
        assert message in text, f"{message}\n{text}"


MODULE = "tests.unit.files.own"
GRAPH_PROBLEMS = {
    "nodes: {a: {prompt: '{sumary}'}, summary: {prompt: x}}": "mean 'summary'? (f.yaml:1:21)",
    "nodes: {a: {prompt: x, after: bb}, b: {prompt: y}}": (
        "not in graph 'graph'; did you mean 'b'? (f.yaml:1:31)"
    ),
    "nodes: {a: {prompt: x, when: {b: yess}}, b: {branch: c, labels: ['yes', no]}, c: {ask: x}}": (
        "did you mean 'yes'? (f.yaml:1:34)"
    ),
    f"inputs: {{n: int}}\nnodes: {{a: {{function: '{MODULE}:shout', inputs: {{text: n}}}}}}": (
        "takes str, but 'n' gives int (f.yaml:2:"
    ),
    f"nodes: {{a: {{function: '{MODULE}:nope'}}}}": "there is no 'nope' (f.yaml:1:9)",
    f"nodes: {{a: {{function: '{MODULE}:join'}}}}": "is defined in module 'posixpath'",
    f"inputs: {{n: '{MODULE}:Nope'}}\nnodes: {{a: {{prompt: x}}}}": "'Nope' (f.yaml:1:10)",
    "nodes: {a: {loop: {prompt: x}, max_iterations: 2}}": "no input 'state' for the state",
    "nodes:\n  a:\n    subgraph:\n      nodes:\n        b: {prompt: '{c}'}\n": (
        "no input or node of that name; bind it with c=... (f.yaml:5:21)"
    ),
    "nodes: {a: {branch: b, labels: [x, x]}, b: {prompt: y}}": "has a label twice",
}


@pytest.mark.parametrize(("text", "message"), GRAPH_PROBLEMS.items())
def test_problems_that_the_graph_finds_have_a_place_too(text: str, message: str) -> None:
    assert any(message in line for line in problems(text)), problems(text)


def test_a_cycle_is_a_cycle_error() -> None:
    with pytest.raises(CycleError) as caught:
        parse("nodes: {a: {prompt: '{b}'}, b: {prompt: '{a}'}}")
    assert caught.value.cycle == ("a", "b", "a")
    assert "f.yaml:1:" in str(caught.value)


def test_a_module_that_fails_on_import_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_module.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    text = "nodes: {a: {function: 'failing_module:x'}, b: {function: 'absent_module:x'}}"
    found = problems(text, ("failing_module", "absent_module"))
    assert "module 'failing_module' cannot be imported: SystemExit: 3" in found[0]
    assert "module 'absent_module' cannot be imported: ModuleNotFoundError" in found[1]


def test_a_package_includes_its_modules() -> None:
    text = "nodes: {a: {function: 'tests.unit.files.own:shout', values: {text: x}}}"
    assert parse(text, ("tests",)).run_sync().output == "X"
    assert "is not allowed" in problems(text, ("tests.unit.file",))[0]


def test_the_first_problems_of_a_thousand_are_reported() -> None:
    text = "nodes:\n" + "".join(f"  n{n}: {{}}\n" for n in range(1_000))
    found = problems(text)
    assert len(found) == 51
    assert found[-1] == "too many problems; validation stopped here (f.yaml:52:8)"
    names = "nodes:\n" + "".join(f"  n{n}: {{prompt: '{{m{n}}}'}}\n" for n in range(1_000))
    found = problems(names)
    assert len(found) == 51
    assert found[-1] == (
        "the nodes after 'n49' were not checked and may have more problems (f.yaml:51:3)"
    )


def test_the_example_runs() -> None:
    graph = load_graph(Path(__file__).parents[3] / "examples" / "support.yaml")
    praise = {"kind": "praise", "urgency": 0, "asks": []}
    provider = ScriptedProvider({"Say what kind": praise, "Thank them": "Thank you!"})
    assert graph.run_sync(ticket="Well done", provider=provider).output == "Thank you!"


@pytest.mark.parametrize("name", ["after", "after_end"])
def test_an_input_of_a_node_may_have_the_name_of_an_option(name: str) -> None:
    graph = parse(f"""
        inputs: {{topic: str}}
        nodes:
          first: {{prompt: "One"}}
          second: {{prompt: "{{{name}}}", inputs: {{{name}: topic}}, after: first}}
    """)
    provider = ScriptedProvider("Yes.")
    graph.run_sync(topic="bees", provider=provider)
    assert [request.messages[0].content for request in provider.requests] == ["One", "bees"]
    assert parse(dump_graph(graph)).fingerprint == graph.fingerprint
