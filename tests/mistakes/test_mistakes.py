"""Every mistake of the matrix is noticed as it says, and `docs/mistakes.md` lists them."""

from __future__ import annotations

import gc
import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from dagorch.providers.scripted import ScriptedProvider
from tests.conftest import BACKENDS
from tests.mistakes.matrix import Mistake, mistakes_in
from tests.mistakes.page import KINDS, PAGE, page

MATRIX: Final = [
    (kind, name, mistake)
    for kind in KINDS
    for name, mistake in mistakes_in(import_module(f"tests.mistakes.{kind}"))
]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The requests of every scripted provider, also of those that dagorch makes itself."""
    found: list[object] = []
    exchange = ScriptedProvider.exchange

    async def counted(self: ScriptedProvider, request: Any, on_text: Any) -> Any:
        found.append(request)
        return await exchange(self, request, on_text)

    monkeypatch.setattr(ScriptedProvider, "exchange", counted)
    return found


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize(
    ("backend", "mistake"),
    [
        pytest.param(backend, mistake, id=f"{kind}-{name}-{backend}")
        for kind, name, mistake in MATRIX
        for backend in (BACKENDS if mistake.example is None else BACKENDS[:1])
    ],
)
def test_the_mistake_is_noticed(
    mistake: Mistake,
    backend: str,
    calls: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    try:
        value = mistake.commit(ScriptedProvider("a reply"), backend)
    except Exception as error:
        mistake.check(error, len(calls))
    else:
        pytest.fail(f"it was not noticed: {value!r:.300}")
    if "coroutine" in mistake.what:
        gc.collect()  # Python warns of a coroutine when it is freed


def test_there_are_at_least_200_mistakes_no_two_of_them_the_same() -> None:
    made = {mistake.example or inspect.getsource(mistake.make) for _, _, mistake in MATRIX}
    assert len(made) == len(MATRIX) >= 200
    assert {kind for kind, _, _ in MATRIX} == set(KINDS)


def test_the_page_lists_every_mistake() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: uv run python -m tests.mistakes.page"
