"""Documents as HTML in Chromium: no scripts, no requests, accessible."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from dagorch import AgentResult, OrchestratorResult
from dagorch.exporters.documents import compose, render_document
from tests.unit.exporters.documents import outcomes
from tests.unit.exporters.documents.hostile import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM: Final = shutil.which("chromium")
ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES: Final = ["cascade", "swarm", "partial", "iterative"]
OVERFLOW: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The documents by name, made before Playwright starts its event loop."""
    folder = tmp_path_factory.mktemp("documents")
    results = {name: anyio.run(getattr(outcomes, name)) for name in NAMES}
    agents = [
        AgentResult(f"{name} <b>", text, metadata={"error": text}) for name, text in HOSTILE.items()
    ]
    text = "\n\n".join(HOSTILE.values())
    task = {"task": text[:2_000]}
    results["hostile"] = OrchestratorResult("t", "failed", text, agents, metadata=task)
    found = {}
    for name, result in results.items():
        path = folder / f"{name}.html"
        path.write_bytes(render_document(compose(result, failure=HOSTILE["script"]), "html"))
        found[name] = path.as_uri()
    return found


@pytest.fixture(scope="module")
def browser(addresses: dict[str, str]) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def test_hostile_text_runs_no_script_and_sends_no_request(
    browser: Browser, addresses: dict[str, str]
) -> None:
    page = browser.new_page()
    happened: list[str] = []
    page.on("dialog", lambda dialog: (happened.append("dialog"), dialog.dismiss()))
    page.on("pageerror", lambda error: happened.append(str(error)))
    page.on("console", lambda message: happened.append(message.text))
    page.on("request", lambda request: happened.append(request.url))
    page.goto(addresses["hostile"])
    assert happened == [addresses["hostile"]]
    assert page.evaluate("document.querySelectorAll('script, img, iframe, object').length") == 0
    assert "<script>alert(1)</script>" in page.inner_text("main")
    assert page.evaluate(OVERFLOW) == 0
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_accessible(
    browser: Browser, addresses: dict[str, str], name: str, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(addresses[name])
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    for width in (360, 1_200):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(OVERFLOW) == 0
    page.close()


def test_a_citation_links_to_its_source(browser: Browser, addresses: dict[str, str]) -> None:
    page = browser.new_page()
    page.goto(addresses["swarm"])
    page.click("text=[3]")
    assert page.url.endswith("#source-3")
    assert "arxiv" not in page.inner_text("tr:target")
    assert "a study in news" in page.inner_text("tr:target")
    page.close()
