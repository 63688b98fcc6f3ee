"""
Tools for your own tests: a scripted provider, record and replay, virtual time, assertions.

Each name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagorch.providers.scripted import ScriptedProvider
    from dagorch.testing.assertions import assert_ends
    from dagorch.testing.record import RecordingProvider, ReplayProvider
    from dagorch.testing.virtual_time import run_virtual

_HOME = {
    "RecordingProvider": "dagorch.testing.record",
    "ReplayProvider": "dagorch.testing.record",
    "ScriptedProvider": "dagorch.providers.scripted",
    "assert_ends": "dagorch.testing.assertions",
    "run_virtual": "dagorch.testing.virtual_time",
}

__all__ = ["RecordingProvider", "ReplayProvider", "ScriptedProvider", "assert_ends", "run_virtual"]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'dagorch.testing' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
