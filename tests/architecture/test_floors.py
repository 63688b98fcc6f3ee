"""The rules of the layout: floors, file sizes, public names, what an import may do."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import logging
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from importlinter.cli import lint_imports

import dagorch

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "dagorch"
FILES: Final = sorted(PACKAGE.rglob("*.py"))
PURE_FILES: Final = [
    path
    for path in FILES
    if path.relative_to(PACKAGE).parts[0] in {"graph", "patterns", "scheduler"}
]
MODULES: Final = [
    "dagorch",
    *(module.name for module in pkgutil.walk_packages(dagorch.__path__, "dagorch.")),
]
HEAVY: Final = frozenset(
    {"graphviz", "httpx", "networkx", "opentelemetry", "rich", "structlog", "typer", "xllamacpp"}
)

# Run in a fresh interpreter. Reports what `import dagorch` did: the modules it
# loaded, the files and sockets it opened (Python's own reading of modules
# apart), the environment variables that dagorch itself read.
IMPORT_PROBE: Final = """
import json, os, sys

opened, read = [], []

def audit(event, arguments):
    if event.startswith("socket."):
        opened.append(event)
    elif event == "open" and not str(arguments[0]).endswith((".py", ".pyc", ".so", ".pyd")):
        opened.append(str(arguments[0]))

class Environment(type(os.environ)):
    def __getitem__(self, name):
        frame = sys._getframe(1)
        while frame.f_globals["__name__"] in ("os", "_collections_abc"):
            frame = frame.f_back
        if frame.f_globals["__name__"].startswith("dagorch"):
            read.append(name)
        return super().__getitem__(name)

os.environ.__class__ = Environment
import pydantic  # its own imports and reads do not count
sys.addaudithook(audit)
import dagorch
print(json.dumps({"modules": sorted(sys.modules), "opened": opened, "read": read}))
"""


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_keep_the_floors(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    logging.getLogger("dagorch").disabled = False  # import-linter disables existing loggers
    assert exit_code == 0, capsys.readouterr().out


@pytest.mark.parametrize("path", PURE_FILES, ids=relative)
def test_pure_floors_have_no_async_code_and_read_no_clock(path: Path) -> None:
    # The import contract covers what these files import; this covers the rest.
    waiting = (ast.AsyncFor, ast.AsyncFunctionDef, ast.AsyncWith, ast.Await)
    clock = {"now", "today", "utcnow"}
    found = [
        f"line {node.lineno}: {ast.unparse(node).splitlines()[0]}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, waiting)
        or (isinstance(node, ast.Call) and getattr(node.func, "attr", None) in clock)
    ]
    assert not found


@pytest.mark.parametrize("name", MODULES)
def test_public_names_exist_and_have_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isroutine(value):
            text = value.__doc__ or ""
            # A dataclass without a docstring gets its signature as one.
            assert text, f"{public} has no docstring"
            assert not text.startswith(f"{public}("), f"{public} has no docstring"


def test_importing_dagorch_is_light_and_silent() -> None:
    probe = subprocess.run(
        [sys.executable, "-c", IMPORT_PROBE], capture_output=True, text=True, check=True
    )
    assert not probe.stderr
    report = json.loads(probe.stdout)
    assert sorted(HEAVY.intersection(report["modules"])) == []
    assert report["opened"] == []
    assert report["read"] == []
