"""`dagorch new orchestrator`: writes a small project that runs and passes its own test."""

from __future__ import annotations

import keyword
import re
import shlex
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from dagorch.cli.streams import print_out
from dagorch.errors import DefinitionError
from dagorch.private_files import private_write

__all__ = ["new_orchestrator"]

_FILES: Final = {
    "module.py": "{name}.py",
    "test.py": "test_{name}.py",
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
}
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def new_orchestrator(name: str, folder: Path | None) -> None:
    """
    Write a project with one orchestrator, and print how to run it.

    Args:
        name: Lower-case words joined by `-` or `_`; the names of the project, the module and the
            class are made from it.
        folder: The folder; None is one with the project's name in the current folder.

    Raises:
        DefinitionError: The name is not possible, or the folder is not empty or not writable.
    """
    words = _words(name)
    names = {
        "name": "_".join(words),
        "project": "-".join(words),
        "Class": "".join(map(str.capitalize, words)),
    }
    target = folder or Path(names["project"])
    source = files("dagorch.cli") / "templates" / "orchestrator"
    try:
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise DefinitionError(f"{str(target)!r} is not empty; name another folder with --out")
        for template, file in _FILES.items():
            text = Template((source / f"{template}.txt").read_text("utf-8")).substitute(names)
            private_write(target / file.format_map(names), text.encode("utf-8"), mode=0o666)
    except OSError as error:
        raise DefinitionError(f"cannot write {str(target)!r}: {error.strerror or error}") from error
    print_out(
        f"new project: {target}\n\n"
        f"  cd {shlex.quote(str(target))}\n"
        f'  dagorch run {names["name"]}:{names["Class"]} "Shall we move to the country?"\n'
        "  python -m pytest"
    )


def _words(name: str) -> list[str]:
    if not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{name!r} cannot be a project's name: use lower-case letters and digits, with '-' or "
            "'_' between words, as in 'second-opinion'"
        )
    words = re.split("[-_]", name)
    module = "_".join(words)
    if keyword.iskeyword(module) or module in {*sys.stdlib_module_names, "dagorch", "test"}:
        raise DefinitionError(f"{name!r} is a name of Python's or dagorch's own; choose another")
    return words
