"""Documents of a workflow: formats, content, folders and errors."""

from __future__ import annotations

import io
import threading
import warnings
import zipfile
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pypdf
import pytest

from dagorch import (
    BudgetExceededError,
    DefinitionError,
    OrchestratorConfig,
    OrchestratorResult,
    RunError,
    SequentialOrchestrator,
    SubTask,
)
from dagorch.errors import DagorchWarning
from dagorch.models.document import Document
from dagorch.models.llm import LLMRequest
from tests.conformance.doubles import Plain, by_tier, cascade, once, talking

TASK = "Why is the sky blue?"
ANSWER = (
    "# Because it scatters\n\nShort waves **more**.\n\n## How\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
)


def steps(folder: Path, reply: Any = ANSWER, **fields: Any) -> SequentialOrchestrator:
    config = once(
        steps=["research", "report"], enable_document_generation=True, output_dir=folder, **fields
    )
    return SequentialOrchestrator(config, talking(reply, price_per_token=0.01))


def content(document: Document) -> bytes:
    return Path(document.path).read_bytes()


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = OrchestratorConfig(
        steps=["report"], enable_document_generation=True, output_formats=["pdf", "markdown"]
    )
    result = await SequentialOrchestrator(config, talking(ANSWER)).execute_workflow(TASK)
    assert [document.format for document in result.documents] == ["pdf", "markdown"]
    for document in result.documents:
        assert Path(document.path).parent == Path("reports")
        assert len(content(document)) == document.size_bytes > 0
    assert result.document_errors == {}


async def test_every_format_contains_the_answer(tmp_path: Path) -> None:
    formats = ["pdf", "markdown", "docx", "html"]
    result = await steps(tmp_path, output_formats=formats).execute_workflow(TASK)
    pdf, markdown, docx, html = map(content, result.documents)
    shown = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    assert "Because it scatters" in shown
    assert markdown.decode().startswith("# Because it scatters\n")
    assert "| 1 | 2 |" in markdown.decode()
    assert (
        "Because it scatters"
        in zipfile.ZipFile(io.BytesIO(docx)).read("word/document.xml").decode()
    )
    assert b"<strong>more</strong>" in html
    assert html.count(b"<svg") == 2


async def test_the_list_of_documents_survives_json(tmp_path: Path) -> None:
    result = await steps(tmp_path, output_formats=["MD"]).execute_workflow(TASK)
    assert OrchestratorResult.model_validate_json(result.model_dump_json()) == result
    assert result.documents[0].format == "MD"
    assert result.documents[0].path == str(tmp_path / "why-is-the-sky-blue.md")


async def test_without_document_generation_no_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = once(steps=["a"], enable_document_generation=False, output_formats=["pdf"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = await SequentialOrchestrator(config, talking("x")).execute_workflow(TASK)
    assert result.documents == []
    assert entries(tmp_path) == []


def test_formats_without_document_generation_warn_once() -> None:
    config = once(steps=["a"], output_formats=["pdf"], output_dir="x")
    with pytest.warns(DagorchWarning, match="output_dir and output_formats without") as caught:
        SequentialOrchestrator(config, talking("x"))
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"enable_document_generation": 1}, "enable_document_generation=1 must be True or False"),
        ({"output_formats": 3}, "output_formats=3 must be a list of formats, each once"),
        ({"output_formats": []}, r"output_formats=\[\] must be a list of formats"),
        ({"output_formats": ["pfd"]}, r"output_formats=\['pfd'\] must be .*: markdown, html, pdf"),
        ({"output_formats": ["md", "markdown"]}, "each once"),
        ({"output_formats": [None]}, "each once"),
        ({"output_dir": ""}, "output_dir='' must be the path of a folder"),
        ({"output_dir": 3}, "output_dir=3 must be the path of a folder"),
        ({"output_dir": b"x"}, "must be the path of a folder"),
        ({"output_dir": "a\0b"}, "must be the path of a folder"),
    ],
)
def test_wrong_values_are_refused(fields: dict[str, Any], message: str) -> None:
    config = OrchestratorConfig(steps=["a"], **{"enable_document_generation": True, **fields})
    (problem,) = config.validate()
    with pytest.raises(DefinitionError, match=message):
        SequentialOrchestrator(config, talking("x"))
    assert problem.split("=")[0] == next(iter(fields))


