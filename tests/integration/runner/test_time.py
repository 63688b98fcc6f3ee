"""Retries, backoff and deadlines on virtual time, and that no branch waits for another."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from dagorch import LLM, Graph, Policy, Retry, RunError
from dagorch.errors import NodeTimeoutError, OverloadedError, RateLimitedError
from dagorch.models.result import Result
from dagorch.nodes.function import Function
from dagorch.testing import ScriptedProvider, assert_ends


def failing(times: int, error: Exception, value: object = "done", seconds: float = 0) -> Any:
    """Return a function that raises this many times, then returns the value."""
    left = [times]

    async def work() -> Any:
        await anyio.sleep(seconds)
        if left[0]:
            left[0] -= 1
            raise error
        return value

    return work


async def failure_of(graph: Graph, **options: Any) -> RunError:
    with pytest.raises(RunError) as caught:
        await graph.run(**options)
    return caught.value


def test_branches_do_not_wait_for_each_other(virtual: Any) -> None:
    graph = Graph("two branches")

    async def wait(seconds: float, after: float = 0) -> float:
        await anyio.sleep(seconds)
        return after + seconds

    for name, first, second in (("a", 0.3, 0.1), ("b", 0.1, 0.3)):
        head = graph.function(wait, id=f"{name}1", seconds=first)
        graph.function(wait, id=f"{name}2", seconds=second, after=head)
    graph.merge("join", [graph_ref(graph, "a2"), graph_ref(graph, "b2")])
    result = virtual(graph.run)
    assert result.duration_seconds == pytest.approx(0.40, abs=1e-9)
    assert result.get("b2").started_seconds == pytest.approx(0.1, abs=1e-9)


def graph_ref(graph: Graph, id: str) -> Any:
    from dagorch.models.ref import Ref

    return Ref(graph, id)


def test_backoff_of_hours_takes_milliseconds(virtual: Any) -> None:
    graph = Graph("patient")
    retry = Retry(attempts=6, base_delay_seconds=3600, max_delay_seconds=86_400)
    graph.function(failing(5, OSError("busy")), id="work", policy=Policy(retry=retry))
    result = virtual(graph.run)
    assert result.output == "done"
    run = result.get("work")
    assert run.attempts == 6
    ceilings = sum(retry.ceiling_seconds(n) for n in range(1, 6))
    assert 3600 < result.duration_seconds <= ceilings


def test_equal_seeds_have_equal_delays(virtual: Any) -> None:
    async def one(**options: Any) -> float:
        graph = Graph("seeded")
        graph.function(failing(3, OSError()), id="work", policy=Policy(retry=Retry(attempts=4)))
        return (await graph.run(**options)).duration_seconds

    async def several() -> list[float]:
        return [await one(seed=1), await one(seed=1), await one(seed=2), await one(), await one()]

    same, again, other, unseeded, unseeded_too = virtual(several)
    assert same == pytest.approx(again)
    assert same != pytest.approx(other)
    assert unseeded != pytest.approx(unseeded_too)
    assert virtual(several)[3] == pytest.approx(unseeded)  # run_virtual's own seed


def test_only_errors_named_by_the_policy_are_retried(virtual: Any) -> None:
    graph = Graph("picky")
    policy = Policy(retry=Retry(attempts=3, on=(ConnectionError,)))
    graph.function(failing(1, KeyError("x")), id="work", policy=policy)
    error = virtual(failure_of, graph)
    assert error.partial_results.get("work").attempts == 1


def test_retry_after_wins_over_the_backoff(virtual: Any) -> None:
    graph = Graph("retry after")
    error = RateLimitedError("slow down", retry_after_seconds=42.0)
    graph.function(failing(1, error), id="work", policy=Policy(retry=Retry(max_delay_seconds=60)))
    assert virtual(graph.run).duration_seconds == pytest.approx(42.0)


def test_a_retry_after_past_the_longest_wait_fails_at_once(virtual: Any) -> None:
    graph = Graph("retry after")
    error = RateLimitedError("slow down", retry_after_seconds=61.0)
    graph.function(failing(1, error), id="work", policy=Policy(retry=Retry(max_delay_seconds=60)))
    caught = virtual(failure_of, graph)
    assert caught.partial_results.duration_seconds == 0
    assert caught.__cause__ is error or caught is error


def test_a_retry_after_past_the_nodes_deadline_fails_at_once(virtual: Any) -> None:
    graph = Graph("retry after")
    error = RateLimitedError("slow down", retry_after_seconds=50.0)
    graph.function(failing(1, error), id="work", policy=Policy(retry=Retry(), timeout_seconds=30))
    assert virtual(failure_of, graph).partial_results.duration_seconds == 0


def test_an_llm_node_is_retried_by_default(virtual: Any) -> None:
    graph = Graph("service")
    graph.add(LLM("ask", prompt="Hi"))
    provider = ScriptedProvider([OverloadedError("503", status=503), "Hello"])

    async def run() -> Result:
        return await graph.run(provider=provider)

    result = virtual(run)
    assert result.output == "Hello"
    assert result.get("ask").attempts == 2
    assert result.usage.calls == 2


def test_an_attempt_that_times_out_is_retried(virtual: Any) -> None:
    graph = Graph("slow once")
    seconds = [100.0, 1.0]

    async def work() -> str:
        await anyio.sleep(seconds.pop(0))
        return "done"

    retry = Retry(attempts=2, base_delay_seconds=0)
    graph.function(work, policy=Policy(retry=retry, attempt_timeout_seconds=5))
    result = virtual(graph.run)
    assert result.output == "done"
    assert result.duration_seconds == pytest.approx(6.0)


def test_an_attempts_timeout_without_a_retry_fails_the_node(virtual: Any) -> None:
    graph = Graph("slow")
    graph.function(
        failing(0, OSError(), seconds=100), id="work", policy=Policy(attempt_timeout_seconds=5)
    )
    error = virtual(failure_of, graph)
    cause = error.__cause__
    assert isinstance(cause, NodeTimeoutError)
    assert isinstance(cause, TimeoutError)
    assert "attempt 1 of node 'work' took longer than attempt_timeout_seconds=5" in str(cause)
    assert error.partial_results.duration_seconds == pytest.approx(5.0)


def test_a_nodes_deadline_covers_its_attempts_and_waits(virtual: Any) -> None:
    graph = Graph("bounded")
    policy = Policy(retry=Retry(attempts=1000, max_delay_seconds=1), timeout_seconds=10)
    graph.function(failing(1000, OSError("again"), seconds=1), id="work", policy=policy)
    error = virtual(failure_of, graph)
    assert 8 < error.partial_results.duration_seconds <= 10
    assert error.partial_results.get("work").attempts > 3


def test_a_node_is_not_retried_after_its_deadline(virtual: Any) -> None:
    graph = Graph("bounded")
    policy = Policy(retry=Retry(attempts=3), timeout_seconds=10)
    graph.function(failing(0, OSError(), seconds=100), id="work", policy=policy)
    error = virtual(failure_of, graph)
    assert "took longer than timeout_seconds=10" in str(error)
    assert error.partial_results.duration_seconds == pytest.approx(10.0)
    assert error.partial_results.get("work").attempts == 1


def test_a_containers_deadline_counts_from_its_opening(virtual: Any) -> None:
    body = Graph("body")
    body.input("item", int)

    @body.function
    async def nap(item: int) -> int:
        await anyio.sleep(4)
        return item

    graph = Graph("bounded")

    @graph.function
    async def before() -> list[int]:
        await anyio.sleep(50)
        return [1, 2, 3]

    graph.map(body, id="naps", over=before, max_parallel=1, policy=Policy(timeout_seconds=10))
    error = virtual(failure_of, graph)
    assert isinstance(error.__cause__, NodeTimeoutError)
    result = error.partial_results
    assert result.duration_seconds == pytest.approx(60.0)
    ends = {
        "naps": "failed",
        "naps[0]/nap": "completed",
        "naps[1]/nap": "completed",
        "naps[2]/nap": "cancelled",
    }
    assert_ends(result, ends)


def test_the_runs_deadline_stops_everything(virtual: Any) -> None:
    graph = Graph("bounded")
    quick = graph.function(failing(0, OSError(), seconds=1), id="quick")
    graph.function(failing(0, OSError(), seconds=100), id="slow", after=quick)

    async def run() -> RunError:
        return await failure_of(graph, timeout_seconds=7)

    error = virtual(run)
    assert isinstance(error, NodeTimeoutError)
    assert "the run took longer than its timeout_seconds=7" in str(error)
    assert_ends(error.partial_results, {"quick": "completed", "slow": "cancelled"})
    assert error.partial_results.duration_seconds == pytest.approx(7.0)


def test_an_unneeded_deadline_does_not_delay_the_runs_end(virtual: Any) -> None:
    # Two timeouts set in one step, the later first; both nodes end long before.
    graph = Graph("over")

    async def at_once() -> int:
        return 1

    async def soon() -> int:
        await anyio.sleep(1)
        return 2

    first = graph.function(at_once, policy=Policy(attempt_timeout_seconds=3600))
    graph.function(soon, after=first, policy=Policy(attempt_timeout_seconds=1800))

    async def run() -> float:
        await graph.run()
        return anyio.current_time()

    before = virtual(anyio_now)
    assert virtual(run) - before == pytest.approx(1.0)


async def anyio_now() -> float:
    return anyio.current_time()


def test_many_deadlines_set_in_any_order_all_hold(virtual: Any) -> None:
    graph = Graph("many")
    for seconds in (50, 10, 40, 20, 30, 5, 45):
        graph.function(
            failing(0, OSError(), seconds=1000),
            id=f"n{seconds}",
            policy=Policy(attempt_timeout_seconds=seconds, fallback=seconds),
        )
    result = virtual(graph.run)
    for seconds in (50, 10, 40, 20, 30, 5, 45):
        assert result.get(f"n{seconds}").ended_seconds == pytest.approx(seconds)
    assert result.duration_seconds == pytest.approx(50)


def test_a_fallback_value_is_used_after_the_last_attempt(virtual: Any) -> None:
    graph = Graph("plan b")
    error = OSError("down")
    policy = Policy(retry=Retry(attempts=2), fallback="cached")
    work = graph.function(failing(9, error), id="work", policy=policy)

    @graph.function
    async def behind(work: str) -> str:
        return work.upper()

    result = virtual(graph.run)
    assert result.output == "CACHED"
    run = result.get(work)
    assert (run.end, run.attempts, run.recovered_from) == ("completed", 2, error)


def test_a_fallback_node_gets_the_same_inputs(virtual: Any) -> None:
    graph = Graph("plan b")
    graph.input("question", str)

    async def answer(question: str) -> str:
        raise ConnectionError("no route")

    async def offline(question: str) -> str:
        await anyio.sleep(2)
        return f"offline: {question}"

    policy = Policy(fallback=Function("offline", offline))
    ref = graph.function(answer, policy=policy)

    async def run() -> Result:
        return await graph.run(question="why?")

    result = virtual(run)
    assert result[ref] == "offline: why?"
    assert isinstance(result.get(ref).recovered_from, ConnectionError)
    assert_ends(result, {"answer": "completed", "answer[fallback]/offline": "completed"})
    assert result.duration_seconds == pytest.approx(2.0)


def test_a_fallback_gets_the_optional_inputs_and_defaults_of_the_failed_node(virtual: Any) -> None:
    graph = Graph("defaults")
    graph.input("tone", str, default="dry")

    async def broken(tone: str = "warm", length: int = 3, hidden: str = "h") -> str:
        raise OSError("broken")

    async def backup(length: int, tone: str = "own", size: str = "own") -> tuple[Any, ...]:
        return tone, length, size

    graph.function(broken, policy=Policy(fallback=Function("backup", backup)))
    assert virtual(graph.run).output == ("dry", 3, "own")


def test_a_fallback_prompt_gets_the_default_of_the_failed_node(virtual: Any) -> None:
    provider = ScriptedProvider("short")
    graph = Graph("defaults")

    async def broken(text: str = "the default text") -> str:
        raise OSError("broken")

    graph.function(broken, policy=Policy(fallback=LLM("backup", prompt="Sum up: {text}")))

    async def run() -> Result:
        return await graph.run(provider=provider)

    assert virtual(run).output == "short"
    assert provider.requests[0].messages[0].content == "Sum up: the default text"


def test_a_fallback_that_fails_fails_the_node_with_its_own_error(virtual: Any) -> None:
    graph = Graph("no plan")

    async def backup() -> str:
        raise KeyError("backup")

    graph.function(
        failing(1, OSError("first")), id="work", policy=Policy(fallback=Function("backup", backup))
    )
    error = virtual(failure_of, graph)
    assert isinstance(error.__cause__, KeyError)


def test_continue_blocks_only_downstream_nodes(virtual: Any) -> None:
    graph = Graph("on")
    graph.function(failing(1, OSError("x")), id="broken", policy=Policy(on_error="continue"))

    async def needs(broken: str) -> str:
        return broken

    async def defaults(broken: str = "none") -> str:
        return broken

    graph.function(needs)
    graph.function(defaults)
    graph.function(failing(0, OSError(), seconds=3), id="beside")
    result = virtual(graph.run)
    assert result.status == "partial"
    ends = {"broken": "failed", "needs": "blocked", "beside": "completed"}
    assert_ends(result, ends)
    assert result.duration_seconds == pytest.approx(3.0)


def test_fail_cancels_the_other_running_nodes(virtual: Any) -> None:
    graph = Graph("stop")
    graph.function(failing(1, OSError("x"), seconds=1), id="broken")
    graph.function(failing(0, OSError(), seconds=100), id="beside")
    error = virtual(failure_of, graph)
    assert_ends(error.partial_results, {"broken": "failed", "beside": "cancelled"})
    assert error.partial_results.duration_seconds == pytest.approx(1.0)


def test_a_node_that_waits_for_its_retry_does_not_hold_a_slot(virtual: Any) -> None:
    graph = Graph("one slot")
    retry = Retry(attempts=2, on=(RateLimitedError,))
    error = RateLimitedError("later", retry_after_seconds=30)
    graph.function(failing(1, error), id="waits", policy=Policy(retry=retry, priority=1))
    graph.function(failing(0, OSError(), seconds=10), id="works")

    async def run() -> Result:
        return await graph.run(max_parallel=1)

    result = virtual(run)
    assert result.duration_seconds == pytest.approx(30.0)
    assert result.get("works").ended_seconds == pytest.approx(10.0)


@pytest.mark.parametrize(("seconds", "attempts"), [(0.5, 1), (1.5, 1), (11.5, 2)])
def test_an_attempt_that_was_cancelled_counts(virtual: Any, seconds: float, attempts: int) -> None:
    """The first attempt takes 1 s, the wait after it 10 s."""

    graph = Graph("cancelled")
    slow = failing(1, RateLimitedError("slow down", retry_after_seconds=10.0), seconds=1)
    graph.function(slow, id="work", policy=Policy(retry=Retry(attempts=3)))

    async def run() -> Any:
        async with graph.start() as handle:
            await anyio.sleep(seconds)
            handle.cancel("enough")
            with pytest.raises(RunError) as caught:
                await handle.result()
        return caught.value.partial_results.get("work")

    run_of_work = virtual(run)
    assert (run_of_work.end, run_of_work.attempts) == ("cancelled", attempts)
