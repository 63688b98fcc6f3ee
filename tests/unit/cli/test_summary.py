"""What is printed and saved when a run has ended."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from dagorch import DefinitionError, RunError
from dagorch.cli.output import Destination
from dagorch.cli.summary import print_agent_results, print_answer, print_table
from dagorch.models.llm import LLMRequest
from dagorch.models.orchestration import OrchestratorResult
from dagorch.orchestrators import DreamCascadeConfig, DreamCascadeOrchestrator
from dagorch.providers import ScriptedProvider

TASK = "Why is the\nsky blue?"
QUESTIONS = ["How does air scatter light?", "Why do we see no violet?", "When does it turn red?"]


def reply(request: LLMRequest) -> object:
    if request.json_schema:
        return {"questions": QUESTIONS}
    if QUESTIONS[1] in request.messages[-1].content:
        raise ValueError("not this one")
    return "\x1b[31mBecause | it is.\x07"


async def outcome() -> OrchestratorResult:
    provider = ScriptedProvider(reply, price_per_token=0.001)
    cascade = DreamCascadeOrchestrator(DreamCascadeConfig(max_retries=0), provider)
    return await cascade.execute_workflow(TASK)


async def failure() -> OrchestratorResult:
    def only_belters(request: LLMRequest) -> object:
        if request.json_schema:
            return {"questions": QUESTIONS}
        if not any(question in request.messages[-1].content for question in QUESTIONS):
            raise ValueError("too hard")
        return "found it"

    cascade = DreamCascadeOrchestrator(
        DreamCascadeConfig(max_retries=0), ScriptedProvider(only_belters)
    )
    with pytest.raises(RunError) as caught:
        await cascade.execute_workflow(TASK)
    partial = caught.value.partial_results
    assert isinstance(partial, OrchestratorResult)
    return partial


def console(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_the_table_has_a_row_for_each_node_run_and_fits_80_columns() -> None:
    shown = console()
    result = await outcome()
    print_table(shown, result)
    lines = said(shown).splitlines()
    assert lines[0].split() == ["node", "kind", "state", "attempts", "tokens", "time", "cost"]
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert rows.keys() >= set(result.run.node_runs) - {"belter_2"}
    assert rows["belter_1"][1:4] == ["belter", "completed", "1"]
    assert any(line.startswith("belter_2") and "failed" in line for line in lines)
    assert lines[-2].startswith("11 node runs")
    assert lines[-1] == "belter_2: ValueError: not this one"
    assert all(len(line) <= 80 for line in lines)


async def test_without_a_terminal_the_answer_is_printed_unchanged() -> None:
    shown = console()
    print_answer(shown, await outcome())
    assert said(shown) == "Because | it is.\n"


async def test_a_run_without_an_answer_prints_the_agents_results() -> None:
    shown = console()
    result = await failure()
    print_agent_results(shown, result)
    assert said(shown).count("found it") == 3
    assert "-- belter_1 --" in said(shown)


async def test_a_folder_gets_answer_result_and_picture(tmp_path: Path) -> None:
    result = await outcome()
    files = Destination(tmp_path / "new" / "bees").write(TASK, result)
    assert [file.name for file in files] == [
        "answer.md", "answer.html", "result.json", "graph.svg"
    ]  # fmt: skip
    assert "Because | it is." in files[0].read_text()
    assert "Because | it is." in files[1].read_text()
    assert OrchestratorResult.model_validate_json(files[2].read_text()) == result
    assert "</svg>" in files[3].read_text()


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("answer.md", b"# Why is the sky blue?"),
        ("result.json", b'{\n  "task_id"'),
        ("a.html", b"<!DOCTYPE html>"),
        ("a.HTM", b"<!DOCTYPE html>"),
        ("a.pdf", b"%PDF-"),
        ("a.docx", b"PK"),
    ],
)
async def test_the_suffix_selects_the_format(tmp_path: Path, name: str, start: bytes) -> None:
    path = tmp_path / name
    destination = Destination(path)
    assert not path.exists()  # that it can be written is tried without leaving a trace
    assert destination.write(TASK, await outcome()) == [path]
    assert path.read_bytes().startswith(start)


async def test_the_document_of_a_failed_run_has_the_error_and_the_finished_parts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.md"
    Destination(path).write(TASK, await failure(), "camina_1 gave up")
    text = path.read_text()
    assert "There is no answer: camina_1 gave up. The results up to then" in text
    assert "### belter_3\n\n*belter" in text
    assert "found it" in text


async def test_a_document_that_cannot_be_made_is_named_in_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise ZeroDivisionError("no room")

    monkeypatch.setattr("dagorch.cli.output.render_document", broken)
    with pytest.raises(RunError, match=r"cannot make .*a\.pdf': ZeroDivisionError: no room"):
        Destination(tmp_path / "a.pdf").write(TASK, await outcome())


def test_a_missing_package_is_an_error_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagorch.exporters.documents.formats.find_spec", lambda _: None)
    with pytest.raises(DefinitionError, match=r"needs typst.*pip install 'dagorch\[documents\]'"):
        Destination(tmp_path / "a.pdf")
    Destination(tmp_path / "a.html")


def test_a_file_that_is_there_is_kept_until_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "answer.md"
    path.write_text("old")
    Destination(path)
    assert path.read_text() == "old"


def test_an_unwritable_path_is_an_error_before_the_run(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "below", tmp_path / "nowhere" / "x.md", file / "x.json"):
        with pytest.raises(DefinitionError, match="cannot be written: "):
            Destination(path)


async def test_a_file_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    destination = Destination(tmp_path / "out")
    (tmp_path / "out" / "answer.md").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*answer\.md"):
        destination.write(TASK, await outcome())
    assert (tmp_path / "out" / "result.json").exists()
    assert (tmp_path / "out" / "graph.svg").exists()
