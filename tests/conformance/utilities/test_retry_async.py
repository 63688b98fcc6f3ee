"""`@retry_async`."""

from __future__ import annotations

import inspect

import anyio
import pytest

from dagorch import DefinitionError, retry_async
from dagorch.errors import BadRequestError, RateLimitedError
from dagorch.testing import run_virtual
from dagorch.testing.virtual_time import Backend

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Failing:
    """Fails the first `times` calls, with errors numbered from 1; records when it was called."""

    def __init__(self, times: int, error: type[Exception] | Exception = OSError) -> None:
        self.times = times
        self.error = error
        self.calls: list[float] = []

    async def __call__(self, answer: str = "done") -> str:
        self.calls.append(anyio.current_time())
        if len(self.calls) > self.times:
            return answer
        raise self.error if isinstance(self.error, Exception) else self.error(len(self.calls))


@BACKENDS
def test_the_last_error_is_raised_after_four_attempts(backend: Backend) -> None:
    failing = Failing(9)
    retried = retry_async(max_retries=3, base_delay=1.0)(failing.__call__)
    with pytest.raises(OSError, match=r"^4$"):
        run_virtual(retried, backend=backend)
    assert len(failing.calls) == 4


@BACKENDS
def test_the_result_of_a_later_attempt_is_returned(backend: Backend) -> None:
    failing = Failing(3)
    retried = retry_async(max_retries=3, base_delay=1.0)(failing.__call__)
    assert run_virtual(retried, "yes", backend=backend) == "yes"


def delays(failing: Failing, **options: float) -> list[float]:
    run_virtual(retry_async(len(failing.calls) + failing.times, **options)(failing.__call__))
    return [after - before for before, after in zip(failing.calls, failing.calls[1:], strict=False)]


def test_delays_double_with_jitter_up_to_a_maximum() -> None:
    drawn = [delays(Failing(4), base_delay=1.0, max_delay=5.0, seed=seed) for seed in range(200)]
    for place, ceiling in enumerate([1.0, 2.0, 4.0, 5.0]):
        column = [row[place] for row in drawn]
        assert 0.9 * ceiling < max(column) <= ceiling
        assert min(column) < 0.1 * ceiling
    again = delays(Failing(4), base_delay=1.0, max_delay=5.0, seed=7)
    assert again == drawn[7]


def test_the_services_own_delay_is_used() -> None:
    error = RateLimitedError("slow down", retry_after_seconds=7.0)
    assert delays(Failing(1, error), base_delay=1.0) == [7.0]


def test_an_error_that_is_not_retryable_is_raised_immediately() -> None:
    failing = Failing(9, BadRequestError("no such model"))
    with pytest.raises(BadRequestError):
        run_virtual(retry_async()(failing.__call__))
    assert len(failing.calls) == 1


@BACKENDS
def test_a_cancellation_is_not_retried(backend: Backend) -> None:
    entered: list[int] = []

    @retry_async(base_delay=0.0)
    async def slow() -> None:
        entered.append(1)
        await anyio.sleep_forever()

    async def main() -> bool:
        with anyio.move_on_after(5) as scope:
            await slow()
        return scope.cancelled_caught

    assert run_virtual(main, backend=backend)
    assert entered == [1]


def test_the_name_and_signature_of_the_function_are_kept() -> None:
    @retry_async()
    async def ask(question: str) -> str:
        """Ask."""
        return question

    assert (ask.__name__, ask.__doc__) == ("ask", "Ask.")
    assert list(inspect.signature(ask).parameters) == ["question"]
    assert inspect.iscoroutinefunction(ask)


def test_wrong_arguments_are_refused_at_decoration() -> None:
    with pytest.raises(DefinitionError, match="max_retries=-1"):
        retry_async(max_retries=-1)
    with pytest.raises(
        DefinitionError, match=r"^base_delay=-1.0 must be a finite number of seconds"
    ):
        retry_async(base_delay=-1.0)
    with pytest.raises(DefinitionError, match=r"^max_delay=nan must be a finite number of seconds"):
        retry_async(max_delay=float("nan"))
    with pytest.raises(
        DefinitionError, match=r"^base_delay='1' must be a finite number of seconds"
    ):
        retry_async(base_delay="1")
    with pytest.raises(DefinitionError, match="max_retries='3'"):
        retry_async(max_retries="3")

    async def ask() -> None: ...

    with pytest.raises(DefinitionError, match=r"@retry_async\(\)"):
        retry_async(ask)
    with pytest.raises(DefinitionError, match="async"):
        retry_async()(lambda: 1)
