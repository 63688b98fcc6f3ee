"""Public names of a package that are imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_exports"]


def lazy_exports(
    package: str, modules: Mapping[str, str], submodules: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """
    Return the `__getattr__` and the `__dir__` of a package that imports its names on first use.

    Args:
        package: The package's `__name__`.
        modules: Per module, the names that it defines, separated by spaces.
        submodules: The submodules that are attributes of the package, separated by spaces.

    Raises:
        AttributeError: (the returned `__getattr__`) The package has no such name; the message
            has the nearest one.
    """
    homes = {name: module for module, names in modules.items() for name in names.split()}
    inside = frozenset(submodules.split())

    def get(name: str) -> Any:
        if name in inside:
            return import_module(f"{package}.{name}")
        module = homes.get(name)
        if module is None:
            from dagorch.errors import did_you_mean

            known = did_you_mean(name, [*homes, *inside])
            raise AttributeError(f"module {package!r} has no attribute {name!r}{known}")
        value = getattr(import_module(module), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted([*homes, *inside])

    return get, names
