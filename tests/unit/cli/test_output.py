"""The files of `--out`, checked before a run and written after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagorch import DefinitionError
from dagorch.cli.output import Destination, RunPicture
from dagorch.models.orchestration import OrchestratorResult
from tests.unit.cli.outcomes import TASK, failure, outcome


async def test_a_folder_gets_answer_result_and_picture(tmp_path: Path) -> None:
    result = await outcome()
    files, errors = Destination(tmp_path / "new" / "bees").write(TASK, result)
    assert not errors
    assert [file.name for file in files] == [
        "answer.md", "result.json", "answer.html", "graph.svg"
    ]  # fmt: skip
    assert "Because | it is." in files[0].read_text()
    assert OrchestratorResult.model_validate_json(files[1].read_text()) == result
    assert "Because | it is." in files[2].read_text()
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
    assert not path.exists()  # the check for write access leaves nothing behind
    assert destination.write(TASK, await outcome()) == ([path], [])
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
    [error] = Destination(tmp_path / "a.pdf").write(TASK, await outcome()).errors
    assert str(error) == f"cannot make {str(tmp_path / 'a.pdf')!r}: ZeroDivisionError: no room"


def test_a_missing_package_is_an_error_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagorch.exporters.documents.formats.find_spec", lambda _: None)
    with pytest.raises(DefinitionError, match=r"needs typst.*pip install 'dagorch\[documents\]'"):
        Destination(tmp_path / "a.pdf")
    Destination(tmp_path / "a.html")


def test_an_existing_file_is_kept_until_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "answer.md"
    path.write_text("old")
    Destination(path)
    assert path.read_text() == "old"


def test_an_unwritable_path_is_an_error_before_the_run(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "below", tmp_path / "nowhere" / "x.md", file / "x.json"):
        with pytest.raises(DefinitionError, match="--out: cannot write "):
            Destination(path)


async def test_a_file_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    destination = Destination(tmp_path / "out")
    (tmp_path / "out" / "answer.md").mkdir()
    (tmp_path / "out" / "graph.svg").mkdir()
    paths, errors = destination.write(TASK, await outcome())
    assert [path.name for path in paths] == ["result.json", "answer.html"]
    assert [str(error) for error in errors] == [
        f"cannot write {str(tmp_path / 'out' / name)!r}: Is a directory"
        for name in ("answer.md", "graph.svg")
    ]


@pytest.mark.parametrize("name", ["run.svg", "run.PNG", "run.pdf", "run.dot", "run.mmd"])
async def test_the_picture_shows_the_run(tmp_path: Path, name: str) -> None:
    picture = RunPicture(tmp_path / name)
    assert picture.write(await outcome()) == ([tmp_path / name], [])
    assert (tmp_path / name).stat().st_size > 500


@pytest.mark.parametrize("name", ["run", "run.json", "run.yaml", "run.svgz"])
def test_a_picture_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DefinitionError, match=r"--picture .*: use a name that ends in one of .svg"):
        RunPicture(tmp_path / name)


def test_a_picture_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"--picture: cannot write .*No such file"):
        RunPicture(tmp_path / "nowhere" / "run.svg")
    destination = Destination(tmp_path)
    with pytest.raises(DefinitionError, match="another option writes a file of that name"):
        RunPicture(tmp_path / "graph.svg", destination.files)
