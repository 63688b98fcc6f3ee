"""
Draw docs/images/report.png: the report of a scripted run, as Chromium shows it.

Needs `chromium`, and Playwright from the development group:

    uv run python scripts/draw_report.py
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import anyio
from playwright.sync_api import sync_playwright

from dagorch import LLM, Graph, Policy, Retry
from dagorch.errors import OverloadedError
from dagorch.exporters import Recorder, to_html_report
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import Usage
from dagorch.testing import ScriptedProvider, run_virtual

PICTURE: Final = Path(__file__).parents[1] / "docs" / "images" / "report.png"
TASK: Final = "How do bees find their way home, and what of it holds in towns?"


class Service(ScriptedProvider):
    """A slow service that is sometimes overloaded."""

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        await anyio.sleep(0.2 + 2 * random.random())
        if random.random() < 0.2:
            raise OverloadedError("the model is overloaded", status=503)
        text = "Bees find home by the sun, by landmarks, and by a sense of the earth's field."
        return LLMResponse(text, request.model, Usage(640, 180, Decimal("0.0021"), calls=1))


def research() -> Graph:
    """A graph with a map, a loop and a node that fails."""
    angle = Graph("angle")
    angle.input("item", str)

    @angle.function
    async def search(item: str) -> str:
        await anyio.sleep(0.3 + random.random())
        return f"What three papers say of {item}."

    patient = Policy(retry=Retry(attempts=5))
    prompt = "Read this, and say what follows from it.\n\n{search}"
    angle.add(LLM("read", prompt=prompt, model="grok-3-mini", policy=patient))

    turn = Graph("turn")
    turn.input("state", str)
    model = "claude-3.5-haiku"
    turn.add(LLM("critic", prompt="The weakest point of: {state}", model=model, policy=patient))
    turn.add(LLM("writer", prompt="Mend {critic} in {state}", model=model, policy=patient))

    graph = Graph("bee navigation")
    graph.input("question", str)

    @graph.function
    async def angles(question: str) -> list[str]:
        await anyio.sleep(0.5)
        return ["the sun", "landmarks", "magnetism", "odour", "dances", "towns", "noise", "light"]

    read = graph.map(angle, over=angles, id="angles_read", max_parallel=5)
    draft = graph.add(LLM("draft", prompt="{read}", model=model, policy=patient), read=read)
    graph.loop("refine", turn, max_iterations=2, state=draft)

    @graph.function(policy=Policy(on_error="continue"))
    async def check_links(draft: str) -> None:
        await anyio.sleep(0.7)
        raise ValueError("3 of 12 links are dead")

    return graph


def main() -> None:
    """Run the graph and take the picture."""
    random.seed(11)
    recorder = Recorder()
    options = {"question": TASK, "provider": Service("unused"), "max_parallel": 5, "seed": 3}
    result = run_virtual(partial(research().run, on_event=recorder, **options))
    page = to_html_report(recorder.record(result, task=TASK))
    with TemporaryDirectory() as folder, sync_playwright() as started:
        file = Path(folder) / "run.html"
        file.write_text(page, "utf-8")
        program = shutil.which("chromium")
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
        window.goto(file.as_uri())
        window.locator(".critical-path button", has_text="/read").first.click()
        window.locator("#timeline").evaluate("part => part.scrollIntoView()")
        window.wait_for_timeout(200)
        window.screenshot(path=PICTURE)
        browser.close()
    print(f"drawn: {PICTURE}")


if __name__ == "__main__":
    main()
