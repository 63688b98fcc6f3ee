"""Retries, the fallback model, timeouts and concurrency."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import anyio
import pytest

from dagorch import AgentResult, OrchestratorConfig, RunError, SubTask
from dagorch.errors import DefinitionError, NodeTimeoutError, OverloadedError
from dagorch.models.llm import LLMRequest
from dagorch.testing import ScriptedProvider, run_virtual
from tests.conformance.doubles import Plain, by_tier, calls, cascade, once, talking

FIVE = [SubTask(str(n), "x") for n in range(5)]


class Counting(Plain):
    """Counts the attempts of each method, and fails the first few of one of them."""

    failing = "execute_subtask"
    failures = 0

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, plan=[SubTask("a", "x")], **options)
        self.attempts: dict[str, int] = {}

    def _attempt(self, name: str) -> None:
        self.attempts[name] = self.attempts.get(name, 0) + 1
        if name == self.failing and self.attempts[name] <= self.failures:
            raise OSError("not now")

    async def decompose_task(self, task, context=None):
        self._attempt("decompose_task")
        return self.plan

    async def execute_subtask(self, subtask, context=None):
        self._attempt("execute_subtask")
        return AgentResult(subtask_id="a", content="ok")

    async def synthesize_results(self, agent_results, context=None):
        self._attempt("synthesize_results")
        return "done"


METHODS = ["decompose_task", "execute_subtask", "synthesize_results"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_max_retries_is_the_number_of_attempts_after_the_first(method: str, retries: int) -> None:
    def run(failures: int) -> Counting:
        o = Counting(OrchestratorConfig(max_retries=retries))
        o.failing, o.failures = method, failures
        expected = pytest.raises(RunError) if failures > retries else contextlib.nullcontext()
        with expected:
            run_virtual(o.execute_workflow, "Why?")
        return o

    assert run(retries).attempts[method] == retries + 1
    assert run(99).attempts[method] == retries + 1


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


def peak_concurrency(make: Callable[[], Plain]) -> int:
    peak = running = 0

    class Watching(Plain):
        async def execute_subtask(self, subtask, context=None):
            nonlocal peak, running
            running += 1
            peak = max(peak, running)
            await anyio.sleep(1)
            running -= 1
            return await super().execute_subtask(subtask, context)

    o = make()
    o.__class__ = Watching
    run_virtual(o.execute_workflow, "Why?")
    return peak


@pytest.mark.parametrize(
    ("options", "peak"),
    [
        ({"max_parallel": 3}, 3),
        ({"max_parallel": 1}, 1),
        ({"max_parallel": 9}, 5),
        ({"max_parallel": 3, "parallel_execution": False}, 1),
    ],
)
def test_max_parallel_limits_concurrent_subtasks(options: dict, peak: int) -> None:
    assert peak_concurrency(lambda: Plain(once(**options), plan=FIVE)) == peak


@pytest.mark.parametrize(
    ("options", "peak"), [({"max_parallel": 2}, 2), ({"parallel_execution": False}, 1)]
)
async def test_max_parallel_limits_the_calls_of_a_cascade(options: dict, peak: int) -> None:
    gate = anyio.Event()

    async def reply(request: LLMRequest) -> str:
        if provider.active == peak:
            gate.set()
        if request.model == "b":
            await gate.wait()
        return by_tier(request)

    provider = talking(reply)
    with anyio.fail_after(20):
        await cascade(provider, belter_count=6, **options).execute_workflow("Why?")
    assert provider.peak == peak


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


def replies_without(*models: str) -> Callable[[LLMRequest], object]:
    """Return the replies of a service whose `models` are overloaded."""

    def reply(request: LLMRequest) -> object:
        if request.model in models:
            return OverloadedError(f"{request.model} is busy", status=503)
        return by_tier(request)

    return reply


def test_the_fallback_model_answers_if_the_model_of_a_tier_fails() -> None:
    provider = talking(replies_without("b"))
    o = cascade(provider, fallback_model="spare", max_retries=1)
    result = run_virtual(o.execute_workflow, "Why?")
    assert result.status == "completed"
    belters = [a for a in result.agent_results if a.subtask_id.startswith("belter")]
    assert [(a.content, a.metadata["attempts"]) for a in belters] == [("said by spare", 3)] * 3
    assert calls(provider) == {"plan": 1, "b": 6, "spare": 3, "d": 2, "c": 1}


def test_the_fallback_model_plans_before_default_questions_are_used() -> None:
    provider = talking(replies_without("p"))
    result = run_virtual(cascade(provider, fallback_model="spare").execute_workflow, "Why?")
    assert result.metadata["planned"]


def test_the_fallback_model_may_be_of_another_service() -> None:
    spare = ScriptedProvider("said by the other", name="other")
    config = OrchestratorConfig(max_retries=0, fallback_model="other:large")
    o = Asking(config, talking(replies_without("")), providers={"other": spare}, plan=FIVE[:1])
    result = run_virtual(o.execute_workflow, "Why?")
    assert result.agent_results[0].content == "said by the other"
    assert [request.model for request in spare.requests] == ["large"]


def test_the_fallback_model_answers_calls_of_a_custom_orchestrator() -> None:
    provider = talking(replies_without("", "main"))
    config = OrchestratorConfig(max_retries=1, primary_model="main", fallback_model="spare")
    result = run_virtual(Asking(config, provider, plan=FIVE[:2]).execute_workflow, "Why?")
    assert [a.content for a in result.agent_results] == ["said by spare"] * 2
    assert [request.model for request in provider.requests].count("main") == 4


def test_an_unknown_fallback_model_is_reported_before_any_request() -> None:
    provider = ScriptedProvider("x", name="openai")
    o = Asking(OrchestratorConfig(fallback_model="gtp-4"), provider, plan=FIVE)
    with pytest.raises(DefinitionError, match="gtp-4"):
        run_virtual(o.execute_workflow, "Why?")
    assert provider.requests == []


class Asking(Plain):
    """Calls its provider once per subtask."""

    async def execute_subtask(self, subtask, context=None):
        reply = await self.provider.acomplete([{"role": "user", "content": "Well?"}])
        return AgentResult(subtask_id=subtask.id, content=reply.content)
