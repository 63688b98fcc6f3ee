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
    """Give the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure dagorch against baselines and peers in the same run.",
        epilog="Exit code 1 if a target is missed or a suite fails.",
    )
    found.add_argument("suites", nargs="*", metavar="suite", help=f"of {', '.join(SUITES)}")
    found.add_argument("--quick", action="store_true", help="small sizes, few rounds")
    found.add_argument("--json", type=Path, metavar="PATH", help="write all figures to a file")
    found.add_argument("--no-fail", action="store_true", help="report only: exit code 0")
    found.add_argument(
        "--portable",
        action="store_true",
        help="count only targets that hold on any machine: ratios and memory, no times",
    )
    found.add_argument("--no-peers", action="store_true", help="leave other engines out")
    found.add_argument("--max-nodes", type=int, metavar="N", help="no graph larger than this")
    found.add_argument("--seed", type=int, default=0, help="of the random shapes")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites; give the exit code."""
    line = parser()
    given = line.parse_args(arguments)
    unknown = [name for name in given.suites if name not in SUITES]
    if unknown:
        line.error(f"no suite {unknown[0]!r}; there are {', '.join(SUITES)}")
    options = Options(
        quick=given.quick, seed=given.seed, peers=not given.no_peers, max_nodes=given.max_nodes
    )
    _say(render_header(seed=given.seed, quick=given.quick))
    results = []
    for name in given.suites or SUITES:
        started = time.perf_counter()
        result = _run(name, options)
        result.notes.append(f"took {time.perf_counter() - started:.0f} s")
        results.append(result)
        _say(render(result, portable_only=given.portable))
    if given.json is not None:
        write_json(given.json, results, seed=given.seed, quick=given.quick)
    missed = sum(len(result.missed(portable_only=given.portable)) for result in results)
    errors = sum(len(result.errors) for result in results)
    checked = sum(len(result.checks) for result in results)
    _say(f"{checked} targets, {missed} missed; {errors} errors")
    return int((missed or errors) and not given.no_fail)


def _run(name: str, options: Options) -> SuiteResult:
    try:
        return SUITES[name](options)
    except Exception:  # one broken suite must not cost the figures of the others
        return SuiteResult(name, errors=[traceback.format_exc()])


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
