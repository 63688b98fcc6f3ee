"""`python -m dagorch`: the same as the command `dagorch`."""

import sys

# `-m` puts the current folder first on the path, so that a stranger's `yaml.py` there would be
# imported in the library's place. The command does not.
if not sys.flags.safe_path:
    del sys.path[0]

from dagorch.cli.main import main

if __name__ == "__main__":
    main()
