"""What is shown and kept when a run has ended."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from dagorch import DefinitionError, RunError
from dagorch.cli.out import Destination
from dagorch.cli.report import markdown, print_answer, print_parts, print_table
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
    assert lines[0].split() == ["node", "kind", "state", "tries", "tokens", "time", "cost"]
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert rows.keys() >= set(result.run.node_runs) - {"belter_2"}
    assert rows["belter_1"][1:4] == ["belter", "completed", "1"]
    assert any(line.startswith("belter_2") and "failed" in line for line in lines)
    assert lines[-2].startswith("11 node runs")
    assert lines[-1] == "belter_2: ValueError: not this one"
    assert all(len(line) <= 80 for line in lines)


async def test_the_answer_goes_out_as_it_is_where_no_terminal_is() -> None:
    shown = console()
    print_answer(shown, await outcome())
    assert said(shown) == "Because | it is.\n"


async def test_of_a_run_without_an_answer_the_parts_are_shown() -> None:
    shown = console()
    result = await failure()
    print_parts(shown, result)
    assert said(shown).count("found it") == 3
    assert "-- belter_1 --" in said(shown)
    text = markdown(TASK, result)
    assert "There is no answer: the run was failed" in text
    assert "## belter_3\n\nfound it" in text


async def test_the_document_has_task_answer_and_table() -> None:
    text = markdown(TASK, await outcome())
    assert text.startswith(
        "# Why is the sky blue?\n\nBecause | it is.\n\n## How it ran\n\n| node |"
    )
    assert "| belter_2 | belter | failed | 1 |" in text


async def test_a_folder_gets_answer_result_and_picture(tmp_path: Path) -> None:
    result = await outcome()
    files = Destination(tmp_path / "new" / "bees").write(TASK, result)
    assert [file.name for file in files] == ["answer.md", "result.json", "graph.svg"]
    assert OrchestratorResult.model_validate_json(files[1].read_text()) == result
    assert "</svg>" in files[2].read_text()


@pytest.mark.parametrize("name", ["answer.md", "result.json"])
async def test_a_file_goes_by_its_ending(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    destination = Destination(path)
    assert not path.exists()  # that it can be written is tried without leaving a trace
    assert destination.write(TASK, await outcome()) == [path]
    text = path.read_text()
    if path.suffix == ".json":
        assert json.loads(text)["result"].endswith("it is.\x07")
    else:
        assert text.startswith("# Why")


def test_a_file_that_is_there_is_kept_until_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "answer.md"
    path.write_text("old")
    Destination(path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("name", ["a.pdf", "a.html", "a.docx", "A.PDF"])
def test_formats_of_later_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DefinitionError, match=r"cannot be written yet; name a file \.md or \.json"):
        Destination(tmp_path / name)


def test_what_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "below", tmp_path / "nowhere" / "x.md", file / "x.json"):
        with pytest.raises(DefinitionError, match="cannot be written: "):
            Destination(path)


async def test_a_folder_that_went_away_loses_no_other_file(tmp_path: Path) -> None:
    destination = Destination(tmp_path / "out")
    (tmp_path / "out" / "answer.md").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*answer\.md"):
        destination.write(TASK, await outcome())
    assert (tmp_path / "out" / "result.json").exists()
    assert (tmp_path / "out" / "graph.svg").exists()
