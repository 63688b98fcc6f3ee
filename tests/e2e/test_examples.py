"""Every example runs, in a process of its own, and prints what its docstring says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = sorted((ROOT / "examples").glob("*.py"))
NEED_THE_MODEL: Final = ("cascade_local",)
PRINTS: Final = "\nPrints:\n"


def docstring(example: Path) -> str:
    return ast.get_docstring(ast.parse(example.read_text("utf-8"))) or ""


def ran(example: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    # Without the user's environment there is no key. Warnings are errors, as in every test.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    "example",
    [example for example in EXAMPLES if example.stem not in NEED_THE_MODEL],
    ids=lambda example: example.stem,
)
def test_an_example_prints_the_output_in_its_docstring(example: Path, tmp_path: Path) -> None:
    text = docstring(example)
    assert PRINTS in text, "an example's docstring ends with what it prints"
    expected = textwrap.dedent(text.split(PRINTS)[1]).strip()
    assert ran(example, tmp_path).stdout.strip() == expected


@pytest.mark.local
@pytest.mark.full  # a minute of the model; the README's first command runs the same by default
@pytest.mark.parametrize("name", NEED_THE_MODEL)
def test_an_example_runs_on_the_embedded_model(name: str, tmp_path: Path) -> None:
    done = ran(ROOT / "examples" / f"{name}.py", tmp_path)
    assert "completed" in done.stdout
