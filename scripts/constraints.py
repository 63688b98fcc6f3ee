"""
Compare the files that uv would install with constraints.txt, by version and by hash.

    uv run --no-project python scripts/constraints.py            exit with 1 if a hash differs
    uv run --no-project python scripts/constraints.py --write    rewrite constraints.txt

uv checks what it downloads against the hashes that its registry told it. This checks those
hashes: another file under a known version is an attack or a broken mirror. Another version is
reported only: `exclude-newer` in pyproject.toml decides the versions. Rewrite the file when you
move that day.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parents[1] / "constraints.txt"
EXPORT = (
    "uv export --quiet --all-extras --no-extra peers --group dev --group lint --no-emit-project "
    "--no-header --no-annotate --format requirements-txt"
)
ENTRY = re.compile(r"^(\S+==[^\\\n]+?) *((?:\\\n +--hash=\S+ *)+)", re.MULTILINE)


def hashes(text: str) -> dict[str, set[str]]:
    """Return the hashes of the files of each `name==version ; marker`."""
    return {entry: set(re.findall(r"sha256:\w+", files)) for entry, files in ENTRY.findall(text)}


def main() -> int:
    """Compare, or rewrite the file."""
    text = subprocess.run(  # noqa: S603  # the command above
        EXPORT.split(), cwd=FILE.parent, check=True, capture_output=True, text=True
    ).stdout
    if "--write" in sys.argv:
        FILE.write_text("".join(line for line in text.splitlines(True) if "://" not in line))
        return 0
    known, found = hashes(FILE.read_text()), hashes(text)
    for entry in sorted(found.keys() ^ known.keys()):
        print(f"only in {'constraints.txt' if entry in known else 'what uv resolved'}: {entry}")
    # Fewer files than known are no harm: a mirror need not have them all.
    same = found.keys() & known.keys()
    changed = sorted(entry for entry in same if not found[entry] or found[entry] - known[entry])
    for entry in changed:
        print(f"another file than in constraints.txt: {entry}")
    print(f"{len(same) - len(changed)} packages as in constraints.txt")
    return bool(changed)


if __name__ == "__main__":
    sys.exit(main())
