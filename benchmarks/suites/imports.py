"""
Import: the time that `import dagorch` adds to the start of Python, and what it loads.

Each sample is a new interpreter in the directory above `benchmarks`, and the
statements alternate. The first, untimed round compiles the byte code.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import spread
from benchmarks.report import Check, SuiteResult
from benchmarks.subjects.dagorch import DAGORCH
from benchmarks.suites import Options, installed

STATEMENTS = {
    "python": "pass",
    "import dagorch": "import dagorch",
    "Graph": "from dagorch import Graph",
    "pydantic, anyio": "import pydantic, anyio",
}
FORBIDDEN = ("networkx", "httpx", "structlog", "graphviz", "typer")

PACKAGE_MS_LIMIT = 30.0
GRAPH_LIMIT = 1.3

_ROOT = Path(__file__).resolve().parents[2]


def run(options: Options) -> SuiteResult:
    """Time the statements, and list the modules that they load."""
    result = SuiteResult("import")
    names = list(STATEMENTS)
    if not installed([DAGORCH], result):
        names = [name for name in names if "dagorch" not in STATEMENTS[name]]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(16 if options.quick else 41):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            started = time.perf_counter()
            _python(STATEMENTS[name])
            if turn:
                seconds[name].append(time.perf_counter() - started)
    bare = seconds["python"]
    net: dict[str, list[float]] = {}
    for name in names:
        result.add("whole process, ms", "start", name, spread(seconds[name]).scaled(1e3))
        net[name] = [taken - base for taken, base in zip(seconds[name], bare, strict=True)]
        if name != "python":
            result.add("over bare Python, ms", "import", name, spread(net[name]).scaled(1e3))
    if "Graph" in names:
        package = spread(net["import dagorch"]).scaled(1e3)
        others = spread(net["pydantic, anyio"]).median
        result.checks += [
            Check("import dagorch, ms over Python", package, PACKAGE_MS_LIMIT, kind="machine"),
            # Noise can bring a single difference near 0, so the divisor is the median.
            Check(
                "Graph / pydantic and anyio", spread(net["Graph"]).scaled(1 / others), GRAPH_LIMIT
            ),
        ]
        for name in ("import dagorch", "Graph"):
            _loaded(name, result)
    return result


def _loaded(name: str, result: SuiteResult) -> None:
    """Check for forbidden modules, and note how many modules the statement loads."""
    listing = _python(f"{STATEMENTS[name]}\nimport json, sys\nprint(json.dumps(list(sys.modules)))")
    modules: list[str] = json.loads(listing)
    packages = sorted({module.partition(".")[0] for module in modules} - sys.stdlib_module_names)
    found = [module for module in FORBIDDEN if module in packages]
    counted = spread([float(len(found))])
    result.checks.append(Check(f"modules that must not load, {name}", counted, 0.0))
    result.notes.append(
        f"{STATEMENTS[name]!r} loads {len(modules)} modules, among them "
        f"{', '.join(package for package in packages if not package.startswith('_'))}"
        + (f"; must not: {', '.join(found)}" if found else "")
    )


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=_ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout
