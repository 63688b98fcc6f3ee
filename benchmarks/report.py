"""
Results of the suites: figures, targets, the tables on stdout and the JSON file.

How a figure is measured is in `measure.py`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.measure import GC_HANDLING, Spread

PACKAGES = (
    "dagorch", "anyio", "trio", "pydantic", "networkx",
    "apache-hamilton", "langgraph", "pydantic-graph",
    "httpx", "openai", "anthropic", "google-genai", "opentelemetry-sdk", "rich",
)  # fmt: skip

Kind = Literal["portable", "machine"]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: the value of `metric` for `subject` in `case`."""

    metric: str
    case: str
    subject: str
    value: Spread


@dataclass(frozen=True, slots=True)
class Check:
    """
    A target and the measured value.

    Attributes:
        name: What is compared, with its case.
        value: The measured ratio or amount.
        limit: The target, in the unit of the value.
        at_most: Whether the limit is an upper bound; otherwise it is a lower one.
        kind: A ratio or an amount of memory is `portable`. A time is `machine`:
            its target applies to a machine like the one it was set on.
    """

    name: str
    value: Spread
    limit: float
    at_most: bool = True
    kind: Kind = "portable"

    @property
    def passed(self) -> bool:
        """Whether the median meets the target; an equal value does."""
        if self.at_most:
            return self.value.median <= self.limit
        return self.value.median >= self.limit


@dataclass(slots=True)
class SuiteResult:
    """The results of one suite. A suite with errors never passes."""

    suite: str
    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, metric: str, case: str, subject: str, value: Spread) -> None:
        """Add a row."""
        self.rows.append(Row(metric, case, subject, value))

    def missed(self, *, portable_only: bool = False) -> list[Check]:
        """Return the checks that missed their target."""
        return [
            check
            for check in self.checks
            if not check.passed and not (portable_only and check.kind == "machine")
        ]


def machine() -> dict[str, str | int | None]:
    """Describe the machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average_1min": _load(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions(names: Iterable[str] = PACKAGES) -> dict[str, str | None]:
    """Return the installed version of each package, None if it is not installed."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def write_json(path: Path, results: Sequence[SuiteResult], *, seed: int, quick: bool) -> None:
    """Write all figures and the machine to a file."""
    document = {
        "machine": machine(),
        "packages": versions(),
        "seed": seed,
        "quick": quick,
        "collector": GC_HANDLING,
        "spread": "median, first and third quartile",
        "suites": [
            asdict(result)
            | {"checks": [asdict(check) | {"passed": check.passed} for check in result.checks]}
            for result in results
        ],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def render_header(*, seed: int, quick: bool) -> str:
    """Return the lines above all tables."""
    here = machine()
    installed = ", ".join(f"{name} {version}" for name, version in versions().items() if version)
    return (
        f"{here['processor']}, {here['cores']} cores (load {here['load_average_1min']}),"
        f" {here['system']}, {here['python']}\n{installed or 'no packages'}\n"
        f"seed {seed}{', quick' if quick else ''}; median (quartiles); {GC_HANDLING}\n"
    )


def render(result: SuiteResult, *, portable_only: bool = False) -> str:
    """Render a suite as text: a table per metric, the targets, and the notes."""
    parts = [f"== {result.suite} =="]
    for metric in dict.fromkeys(row.metric for row in result.rows):
        rows = [row for row in result.rows if row.metric == metric]
        subjects = list(dict.fromkeys(row.subject for row in rows))
        cells = {(row.case, row.subject): cell(row.value) for row in rows}
        cases = dict.fromkeys(row.case for row in rows)
        parts.append(
            _table(
                [metric, *subjects],
                [[case, *(cells.get((case, name), "-") for name in subjects)] for case in cases],
            )
        )
    if result.checks:
        parts.append(
            _table(
                ["target", "measured", "limit", ""],
                [
                    [
                        check.name,
                        cell(check.value),
                        f"{'<=' if check.at_most else '>='} {number(check.limit)}",
                        _verdict(check, portable_only=portable_only),
                    ]
                    for check in result.checks
                ],
            )
        )
    parts += [f"note: {note}" for note in result.notes]
    parts += [f"ERROR: {error}" for error in result.errors]
    return "\n\n".join(parts) + "\n"


def cell(value: Spread) -> str:
    """
    Render a spread as short text.

    Example:
        >>> cell(Spread(1.5, 1.25, 20.0, 5)), cell(Spread(2.0, 2.0, 2.0, 1))
        ('1.5 (1.25-20)', '2')
    """
    if value.count == 1:
        return number(value.median)
    return f"{number(value.median)} ({number(value.low)}-{number(value.high)})"


def number(value: float) -> str:
    """Render three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _verdict(check: Check, *, portable_only: bool) -> str:
    if check.passed:
        return "ok"
    return "missed, not counted" if portable_only and check.kind == "machine" else "MISSED"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(
            text.ljust(width) if index == 0 else text.rjust(width)
            for index, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (head, rule, *lines)
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def _load() -> str | None:
    if sys.platform == "win32":
        return None
    return f"{os.getloadavg()[0]:.2f}"
