"""What dagorch installs with all its extras has licences that an MIT project may depend on."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

import pytest
from packaging.requirements import Requirement

EXTRAS: Final = ("local", "pdf", "documents", "otel")
COMPATIBLE: Final = re.compile(
    r"MIT|BSD|Apache|ISC|Python Software Foundation|PSF|Mozilla Public License 2|MPL-2\.0|EPL-2\.0"
)
"""Permissive licences, and two with copyleft for their own files only."""
STRONG: Final = re.compile(r"\b[AL]?GPL|General Public", re.IGNORECASE)


def installed(name: str, extras: tuple[str, ...], found: dict[str, Distribution]) -> None:
    """Add a distribution and all that it requires."""
    try:
        package = distribution(name)
    except PackageNotFoundError:  # for another platform
        return
    if name in found:
        return
    found[name] = package
    for line in package.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            installed(requirement.name, tuple(requirement.extras), found)


def licence_of(package: Distribution) -> str:
    metadata = package.metadata
    classifiers = [line for line in metadata.get_all("Classifier") or () if "License ::" in line]
    fields = [metadata[name] for name in ("License-Expression", "License") if name in metadata]
    return "; ".join([*fields, *classifiers])[:300]


def test_every_dependency_has_a_compatible_licence() -> None:
    found: dict[str, Distribution] = {}
    installed("dagorch", EXTRAS, found)
    assert len(found) > 20
    licences = {name: licence_of(package) for name, package in found.items()}
    assert not {
        name: licence
        for name, licence in licences.items()
        if not COMPATIBLE.search(licence) or STRONG.search(licence)
    }


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "LGPL-2.1", "AGPL-3.0", "Proprietary", ""])
def test_other_licences_are_noticed(licence: str) -> None:
    assert not COMPATIBLE.search(licence) or STRONG.search(licence)
