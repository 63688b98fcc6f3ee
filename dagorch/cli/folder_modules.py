"""Imports from the current folder: only of modules that the user named, and after all others."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

__all__ = ["import_from_folder"]


class _FolderModules(MetaPathFinder):
    """
    Finds modules in a folder by their names.

    Were the folder on `sys.path`, every optional import of a library would look there too: httpx
    tries `brotli`, `h2`, `socksio` and `zstandard`.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.names: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module that was named; the modules of a package are found through its path."""
        if path is not None or fullname not in self.names:
            return None
        return PathFinder.find_spec(fullname, [self.folder], target)


def import_from_folder(modules: Iterable[str]) -> None:
    """
    Let these modules, with their packages, be imported from the current folder from now on.

    Args:
        modules: Names with dots. A module that is found elsewhere comes from there.
    """
    folder = str(Path.cwd())
    for finder in sys.meta_path:
        if isinstance(finder, _FolderModules) and finder.folder == folder:
            break
    else:
        finder = _FolderModules(folder)
        sys.meta_path.append(finder)
    finder.names.update(module.partition(".")[0] for module in modules)