async def test_missing_requirements_are_reported_before_any_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagorch.exporters.documents.formats.find_spec", lambda _: None)
    provider = talking("x")
    config = once(
        steps=["a"], enable_document_generation=True, output_formats=["PDF"], output_dir=tmp_path
    )
    with pytest.raises(
        DefinitionError, match=r"'PDF' needs typst.*pip install 'dagorch\[documents\]'"
    ):
        await SequentialOrchestrator(config, provider).execute_workflow(TASK)
    (tmp_path / "file").write_text("")
    config.output_formats, config.output_dir = ["html"], tmp_path / "file" / "x"
    with pytest.raises(DefinitionError, match=r"output_dir='.*file.x' cannot be created"):
        await SequentialOrchestrator(config, provider).execute_workflow(TASK)
    assert provider.requests == []


async def test_a_document_that_fails_is_an_error_on_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise MemoryError("no room")

    monkeypatch.setattr("dagorch.exporters.documents.formats.to_html", broken)
    result = await steps(tmp_path, output_formats=["html", "markdown"]).execute_workflow(TASK)
    assert result.status == "completed"
    assert result.document_errors == {"html": "MemoryError: no room"}
    assert [document.format for document in result.documents] == ["markdown"]
    assert OrchestratorResult.model_validate_json(result.model_dump_json()) == result


async def test_documents_are_written_in_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def render(*_: object) -> str:
        seen.append(threading.current_thread() is threading.main_thread())
        return "x"

    monkeypatch.setattr("dagorch.exporters.documents.formats.to_markdown", render)
    await steps(tmp_path).execute_workflow(TASK)
    assert seen == [False]


async def test_a_document_is_complete_if_the_run_is_cancelled_during_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(*_: object) -> str:
        anyio.from_thread.run_sync(scope.cancel)
        return "all of it"

    monkeypatch.setattr("dagorch.exporters.documents.formats.to_markdown", render)
    with anyio.CancelScope() as scope:
        await steps(tmp_path).execute_workflow(TASK)
    (path,) = entries(tmp_path)
    assert path.stat().st_size == len("all of it")


async def test_a_failed_run_has_documents_of_its_finished_steps(tmp_path: Path) -> None:
    def reply(request: LLMRequest) -> Any:
        if "report" in request.messages[-1].content[-300:]:
            raise ValueError("the report is too long")
        return "Findings of research."

    with pytest.raises(RunError) as caught:
        await steps(tmp_path, reply).execute_workflow(TASK)
    partial = caught.value.partial_results
    assert isinstance(partial, OrchestratorResult)
    text = content(partial.documents[0]).decode()
    assert "> **There is no answer: " in text
    assert "the report is too long" in text
    assert "Findings of research." in text


async def test_a_run_that_reaches_its_budget_has_documents(tmp_path: Path) -> None:
    with pytest.raises(BudgetExceededError) as caught:
        await steps(tmp_path, max_cost=17.5).execute_workflow(TASK)
    partial = caught.value.partial_results
    assert isinstance(partial, OrchestratorResult)
    assert bool(partial.documents) == any(agent.content for agent in partial.agent_results)


async def test_a_run_without_finished_steps_has_no_documents(tmp_path: Path) -> None:
    def reply(_: LLMRequest) -> Any:
        raise ValueError("no")

    with pytest.raises(RunError) as caught:
        await steps(tmp_path / "new", reply).execute_workflow(TASK)
    assert isinstance(caught.value.partial_results, OrchestratorResult)
    assert caught.value.partial_results.documents == []
    assert entries(tmp_path / "new") == []


async def test_cascades_and_custom_orchestrators_write_documents(tmp_path: Path) -> None:
    fields = {"enable_document_generation": True, "output_dir": tmp_path / "c"}
    result = await cascade(talking(by_tier), **fields).execute_workflow(TASK)
    assert "said by c" in content(result.documents[0]).decode()
    custom = Plain(
        once(enable_document_generation=True, output_dir=str(tmp_path)), plan=[SubTask("a", "x")]
    )
    result = await custom.execute_workflow(TASK)
    text = content(result.documents[0]).decode()
    assert "## Said\n\n- X\n" in text
    assert "### a\n" in text


async def test_two_runs_of_one_task_have_a_file_each(tmp_path: Path) -> None:
    orchestrator = steps(tmp_path)
    first = await orchestrator.execute_workflow(TASK)
    second = await orchestrator.execute_workflow(TASK)
    assert [Path(r.documents[0].path).name for r in (first, second)] == [
        "why-is-the-sky-blue.md", "why-is-the-sky-blue-2.md"
    ]  # fmt: skip
