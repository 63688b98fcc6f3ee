"""The embedded model itself: loading, calls, cancellation, sharing and stopping."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from dagorch.errors import ContextTooLongError, DefinitionError, NotFoundError
from dagorch.models.llm import LLMRequest, Message
from dagorch.providers import LocalProvider, local_server
from dagorch.providers.local_model import MODEL_NAME

pytestmark = [pytest.mark.anyio, pytest.mark.local]

HI = [{"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}, "sure": {"type": "boolean"}},
    "required": ["colour", "sure"],
}


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalProvider]:
    """Keep one server for all tests of this file; each test has its own provider."""
    keeper = LocalProvider(context_tokens=1_024)
    keeper.complete(HI, max_tokens=1)
    yield keeper
    anyio.run(keeper.aclose)
    assert not local_server._servers


@pytest.fixture
def local(shared: LocalProvider) -> LocalProvider:
    return LocalProvider(context_tokens=1_024)


async def test_an_answer_costs_nothing(local: LocalProvider) -> None:
    async with local:
        response = await local.acomplete(HI, max_tokens=8, temperature=0.0)
    assert response.content
    assert response.model == MODEL_NAME == local.default_model
    assert 0 < response.usage.output_tokens <= 8
    assert response.usage.input_tokens > 0
    assert (response.cost, response.usage.estimated) == (0.0, False)
    request = LLMRequest((Message("user", "Hi"),))
    assert (local.worst_case_usd(request), local.max_concurrency) == (Decimal(0), 4)


async def test_its_json_fits_the_schema(local: LocalProvider) -> None:
    async with local:
        response = await local.acomplete(HI, json_schema=SCHEMA, temperature=0.0)
    answer = json.loads(response.content)
    assert answer["colour"] in ("red", "green")
    assert isinstance(answer["sure"], bool)


async def test_four_at_once(local: LocalProvider) -> None:
    contents: list[str] = []

    async def ask() -> None:
        response = await local.acomplete(HI, max_tokens=8, temperature=0.0)
        contents.append(response.content)

    async with local, anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(ask)
    assert len(contents) == 4
    assert all(contents)


async def test_cancelling_frees_the_slot(local: LocalProvider) -> None:
    async with local:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                started = anyio.Event()
                request = LLMRequest((Message("user", "Count to a thousand."),), max_tokens=900)
                group.start_soon(local.exchange, request, lambda _, e=started: e.set())
                await started.wait()
            group.cancel_scope.cancel()
        # Four answers of 900 tokens would hold the four slots for minutes.
        with anyio.fail_after(10):
            await local.acomplete(HI, max_tokens=1)


async def test_a_prompt_that_is_too_long(local: LocalProvider) -> None:
    async with local:
        with pytest.raises(ContextTooLongError, match="1024 tokens"):
            await local.acomplete([{"role": "user", "content": "hello " * 2_000}])


async def test_another_model_is_refused(local: LocalProvider) -> None:
    with pytest.raises(NotFoundError, match="has only 'smollm2-135m-instruct'"):
        await local.acomplete(HI, model="grok-3")


async def test_a_closed_provider_loads_again(tmp_path: Path) -> None:
    local = LocalProvider(slots=1, context_tokens=256)
    for _ in range(2):
        async with local:
            await local.acomplete(HI, max_tokens=1)
        assert all(settings.slots != 1 for settings in local_server._servers)


async def test_a_broken_model_file_cannot_be_loaded(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and then nothing")
    local = LocalProvider(broken)
    for _ in range(2):
        with pytest.raises(DefinitionError, match="could not be loaded"):
            await local.acomplete(HI)
    await local.aclose()


def test_a_process_that_never_closes_it_ends_cleanly() -> None:
    script = (
        "from dagorch.providers import LocalProvider\n"
        "local = LocalProvider(slots=1, context_tokens=256)\n"
        f"print(local.complete({HI!r}, max_tokens=1).usage.output_tokens)\n"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)
