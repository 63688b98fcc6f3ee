"""Documents as files: safe names, no file replaced, errors reported."""

from __future__ import annotations

import os
from asyncio import CancelledError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch import DefinitionError, OrchestratorResult
from dagorch.child_process.bounded import Limits
from dagorch.exporters.documents import write as module
from dagorch.exporters.documents import write_documents
from dagorch.exporters.documents.write import file_name
from dagorch.models.document import Document

RESULT = OrchestratorResult("t", "completed", "Yes.", metadata={"task": "Tea or coffee?"})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_for_each_format_in_a_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    result = write_documents(RESULT, folder, ["md", "HTML", "pdf", "docx"])
    assert [document.format for document in result.documents] == ["md", "HTML", "pdf", "docx"]
    assert names(folder) == [
        "tea-or-coffee.docx", "tea-or-coffee.html", "tea-or-coffee.md", "tea-or-coffee.pdf"
    ]  # fmt: skip
    for document in result.documents:
        assert Path(document.path).stat().st_size == document.size_bytes > 0
    assert result.document_errors == {}
    assert OrchestratorResult.model_validate_json(result.model_dump_json()) == result
    assert RESULT.documents == []  # unchanged


def test_no_file_is_replaced_and_the_files_of_a_run_share_a_number(tmp_path: Path) -> None:
    (tmp_path / "tea-or-coffee.html").write_text("mine")
    result = write_documents(RESULT, tmp_path, ["markdown", "html"])
    assert [Path(document.path).name for document in result.documents] == [
        "tea-or-coffee-2.md", "tea-or-coffee-2.html"
    ]  # fmt: skip
    third = write_documents(RESULT, tmp_path, ["html"])
    assert Path(third.documents[0].path).name == "tea-or-coffee-3.html"
    assert (tmp_path / "tea-or-coffee.html").read_text() == "mine"


def test_a_file_created_at_the_same_time_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.render_document

    def render(content: Any, format: Any) -> bytes:
        (tmp_path / "tea-or-coffee.md").write_text("other")
        return real(content, format)

    monkeypatch.setattr(module, "render_document", render)
    result = write_documents(RESULT, tmp_path, ["markdown"])
    assert Path(result.documents[0].path).name == "tea-or-coffee-2.md"
    assert (tmp_path / "tea-or-coffee.md").read_text() == "other"


def test_a_failure_in_one_format_affects_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.render_document

    def render(content: Any, format: Any) -> bytes:
        if format == "html":
            raise ValueError("no \x1b[31mroom")
        return real(content, format)

    monkeypatch.setattr(module, "render_document", render)
    result = write_documents(RESULT, tmp_path, ["html", "markdown"])
    assert [document.format for document in result.documents] == ["markdown"]
    assert result.document_errors == {"html": "ValueError: no room"}
    assert OrchestratorResult.model_validate_json(result.model_dump_json()) == result


class PanicError(BaseException):
    """As native libraries raise it: no `Exception`."""


@pytest.mark.parametrize("error", [PanicError("no room"), RecursionError("deep")])
def test_a_panic_is_an_entry_and_no_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    order: list[str] = []
    real = module.render_document

    def render(content: Any, format: Any) -> bytes:
        order.append(format)
        if format == "pdf":
            raise error
        return real(content, format)

    monkeypatch.setattr(module, "render_document", render)
    result = write_documents(RESULT, tmp_path, ["pdf", "html", "markdown"])
    assert order == ["html", "markdown", "pdf"]  # what is quick and safe comes first
    assert [document.format for document in result.documents] == ["html", "markdown"]
    assert result.document_errors == {"pdf": f"{type(error).__name__}: {error}"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), CancelledError()])
def test_an_interrupt_and_a_cancellation_are_not_swallowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def render(content: Any, format: Any) -> bytes:
        raise error

    monkeypatch.setattr(module, "render_document", render)
    with pytest.raises(type(error)):
        write_documents(RESULT, tmp_path, ["markdown"])


def test_a_text_that_stops_or_crashes_a_writer_costs_its_document_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 66,000 of these made the library of PDF files panic; 33,000 took it over 100 s.
    limits = Limits(seconds=1.0)
    monkeypatch.setattr("dagorch.exporters.typesetting.LIMITS", limits)
    answer = "a" + "\u0301" * 66_000
    outcome = OrchestratorResult("t", "completed", answer, metadata={"task": "Marks?"})
    result = write_documents(outcome, tmp_path, ["pdf", "docx", "markdown"])
    assert [document.format for document in result.documents] == ["docx", "markdown"]
    assert result.result == answer
    assert list(result.document_errors) == ["pdf"]
    assert "typst could not write the PDF" in result.document_errors["pdf"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = write_documents(RESULT, tmp_path / "file", ["markdown"])
    assert result.documents == []
    assert "NotADirectoryError" in result.document_errors["markdown"] or (
        "FileExistsError" in result.document_errors["markdown"]
    )


def test_an_incomplete_document_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = write_documents(RESULT, tmp_path, ["markdown"])
    assert "No space left" in result.document_errors["markdown"]
    assert names(tmp_path) == []


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"no document format 'pfd'.*did you mean 'pdf'"):
        write_documents(RESULT, "x", ["pfd"])


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("Tea or coffee?", "tea-or-coffee"),
        ("../../etc/passwd", "etc-passwd"),
        ("/", "workflow"),
        ("", "workflow"),
        ("...", "workflow"),
        ("NUL", "workflow-nul"),
        ("com1", "workflow-com1"),
        ('a\x00b\nc\\d:e*f?g"h<i>j|k', "a-b-c-d-e-f-g-h-i-j-k"),
        ("~/.ssh $(rm -rf) `x`", "ssh-rm-rf-x"),
        ("-rf", "rf"),
        ("\u202eevil\u2066", "evil"),
        ("Wie weit? \ud800 Ärger", "wie-weit-ärger"),
        ("為什麼天空是藍色的", "為什麼天空是藍色的"),
        ("ﬁﬂ Ⅷ", "fifl-viii"),
    ],
)
def test_file_names(task: str, name: str) -> None:
    assert file_name(task) == name


@given(st.text())
def test_a_file_name_is_one_safe_part_of_a_path(task: str) -> None:
    name = file_name(task)
    assert 0 < len(name.encode("utf-8")) <= 90
    assert Path(name).name == name
    assert not name.startswith((".", "-"))
    assert all(letter.isalnum() or letter == "-" for letter in name)


def test_a_long_task_is_cut_at_a_word() -> None:
    assert file_name("word " * 100) == "-".join(["word"] * 15)
    assert file_name("x" * 500) == "x" * 80
    assert len(file_name("蜂" * 500).encode()) <= 80


def test_a_document_goes_to_json_and_back() -> None:
    document = Document("reports/a.pdf", "pdf", 3)
    assert Document.model_validate_json(document.model_dump_json()) == document
