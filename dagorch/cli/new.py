"""`dagorch new orchestrator`: a small project that runs and passes its own test."""

from __future__ import annotations

import keyword
import re
import shlex
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from dagorch.errors import DefinitionError

__all__ = ["new_orchestrator"]

_FILES: Final = {
    "module.py": "{name}.py",
    "test.py": "test_{name}.py",
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
}
_WELL_FORMED: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def new_orchestrator(name: str, folder: Path | None) -> None:
    """
    Write a project with one orchestrator, and tell how it is run.

    Args:
        name: In small letters, words joined by `-` or `_`: the module's, the class's and the
            project's are made of it.
        folder: Where to; None is one of that name in the current folder.

    Raises:
        DefinitionError: The name is none for a module, there is something in the folder, or it
            cannot be written.
    """
    words = _words(name)
    names = {
        "name": "_".join(words),
        "project": "-".join(words),
        "Class": "".join(map(str.capitalize, words)),
    }
    where = folder or Path(names["project"])
    source = files("dagorch.cli") / "templates" / "orchestrator"
    try:
        where.mkdir(parents=True, exist_ok=True)
        if any(where.iterdir()):
            raise DefinitionError(f"{str(where)!r} is not empty; name another folder by --out")
        for template, target in _FILES.items():
            text = (source / f"{template}.txt").read_text("utf-8")
            (where / target.format_map(names)).write_text(Template(text).substitute(names), "utf-8")
    except OSError as error:
        raise DefinitionError(f"cannot write {str(where)!r}: {error.strerror or error}") from error
    print(
        f"new project: {where}\n\n"
        f"  cd {shlex.quote(str(where))}\n"
        f'  dagorch run {names["name"]}:{names["Class"]} "Shall we move to the country?"\n'
        "  python -m pytest"
    )


def _words(name: str) -> list[str]:
    if not _WELL_FORMED.fullmatch(name):
        raise DefinitionError(
            f"{name!r} is no name for a project: small letters and digits, words joined by '-' or "
            "'_', as in 'second-opinion'"
        )
    words = re.split("[-_]", name)
    module = "_".join(words)
    if keyword.iskeyword(module) or module in {*sys.stdlib_module_names, "dagorch", "test"}:
        raise DefinitionError(f"{name!r} is Python's own or dagorch's name; choose another")
    return words
