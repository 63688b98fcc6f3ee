"""The traceback of a user's error shows the user's lines."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from dagorch import LLM, Graph, Policy, Retry, RunError
from dagorch.errors import OverloadedError
from dagorch.testing import ScriptedProvider


def files_of(error: BaseException | None) -> list[str]:
    assert error is not None
    frames = traceback.extract_tb(error.__traceback__)
    return [frame.filename.rpartition("/")[2] for frame in frames]


def fails() -> None:
    raise OSError("no")


async def fails_on_the_loop() -> None:
    fails()


def select() -> bool:
    raise OSError("no")


def graph_with(fn: Any) -> Graph:
    graph = Graph("fails")
    if fn is select:
        graph.branch("branch", select)
    else:
        graph.function(fn)
    return graph


@pytest.mark.parametrize("fn", [fails, fails_on_the_loop, select])
def test_the_cause_begins_at_the_users_line(virtual: Any, fn: Any) -> None:
    async def run() -> RunError:
        with pytest.raises(RunError) as caught:
            await graph_with(fn).run()
        return caught.value

    files = files_of(virtual(run).__cause__)
    assert set(files) == {"test_tracebacks.py"}


def test_run_sync_shows_no_event_loop() -> None:
    with pytest.raises(RunError) as caught:
        graph_with(fails_on_the_loop).run_sync()
    assert not any("anyio" in name or "base_events" in name for name in files_of(caught.value))
    text = "".join(traceback.format_exception(caught.value))
    assert "asyncio" not in text


def test_an_error_without_a_line_of_the_user_keeps_its_traceback(virtual: Any) -> None:
    graph = Graph("asks")
    graph.add(LLM("ask", prompt="Hi", policy=Policy(retry=Retry(attempts=1))))

    async def run() -> RunError:
        with pytest.raises(RunError) as caught:
            await graph.run(provider=ScriptedProvider([OverloadedError("busy", status=503)]))
        return caught.value

    assert files_of(virtual(run).__cause__)[-1] == "scripted.py"
