"""Each caller of the client benchmark gets the answer of the service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.service import ANSWER, Service, running
from benchmarks.subjects.callers import ANTHROPIC, GEMINI, OPENAI, Caller, Dialect, expect

CALLERS = [
    pytest.param(dialect, caller, id=f"{caller.name}, {dialect.name}")
    for dialect in (OPENAI, ANTHROPIC, GEMINI)
    for caller in dialect.callers
]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.mark.parametrize(("dialect", "caller"), CALLERS)
@pytest.mark.parametrize("pace", ["whole", "stream"])
async def test_each_gets_the_answer_over_one_connection(
    service: Service, dialect: Dialect, caller: Caller, pace: str, anyio_backend_name: str
) -> None:
    if anyio_backend_name != "asyncio" and caller not in dialect.callers[:3]:
        pytest.skip("needs asyncio")
    if missing := caller.missing():
        pytest.skip(missing)
    before = service.connections()
    async with caller.open(service.url(pace)) as ask:
        for _ in range(3):
            await ask()
    assert service.connections() - before == 1


def test_an_unexpected_answer_is_an_error() -> None:
    with pytest.raises(ValueError, match="unexpected answer"):
        expect(ANSWER, 1, 2)
