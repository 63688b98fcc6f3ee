"""Questions of a graph, with and without a terminal."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from typing import Literal

import anyio
import pytest
from pydantic import BaseModel

from dagorch import DefinitionError, Graph, Policy
from dagorch.cli.display import SilentDisplay
from dagorch.cli.execute import Outcome, execute
from dagorch.cli.questions import Questions
from dagorch.cli.stop_signals import RunStop
from dagorch.cli.user_workflow import GraphOrchestrator
from dagorch.models.config import OrchestratorConfig
from dagorch.nodes import Ask, Function
from dagorch.testing import ScriptedProvider


class Choice(BaseModel):
    name: str


def asking(output: object, question: str = "Which?") -> Graph:
    graph = Graph("asking")
    graph.add(Ask("which", question, output))
    return graph


def run(graph: Graph, questions: Questions) -> Outcome:
    orchestrator = GraphOrchestrator(graph, OrchestratorConfig(), has_task=False)
    workflow = orchestrator.prepare_workflow("none")
    provider, stop = ScriptedProvider("x"), RunStop(lambda: None)
    return execute(orchestrator, workflow, provider, SilentDisplay(), [], stop, questions)


def answer_of(outcome: Outcome) -> object:
    assert outcome.error is None, outcome.error
    assert outcome.result is not None
    return outcome.result.result


@pytest.mark.parametrize(
    ("output", "text", "value"),
    [
        (str, "42", "42"),
        (int, "42", 42),
        (bool, "yes", True),
        (bool, "false", False),
        (list[str], '["a"]', ["a"]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (tuple[str, int], '["a", 1]', ("a", 1)),
        (float, "3", 3.0),
        (Literal["tea", "coffee"], "tea", "tea"),
        (Choice, '{"name": "tea"}', Choice(name="tea")),
        (str, "a=b", "a=b"),
    ],
)
def test_an_answer_beforehand_is_read_as_its_type(output: object, text: str, value: object) -> None:
    graph = asking(output)
    assert answer_of(run(graph, Questions(graph, [f"which={text}"], has_terminal=False))) == value


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], "graph 'asking' asks a person at which; give --answer which=VALUE, or run it in a"),
        (["which"], "--answer 'which' does not have the form name=value"),
        (["whcih=1"], "the graph asks no such question; did you mean 'which'"),
        (["which=tea"], "--answer which: the question wants int, not 'tea'"),
        (["which=\udce9"], "is not valid UTF-8"),
        (["which=1", "which=2"], "--answer which is given twice; give it once"),
        (["=1"], "--answer '=1' does not have the form name=value"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_the_run(
    answers: list[str], message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        Questions(asking(int), answers, has_terminal=False)


def test_the_items_of_an_answer_are_checked_too() -> None:
    with pytest.raises(DefinitionError, match=r"the question wants list\[str\], not"):
        Questions(asking(list[str]), ['which=["a", 1]'], has_terminal=False)


def test_an_answer_goes_to_each_question_of_its_name_or_to_one_path() -> None:
    graph = Graph("several")
    body = Graph("body")
    item = body.input("item", str)
    body.add(Ask("which", "Is {item} right?", bool), item=item)
    graph.map(body, over=["a", "b"], id="each")
    answers = ["which=yes", "each[1]/which=no"]
    assert answer_of(run(graph, Questions(graph, answers, has_terminal=False))) == [True, False]


def test_a_question_that_the_graph_did_not_show_stops_the_run() -> None:
    graph = Graph("expanding")
    graph.add(Function("made", lambda: asking(int), expand=True))
    outcome = run(graph, Questions(graph, has_terminal=False))
    assert "question 'made/which' has no answer; give --answer which=VALUE" in str(outcome.error)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Make standard input a terminal; return the end that a person types at."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield ours
    os.close(ours)


def test_a_person_is_asked_until_the_answer_fits(
    terminal: int, capsys: pytest.CaptureFixture[str]
) -> None:
    os.write(terminal, b"many\n")
    graph = asking(int, "How \x1b[31mmany?")
    os.write(terminal, b"3\n")
    outcome = run(graph, Questions(graph, has_terminal=True))
    assert answer_of(outcome) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("which: How many?\n> question 'which' wants int, not str: 'many'\n> ")


def test_the_end_of_the_input_stops_the_run(terminal: int) -> None:
    os.write(terminal, b"\x04")
    graph = asking(int)
    outcome = run(graph, Questions(graph, has_terminal=True))
    assert "question 'which' has no answer: the input ended" in str(outcome.error)


def quorum(output: object = bool) -> Graph:
    """Ask two questions, of which one answer is enough; then take a moment."""
    graph = Graph("quorum")
    asked = [graph.add(Ask(id, f"{id}?", output)) for id in ("which", "other")]
    enough = graph.merge("enough", asked, wait="any", reducer="first")

    async def later(enough: object) -> object:
        await anyio.sleep(0.1)
        return enough

    graph.function(later, enough=enough)
    return graph


def test_a_question_that_a_quorum_made_needless_needs_no_answer() -> None:
    graph = quorum()
    answers = ["which=yes", "other=no"]
    assert answer_of(run(graph, Questions(graph, answers, has_terminal=False))) is True


def test_a_person_is_not_asked_for_what_a_quorum_made_needless(
    terminal: int, capsys: pytest.CaptureFixture[str]
) -> None:
    os.write(terminal, b"yes\n")
    graph = quorum()
    assert answer_of(run(graph, Questions(graph, has_terminal=True))) is True
    assert "no question" not in capsys.readouterr().err


@pytest.mark.usefixtures("terminal")
def test_asking_ends_with_the_deadline_of_the_question(capsys: pytest.CaptureFixture[str]) -> None:
    graph = Graph("late")
    policy = Policy(timeout_seconds=0.05, fallback="nobody")
    late = graph.add(Ask("which", "Which?", str, policy=policy))

    async def later(which: str) -> str:
        await anyio.sleep(0.1)
        return which

    graph.function(later, which=late)
    assert answer_of(run(graph, Questions(graph, has_terminal=True))) == "nobody"
    assert capsys.readouterr().err == (
        "which: Which?\n> \nquestion 'which' no longer waits for an answer\n"
    )


def test_what_was_typed_for_an_ended_question_is_not_the_next_answer(terminal: int) -> None:
    graph = Graph("two")
    policy = Policy(timeout_seconds=0.05, fallback="nobody")
    late = graph.add(Ask("which", "Which?", str, policy=policy))

    async def type_no(which: str) -> None:
        await anyio.sleep(0.2)
        os.write(terminal, b"no\n")

    graph.add(Ask("sure", "Sure?", bool), after=graph.function(type_no, which=late))
    os.write(terminal, b"ye")
    assert answer_of(run(graph, Questions(graph, has_terminal=True))) is False


@pytest.mark.parametrize("typed", [b"te\x1b[Da\n", b"t\xffa\n"])
def test_what_the_terminal_does_not_edit_is_typed_again(
    terminal: int, capsys: pytest.CaptureFixture[str], typed: bytes
) -> None:
    os.write(terminal, typed)
    os.write(terminal, b"tea\n")
    graph = asking(str)
    assert answer_of(run(graph, Questions(graph, has_terminal=True))) == "tea"
    assert "the answer has control characters, as of an arrow key" in capsys.readouterr().err
