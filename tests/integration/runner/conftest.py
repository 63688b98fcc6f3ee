"""What the runner's tests share: virtual time on both event loops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest

from dagorch.testing import run_virtual


class Virtual(Protocol):
    """Runs an async function on virtual time."""

    backend: str

    def __call__(
        self, async_fn: Callable[..., Awaitable[Any]], *args: Any, stall_seconds: float = 5.0
    ) -> Any: ...


@pytest.fixture(params=("asyncio", "trio"))
def virtual(request: pytest.FixtureRequest) -> Any:
    def run(async_fn: Callable[..., Awaitable[Any]], *args: Any, stall_seconds: float = 5.0) -> Any:
        return run_virtual(async_fn, *args, backend=request.param, stall_seconds=stall_seconds)

    run.backend = request.param  # type: ignore[attr-defined]
    return run
