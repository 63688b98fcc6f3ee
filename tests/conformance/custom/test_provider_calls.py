"""`self.provider.complete` is synchronous; `acomplete` is the same without blocking."""

from __future__ import annotations

import warnings
from typing import Any

import anyio
import pytest

from dagorch import SubTask
from dagorch.errors import BlockingCallWarning
from dagorch.testing import ScriptedProvider
from tests.conformance.doubles import HI, Plain, once


def priced() -> ScriptedProvider:
    return ScriptedProvider("two words", price_per_token=0.5, default_model="m")


class Asking(Plain):
    how = "complete"

    async def execute_subtask(self, subtask, context=None):
        for _ in range(2):
            reply = getattr(self.provider, self.how)(messages=HI)
            self.reply: Any = reply if self.how == "complete" else await reply
        return await super().execute_subtask(subtask, context)


def check(reply: Any) -> None:
    assert reply.content == "two words"
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (1, 2)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (1, 2)
    assert reply.usage["total_tokens"] == reply.usage.total_tokens == 3
    assert (reply.usage.get("prompt_tokens", 0), reply.usage.get("audio_tokens", 0)) == (1, 0)
    assert "total_tokens" in reply.usage
    assert "audio_tokens" not in reply.usage
    with pytest.raises(KeyError):
        reply.usage["audio_tokens"]
    assert reply.model == "m"
    assert reply.cost == pytest.approx(1.5)
    assert isinstance(reply.cost, float)


async def test_complete_works_on_the_loop_and_warns_once_naming_the_node() -> None:
    o = Asking(once(), priced(), plan=[SubTask("a", "first"), SubTask("b", "second")])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await o.execute_workflow("Why?")
    check(o.reply)
    texts = [str(w.message) for w in caught if w.category is BlockingCallWarning]
    synchronous = [text for text in texts if "synchronously" in text]
    assert len(synchronous) == 2
    assert "'subtasks/a'" in synchronous[0]
    assert "'subtasks/b'" in synchronous[1]


async def test_acomplete_does_not_warn() -> None:
    o = Asking(once(), priced(), plan=[SubTask("a", "first")])
    o.how = "acomplete"
    await o.execute_workflow("Why?")
    check(o.reply)


async def test_acomplete_works_outside_a_run() -> None:
    o = Plain(once(), priced(), plan=[])
    check(await o.provider.acomplete(messages=HI))


def test_complete_works_without_an_event_loop() -> None:
    check(Plain(once(), priced(), plan=[]).provider.complete(messages=HI))


async def test_a_stream_yields_each_piece_when_it_arrives() -> None:
    gate = anyio.Event()

    class Halting(ScriptedProvider):
        async def exchange(self, request, on_text):
            on_text("two ")
            await gate.wait()
            return await super().exchange(request, lambda _: on_text("words"))

    class Streaming(Plain):
        async def execute_subtask(self, subtask, context=None):
            pieces = []
            async with self.provider.stream(HI) as stream:
                async for text in stream:
                    pieces.append(text)
                    gate.set()
            self.pieces = pieces
            return await super().execute_subtask(subtask, context)

    o = Streaming(once(), Halting("two words"), plan=[SubTask("a", "first")])
    with anyio.fail_after(20):
        result = await o.execute_workflow("Why?")
    assert o.pieces[0] == "two "
    assert result.agent_results[0].tokens_used == 3
