"""A bug of the engine itself ends in an `InvariantError` that keeps what had finished."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from dagorch import LLM, Graph
from dagorch.errors import InvariantError
from dagorch.runner.loop_state import shared
from dagorch.scheduler.core import STEPS, Core
from dagorch.scheduler.states import State
from dagorch.testing import ScriptedProvider


@pytest.mark.parametrize("error", [KeyError(1), InvariantError("a rule was broken")])
@pytest.mark.parametrize("door", ["run", "start", "stream"])
def test_partial_results_are_kept(
    virtual: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, door: str
) -> None:
    enter_end = Core.enter_end

    def broken(core: Core, frame: Any, index: int, to: State) -> None:
        if frame.plan.nodes[index].id == "bad":
            raise error
        enter_end(core, frame, index, to)

    steps = [broken if step is enter_end else step for step in STEPS]
    monkeypatch.setattr("dagorch.scheduler.core.STEPS", steps)
    graph = Graph("broken")
    paid = graph.add(LLM("paid", prompt="x"))

    def bad(paid: str) -> int:
        return 1

    graph.function(bad, paid=paid)
    graph.function(anyio.sleep_forever, id="beside")
    provider = ScriptedProvider("an answer", max_concurrency=1)

    async def main() -> None:
        if door == "run":
            await graph.run(provider=provider)
        elif door == "start":
            async with graph.start(provider=provider) as run:
                await run.result()
        else:
            async for _ in graph.stream(provider=provider):
                pass

    async def kept() -> Any:
        with pytest.raises(InvariantError) as caught:
            await main()
        assert shared().admission.at_rest
        assert shared().count == 0
        return caught.value

    failure = virtual(kept)
    assert ("this is a bug in dagorch" in str(failure)) == (failure is not error)
    result = failure.partial_results
    assert result["paid"] == "an answer"
    assert result.usage.calls == 1
    assert result.get("beside").end == "cancelled"
