"""Lazy exports: every name that a package lists can be imported, and no submodule is left out."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, walk_packages

import pytest

import dagorch

PACKAGES = ["dagorch"] + [
    package.name
    for package in walk_packages(dagorch.__path__, "dagorch.")
    if package.ispkg
    and "lazy_exports(" in Path(*dagorch.__path__, *package.name.split(".")[1:], "__init__.py")
    .read_text("utf-8")
]  # fmt: skip


def test_the_packages_are_found() -> None:
    assert {"dagorch", "dagorch.models", "dagorch.patterns"} <= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_listed_name_can_be_imported(package: str) -> None:
    module = import_module(package)
    assert set(module.__all__) <= set(dir(module))
    for name in dir(module):
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", PACKAGES[1:])  # the first one lists its public modules only
def test_a_package_with_submodules_as_attributes_has_them_all(package: str) -> None:
    module = import_module(package)
    inside = {found.name for found in iter_modules(module.__path__)}
    listed = inside.intersection(dir(module))
    if listed - set(module.__all__):
        assert listed == inside


def test_a_submodule_is_imported_at_its_first_use() -> None:
    sys.modules.pop("dagorch.patterns.judge", None)
    patterns = import_module("dagorch.patterns")
    vars(patterns).pop("judge", None)
    assert patterns.judge.__name__ == "dagorch.patterns.judge"
