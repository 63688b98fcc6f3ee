"""
Tools for your own tests: a scripted provider, record and replay, virtual time, assertions.

Each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagorch.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from dagorch.providers.scripted import ScriptedProvider
    from dagorch.testing.assertions import assert_ends
    from dagorch.testing.record import RecordingProvider, ReplayProvider
    from dagorch.testing.virtual_time import run_virtual

__all__ = ["RecordingProvider", "ReplayProvider", "ScriptedProvider", "assert_ends", "run_virtual"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dagorch.testing.record": "RecordingProvider ReplayProvider",
        "dagorch.providers.scripted": "ScriptedProvider",
        "dagorch.testing.assertions": "assert_ends",
        "dagorch.testing.virtual_time": "run_virtual",
    },
)
