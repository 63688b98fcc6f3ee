"""Point 21, without the fallback model: retries, timeouts, and how much happens at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import anyio
import pytest

from dagorch import AgentResult, OrchestratorConfig, RunError, SubTask
from dagorch.errors import NodeTimeoutError
from dagorch.models.llm import LLMRequest
from dagorch.testing import run_virtual
from tests.conformance.doubles import Plain, by_tier, cascade, once, talking

FIVE = [SubTask(str(n), "x") for n in range(5)]


class Counting(Plain):
    """Counts tries of each method, and fails the first few of one of them."""

    failing = "execute_subtask"
    failures = 0

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, plan=[SubTask("a", "x")], **options)
        self.tries: dict[str, int] = {}

    def _try(self, name: str) -> None:
        self.tries[name] = self.tries.get(name, 0) + 1
        if name == self.failing and self.tries[name] <= self.failures:
            raise OSError("not now")

    async def decompose_task(self, task, context=None):
        self._try("decompose_task")
        return self.plan

    async def execute_subtask(self, subtask, context=None):
        self._try("execute_subtask")
        return AgentResult(subtask_id="a", content="ok")

    async def synthesize_results(self, agent_results, context=None):
        self._try("synthesize_results")
        return "done"


METHODS = ["decompose_task", "execute_subtask", "synthesize_results"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_max_retries_is_the_tries_after_the_first(method: str, retries: int) -> None:
    def run(failures: int) -> Counting:
        o = Counting(OrchestratorConfig(max_retries=retries))
        o.failing, o.failures = method, failures
        expected = pytest.raises(RunError) if failures > retries else contextlib.nullcontext()
        with expected:
            run_virtual(o.execute_workflow, "Why?")
        return o

    assert run(retries).tries[method] == retries + 1
    assert run(99).tries[method] == retries + 1


@pytest.mark.parametrize("method", METHODS)
def test_timeout_seconds_bounds_each_step_with_its_retries(method: str) -> None:
    class Slow(Counting):
        async def execute_subtask(self, subtask, context=None):
            await self.wait("execute_subtask")
            return await super().execute_subtask(subtask, context)

        async def decompose_task(self, task, context=None):
            await self.wait("decompose_task")
            return await super().decompose_task(task, context)

        async def synthesize_results(self, agent_results, context=None):
            await self.wait("synthesize_results")
            return await super().synthesize_results(agent_results, context)

        async def wait(self, name: str) -> None:
            await anyio.sleep(100 if name == method else 6)
            if name == method:
                raise OSError

    o = Slow(OrchestratorConfig(timeout_seconds=10, max_retries=50))

    async def main() -> float:
        began = anyio.current_time()
        with pytest.raises(RunError) as caught:
            await o.execute_workflow("Why?")
        assert isinstance(caught.value.__cause__, NodeTimeoutError)
        return anyio.current_time() - began

    assert run_virtual(main) == pytest.approx(10 + 6 * METHODS.index(method))


def at_once(make: Callable[[], Plain]) -> int:
    most = now = 0

    class Watching(Plain):
        async def execute_subtask(self, subtask, context=None):
            nonlocal most, now
            now += 1
            most = max(most, now)
            await anyio.sleep(1)
            now -= 1
            return await super().execute_subtask(subtask, context)

    o = make()
    o.__class__ = Watching
    run_virtual(o.execute_workflow, "Why?")
    return most


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"max_parallel": 3}, 3),
        ({"max_parallel": 1}, 1),
        ({"max_parallel": 9}, 5),
        ({"max_parallel": 3, "parallel_execution": False}, 1),
    ],
)
def test_so_many_at_once(options: dict, most: int) -> None:
    assert at_once(lambda: Plain(once(**options), plan=FIVE)) == most


@pytest.mark.parametrize(
    ("options", "most"), [({"max_parallel": 2}, 2), ({"parallel_execution": False}, 1)]
)
async def test_of_a_cascade_too(options: dict, most: int) -> None:
    gate = anyio.Event()

    async def reply(request: LLMRequest) -> str:
        if provider.active == most:
            gate.set()
        if request.model == "b":
            await gate.wait()
        return by_tier(request)

    provider = talking(reply)
    with anyio.fail_after(20):
        await cascade(provider, belter_count=6, **options).execute_workflow("Why?")
    assert provider.peak == most


def test_the_retries_of_a_cascade_are_extra_attempts_of_the_same_agents() -> None:
    failed: set[str] = set()

    def reply(request: LLMRequest) -> str:
        text = request.messages[-1].content
        if request.model == "b" and text not in failed:
            failed.add(text)
            raise OSError("not now")
        return by_tier(request)

    result = run_virtual(cascade(talking(reply), max_retries=1).execute_workflow, "Why?")
    assert result.status == "completed"
    assert [a.metadata["attempts"] for a in result.agent_results] == [2, 2, 2, 1, 1, 1]
