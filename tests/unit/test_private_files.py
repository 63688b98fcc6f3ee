"""Files are written whole or not at all, and only their owner may read them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from dagorch import LLM, DefinitionError, Graph, OrchestratorResult
from dagorch.exporters import JsonLines, Recorder, write, write_record
from dagorch.exporters.documents import write_documents
from dagorch.private_files import (
    check_writable,
    private_append,
    private_folder,
    private_write,
)
from dagorch.testing import RecordingProvider, ScriptedProvider


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_new_file_is_private(tmp_path: Path) -> None:
    for named in (True, False):
        path = tmp_path / f"file{named}"
        private_write(path, b"new", named=named)
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    private_write(tmp_path / "public", b"", mode=0o666)
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "public").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("named", [True, False])
def test_only_an_existing_file_that_the_user_named_keeps_its_permissions(
    tmp_path: Path, named: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o604)
    private_write(path, b"new", named=named)
    mode = 0o604 if named else 0o600
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", mode)


@pytest.mark.parametrize("named", [True, False])
def test_a_link_that_another_user_planted_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_bytes(b"theirs")
    link.symlink_to(victim)
    if named:
        monkeypatch.setattr("dagorch.private_files._is_own", lambda status: False)
    private_write(link, b"new", named=named)
    assert victim.read_bytes() == b"theirs"
    assert (link.is_symlink(), link.read_bytes()) == (False, b"new")


def test_lines_are_not_appended_through_a_link_or_pipe_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(tmp_path / "victim")
    os.mkfifo(pipe)
    with private_append(tmp_path / "ours") as file:
        file.write("line\n")
        assert (tmp_path / "ours").read_text() == "line\n"
    assert (tmp_path / "ours").stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr("dagorch.private_files._is_own", lambda status: False)
    for path in (link, pipe):
        with pytest.raises(DefinitionError, match="cannot write"):
            private_append(path)
    assert not (tmp_path / "victim").exists()


def test_a_pipe_in_the_place_of_a_file_of_ours_is_replaced_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    private_write(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").read_bytes() == b"new"


def test_standard_output_can_be_named(tmp_path: Path) -> None:
    code = (
        "from dagorch.private_files import private_write, private_append\n"
        "private_write('/dev/stdout', b'one ', named=True)\n"
        "with private_append('/dev/stdout') as file:\n    file.write('two')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"one two"


def test_folders_of_ours_are_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = private_folder(tmp_path / "a" / "b")
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o700] * 2
    (tmp_path / "link").symlink_to(folder)
    assert private_folder(tmp_path / "link") == tmp_path / "link"
    monkeypatch.setattr("dagorch.private_files._is_own", lambda status: False)
    with pytest.raises(PermissionError, match="another user"):
        private_folder(tmp_path / "link")


def modes(folder: Path) -> Counter[int]:
    return Counter(path.stat().st_mode & 0o777 for path in folder.rglob("*"))


async def test_every_file_of_a_run_is_private(tmp_path: Path) -> None:
    graph = Graph("one")
    graph.add(LLM("ask", prompt="Say hello."))
    recorder, events = Recorder(), JsonLines(tmp_path / "events.jsonl")
    provider = RecordingProvider(ScriptedProvider("Hi!"), tmp_path / "exchanges.jsonl")
    with events:
        result = await graph.run(provider=provider, on_event=[recorder, events])
    write_record(recorder.record(result), tmp_path / "run.json")
    write(graph, tmp_path / "graph.mmd", result)
    outcome = OrchestratorResult("t", "completed", "Hi!")
    write_documents(outcome, tmp_path / "reports", ["markdown"])
    assert modes(tmp_path) == {0o700: 1, 0o600: 5}


@pytest.mark.parametrize(
    ("fail", "raised"), [(no_space, DefinitionError), (interrupted, KeyboardInterrupt)]
)
@pytest.mark.parametrize("exists", [True, False])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fail: Callable[..., None],
    raised: type[BaseException],
    exists: bool,
) -> None:
    path = tmp_path / "file"
    if exists:
        path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(raised):
        private_write(path, b"new", named=True)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"] * exists


def test_the_reason_is_in_the_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DefinitionError, match=r"cannot write '.*file': No space left on device"):
        private_write(tmp_path / "file", b"new", named=True)


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    link, target = tmp_path / "link", tmp_path / "elsewhere" / "target"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(target)
    check_writable(link)
    assert target.exists() == exists
    private_write(link, b"new", named=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_link_into_a_missing_folder_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "missing" / "target")
    for attempt in (check_writable, lambda path: private_write(path, b"new", named=True)):
        with pytest.raises(DefinitionError, match="No such file or directory"):
            attempt(link)
    assert link.is_symlink()


def test_a_device_is_written_directly() -> None:
    private_write("/dev/null", b"new", named=True)
    assert Path("/dev/null").is_char_device()
    with pytest.raises(DefinitionError, match="'/dev/full': No space left on device"):
        private_write("/dev/full", b"new", named=True)


def test_a_file_without_write_permission_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root
    with pytest.raises(DefinitionError, match="Permission denied"):
        private_write(path, b"new", named=True)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EACCES])
def test_a_file_that_cannot_be_replaced_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", refuse)
    private_write(path, b"new", named=True)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"new")]


def test_the_check_leaves_everything_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    check_writable(path)
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"old")
    check_writable(path)
    assert path.read_bytes() == b"old"
    for wrong in (tmp_path, tmp_path / "missing" / "file", path / "below"):
        with pytest.raises(DefinitionError, match="cannot write"):
            check_writable(wrong)
