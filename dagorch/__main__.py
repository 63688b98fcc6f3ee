"""`python -m dagorch`: the same as the command `dagorch`."""

from dagorch.cli.main import main

if __name__ == "__main__":
    main()
