"""The command line: `python -m benchmarks [--quick] [suite ...]`."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.report import SuiteResult, render, render_header, write_json
from benchmarks.suites import Options, build, client, concurrent, fair, imports, speed, watch

SUITES: Mapping[str, Callable[[Options], SuiteResult]] = {
    "speed": speed.run,
    "build": build.run,
    "concurrent": concurrent.run,
    "fair": fair.run,
    "client": client.run,
    "watch": watch.run,
    "import": imports.run,
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure dagorch against baselines and other engines in the same run.",
        epilog="Exit code 1 if a target is missed or a suite fails.",
    )
    result.add_argument("suites", nargs="*", metavar="suite", help=f"one of {', '.join(SUITES)}")
    result.add_argument("--quick", action="store_true", help="small sizes, few rounds")
    result.add_argument("--json", type=Path, metavar="PATH", help="write all figures to this file")
    result.add_argument("--no-fail", action="store_true", help="exit with code 0 in any case")
    result.add_argument(
        "--portable",
        action="store_true",
        help="count only targets that apply to any machine: ratios and memory, not times",
    )
    result.add_argument("--no-peers", action="store_true", help="skip the other engines")
    result.add_argument("--max-nodes", type=int, metavar="N", help="the largest graph")
    result.add_argument("--seed", type=int, default=0, help="the seed of random shapes")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites, and return the exit code."""
    command = parser()
    settings = command.parse_args(arguments)
    unknown = [name for name in settings.suites if name not in SUITES]
    if unknown:
        command.error(f"no suite {unknown[0]!r}; use {', '.join(SUITES)}")
    options = Options(
        quick=settings.quick,
        seed=settings.seed,
        peers=not settings.no_peers,
        max_nodes=settings.max_nodes,
    )
    _print(render_header(seed=settings.seed, quick=settings.quick))
    results = []
    for name in settings.suites or SUITES:
        started = time.perf_counter()
        result = _run(name, options)
        result.notes.append(f"took {time.perf_counter() - started:.0f} s")
        results.append(result)
        _print(render(result, portable_only=settings.portable))
    if settings.json is not None:
        write_json(settings.json, results, seed=settings.seed, quick=settings.quick)
    missed = sum(len(result.missed(portable_only=settings.portable)) for result in results)
    errors = sum(len(result.errors) for result in results)
    checked = sum(len(result.checks) for result in results)
    _print(f"{checked} targets, {missed} missed; {errors} errors")
    return int((missed or errors) and not settings.no_fail)


def _run(name: str, options: Options) -> SuiteResult:
    try:
        return SUITES[name](options)
    except Exception:  # a broken suite must not stop the others
        return SuiteResult(name, errors=[traceback.format_exc()])


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
