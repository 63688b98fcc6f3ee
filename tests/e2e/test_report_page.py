"""The report of a run in Chromium: interaction, attacks, size, accessibility, print."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from dagorch import LLM, Graph, Policy, Retry
from dagorch.errors import OverloadedError
from dagorch.exporters import Recorder, RunRecord, to_html_report
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.usage import Usage
from dagorch.testing import ScriptedProvider, run_virtual

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM: Final = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCHEMES: Final = ("light", "dark")
HOSTILE: Final = (
    "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">",
    "</script><script>document.title='hacked'</script><!--<script>",
    "\u202eright to left\u2066 עברית العربية",
    "\x1b[31mred\x1b]8;;http://evil.example\x07link\x00nul\x07",
    "line\u2028paragraph\u2029end",
    "[click](javascript:document.title='hacked') javascript:alert(1)",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "ab " * 10 + "x" * 1_000_000,
)


# -- runs ---------------------------------------------------------------------------------------


class Service(ScriptedProvider):
    """A provider that is slow, fails at random, and has a price."""

    def __init__(self, rng: random.Random, failing: float = 0.3) -> None:
        super().__init__("unused")
        self._rng = rng
        self._failing = failing

    async def exchange(self, request: LLMRequest, on_text: Any) -> LLMResponse:
        await anyio.sleep(0.2 + self._rng.random())
        if self._rng.random() < self._failing:
            raise OverloadedError("the model is overloaded", status=503)
        text = f"Reply to {request.messages[-1].content[:40]}"
        return LLMResponse(text, request.model, Usage(100, 50, Decimal("0.001"), calls=1))


def recorded(graph: Graph, provider: ScriptedProvider, task: str = "", **options: Any) -> RunRecord:
    recorder = Recorder()
    result = run_virtual(partial(graph.run, provider=provider, on_event=recorder, **options))
    return recorder.record(result, task=task)


def items(count: int) -> Graph:
    """A map of two steps, a branch, a node that fails, one that it blocks, and an answer."""
    body = Graph("body")
    body.input("item", int)

    @body.function
    async def fetch(item: int) -> str:
        await anyio.sleep(0.1 + item % 7 / 10)
        return f"found {item}"

    body.add(LLM("say", prompt="Read {fetch}", policy=Policy(retry=Retry(attempts=6))))
    graph = Graph("bees")
    views = graph.map(body, over=list(range(count)), id="views", max_parallel=8)

    @graph.function(policy=Policy(on_error="continue"))
    async def links(views: list[str]) -> None:
        raise ValueError("three links are dead")

    graph.function(lambda links: 1, id="count")
    pick = graph.branch("deep", lambda views: "false", views=views)
    graph.function(lambda: None, id="publish", after=pick["true"])
    graph.add(LLM("report", prompt="Put together {views}", policy=Policy(retry=Retry(attempts=9))))
    return graph


class Parrot(ScriptedProvider):
    """A provider that repeats its prompt."""

    async def exchange(self, request: LLMRequest, on_text: Any) -> LLMResponse:
        return LLMResponse(request.messages[-1].content, "m")


def of_bees() -> RunRecord:
    task = "How do bees find their way home?"
    return recorded(items(6), Service(random.Random(5)), task, max_parallel=3, seed=2)


def of_hostile_models() -> RunRecord:
    graph = Graph("hostile </title><script>document.title='hacked'</script>")
    for number, text in enumerate(HOSTILE):
        graph.add(LLM(f"ask_{number}", prompt="{text}"), text=text)
    return recorded(graph, Parrot("x"), task=HOSTILE[1])


def of_many(count: int) -> RunRecord:
    provider = Service(random.Random(5), failing=0.0)
    return recorded(items(count), provider, max_parallel=40, seed=2)


def of_many_alike() -> RunRecord:
    async def step() -> None:
        await anyio.sleep(1)

    graph = Graph("alike")
    for number in range(40):
        graph.function(step, id=f"step_{number}")
    return recorded(graph, ScriptedProvider("unused"), max_parallel=8)


def of_late_steps() -> RunRecord:
    """A long step, then one with three attempts, then one more."""
    graph, errors = Graph("late"), iter((OverloadedError("busy", status=503),) * 2)

    @graph.function
    async def long() -> int:
        await anyio.sleep(100)
        return 1

    @graph.function(policy=Policy(retry=Retry(3, base_delay_seconds=0.1)))
    async def rejected(long: int) -> None:
        await anyio.sleep(0.5)
        for error in errors:
            raise error

    graph.function(lambda: anyio.sleep(0.5), id="last", after=rejected)
    return recorded(graph, ScriptedProvider("unused"))


MAKERS: Final[dict[str, Callable[[], RunRecord]]] = {
    "bees": of_bees,
    "hostile": of_hostile_models,
    "2,006": partial(of_many, 1_000),
    "10,006": partial(of_many, 5_000),
    "alike": of_many_alike,
    "late": of_late_steps,
}


class Pages(dict[str, str]):
    """The pages by name. Each is made when a test asks for it."""

    def __missing__(self, name: str) -> str:
        # In a thread of its own, because Playwright's event loop runs in this one.
        with ThreadPoolExecutor(1) as pool:
            self[name] = pool.submit(lambda: to_html_report(MAKERS[name]())).result()
        return self[name]


@pytest.fixture(scope="module")
def pages() -> Pages:
    return Pages()


@pytest.fixture
def bees(pages: dict[str, str]) -> str:
    return pages["bees"]


# -- the browser --------------------------------------------------------------------------------


@dataclass
class Seen:
    """The errors and requests of a page."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A function that opens a page. After the test, the page has no errors and sent no requests."""
    seen, contexts = Seen(), []

    def open_page(html: str, scheme: str = "light", width: int = 1280) -> Any:
        size = {"width": width, "height": 800}
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        file = tmp_path / "run.html"
        file.write_text(html, "utf-8")
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("console", lambda message: seen.errors.append(message.text))
        page.on("dialog", lambda dialog: seen.errors.append("dialog"))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not seen.errors
    assert [url for url in seen.requests if not url.endswith("/run.html")] == []


def selected(page: Any) -> str:
    return str(page.locator("#selected h2").inner_text())


def span(page: Any) -> float:
    """The seconds that the timeline shows."""
    chart = page.locator("#chart")
    return float(chart.get_attribute("data-to")) - float(chart.get_attribute("data-from"))


def until(page: Any, expression: str) -> None:
    """Wait for an expression; the page's policy forbids Playwright's own wait functions."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {expression}")


def look_for(page: Any, words: str, found: str) -> None:
    """Search, and wait for the number of results."""
    page.locator("#search").fill(words)
    page.wait_for_timeout(150)
    until(page, f"document.getElementById('found').textContent.startsWith('{found}')")


def frames(page: Any, action: str, count: int = 40) -> float:
    """Run an action once per frame, and return the median time of a frame in seconds."""
    took = page.evaluate(
        f"""async () => {{
            const act = {action}, took = [];
            let last = performance.now();
            for (let i = 0; i < {count}; i++) {{
                act(i);
                await new Promise(requestAnimationFrame);
                took.push(performance.now() - last);
                last = performance.now();
            }}
            return took.sort((a, b) => a - b)[{count // 2}];
        }}"""
    )
    return float(took) / 1000


# -- interaction --------------------------------------------------------------------------------


def test_the_page_shows_the_run(opened: Any, bees: str) -> None:
    page = opened(bees)
    assert page.title() == "bees: partial"
    body = page.locator("body").inner_text()
    for text in ("How do bees find their way home?", "three links are dead", "1 failed", "$0.007"):
        assert text in body, text
    assert page.locator("#drawing svg g.node").count() > 10
    assert page.locator("#nodes-table tbody tr:not(.space)").count() == 18
    assert page.locator("#nodes-count").inner_text() == "18"
    assert page.locator(".critical-path li").count() > 2
    headings = page.get_by_role("heading", level=2).all_inner_texts()
    assert {"Graph", "Timeline", "Cost", "Prompts and replies 14"} <= {*headings} | {
        text.rsplit(" ", 1)[0] + " 14" for text in headings
    }


def test_a_node_is_selected_everywhere(opened: Any, bees: str) -> None:
    page = opened(bees)
    page.locator("#drawing g.node", has_text="report").click()
    assert selected(page) == "report"
    assert page.locator("#nodes-table tr.chosen").inner_text().startswith("report")
    assert page.locator("#drawing g.chosen").count() == 1
    reply = page.locator("#selected pre", has_text="Reply to Put together").first
    assert reply.is_visible()
    page.locator("#nodes-table tr", has_text="views[2]/say").first.click()
    assert selected(page) == "views[2]/say"
    page.locator(".critical-path button").first.click()
    assert selected(page) == page.locator(".critical-path button").first.inner_text()
    page.locator("#cost button", has_text="report").click()
    assert selected(page) == "report"


def test_one_of_many_similar_node_runs_is_in_their_common_box(
    opened: Any, pages: dict[str, str]
) -> None:
    page = opened(pages["alike"])
    assert page.locator("#drawing g.node").count() < 10
    look_for(page, "step_23", "1 node run")
    page.locator("#nodes-table tr", has_text="step_23").click()
    assert selected(page) == "step_23"
    assert page.locator("#drawing g.chosen").count() == 1
    page.locator("#drawing g.chosen").click()
    assert selected(page).startswith("step_")


def test_a_bar_without_space_after_it_has_its_label_before_it(
    opened: Any, pages: dict[str, str]
) -> None:
    page = opened(pages["late"])
    page.evaluate(
        """() => {
            window.texts = {};
            const draw = CanvasRenderingContext2D.prototype.fillText;
            CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
                window.texts[text] = x + this.measureText(text).width;
                draw.call(this, text, x, y);
            };
            document.getElementById("zoom-all").click();
        }"""
    )
    until(page, "'rejected' in window.texts && 'last' in window.texts")
    wide = page.locator("#chart").bounding_box()["width"]
    assert wide / 2 < page.evaluate("window.texts.rejected") < wide * 0.96
    assert wide / 2 < page.evaluate("window.texts.last") < wide


def test_the_timeline_selects_zooms_and_moves(opened: Any, bees: str) -> None:
    page = opened(bees)
    whole = span(page)
    page.locator("#zoom-in").click()
    until(page, f"Number(document.getElementById('chart').dataset.to) < {whole}")
    assert span(page) == pytest.approx(whole * 0.6, rel=0.01)
    page.locator("#zoom-all").click()
    until(page, "document.getElementById('chart').dataset.from === '0'")
    assert span(page) == pytest.approx(whole)

    chart = page.locator("#chart")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    until(page, f"Number(document.getElementById('chart').dataset.from) > {whole / 20}")
    assert span(page) < whole * 0.9

    chart.focus()
    page.keyboard.press("0")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)
    assert 0 < float(chart.get_attribute("data-from")) < whole
    page.keyboard.press("ArrowDown")
    first = selected(page)
    page.keyboard.press("ArrowDown")
    assert selected(page) != first
    page.keyboard.press("0")
    page.evaluate("document.getElementById('chart').scrollTop = 0")
    page.wait_for_timeout(100)
    page.mouse.click(box["x"] + 14, box["y"] + 26 + 24 + 10)  # the first bar of the first lane
    assert selected(page).startswith("views[")


def test_a_lane_is_hidden_and_shown(opened: Any, bees: str) -> None:
    page = opened(bees)
    high = page.locator("#chart-size").bounding_box()["height"]
    button = page.locator("#lanes button", has_text="functions")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.locator("#chart-size").bounding_box()["height"] < high
    button.click()
    assert page.locator("#chart-size").bounding_box()["height"] == high


def test_search_finds_names_errors_prompts_and_replies(opened: Any, bees: str) -> None:
    page = opened(bees)
    page.keyboard.press("/")
    page.keyboard.type("put together")
    until(page, "document.getElementById('found').textContent.includes('1 node run')")
    assert page.locator("#nodes-table tbody tr:not(.space)").count() == 1
    page.keyboard.press("Enter")
    assert selected(page) == "report"
    assert page.locator("#selected mark").first.inner_text().lower() == "put together"
    look_for(page, "links are dead", "1 node run")
    assert page.locator("#nodes-table tr", has_text="links").count() == 1
    look_for(page, "no such thing", "0 node runs")
    assert page.locator("#exchange-list .exchange").count() == 0
    page.keyboard.press("Escape")
    assert page.locator("#nodes-table tbody tr:not(.space)").count() == 18


def test_prompts_are_collapsed_at_first(opened: Any, bees: str) -> None:
    page = opened(bees)
    part = page.locator("#exchange-list .exchange", has_text="report").last
    assert part.locator("pre").count() == 0
    part.locator("summary").click()
    assert "Put together" in part.locator("pre").first.inner_text()
    assert "Reply to" in part.locator("pre").last.inner_text()
    part.locator("summary").click()
    assert not part.locator("pre").first.is_visible()


def test_tables_sort(opened: Any, bees: str) -> None:
    page = opened(bees)
    head = page.locator("#nodes-table th", has_text="attempts")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    attempts = page.locator("#nodes-table tbody tr:not(.space) td:nth-child(7)").all_inner_texts()
    numbers = [int(text or 0) for text in attempts]
    assert numbers == sorted(numbers, reverse=True)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"


def test_everything_works_by_keyboard(opened: Any, bees: str) -> None:
    page = opened(bees)
    page.locator("#drawing").focus()
    page.keyboard.press("ArrowRight")
    first = selected(page)
    page.keyboard.press("ArrowRight")
    assert selected(page) != first
    page.locator("#nodes-table").focus()
    page.keyboard.press("End")
    last = selected(page)
    row = page.locator("#nodes-table tbody tr.chosen td").first
    assert row.inner_text().startswith(last)
    assert page.locator("#announcement").inner_text().startswith(f"{last}: completed, ")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert selected(page) != last
    reached = set()
    page.locator("#content").focus()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"drawing", "zoom-in", "chart", "nodes-table", "events-table", "SUMMARY"} <= reached


def test_a_narrow_window_has_no_sideways_scrolling(opened: Any, bees: str) -> None:
    for width in (360, 800):
        page = opened(bees, width=width)
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, width
        assert not page.locator("#details").is_visible()
        page.locator(".critical-path button").first.click()
        assert page.locator("#details").is_visible()
        page.get_by_role("button", name="Close").click()
        assert not page.locator("#details").is_visible()


# -- attacked -----------------------------------------------------------------------------------


def test_hostile_output_stays_text(opened: Any, pages: dict[str, str]) -> None:
    page = opened(pages["hostile"])
    assert page.title().startswith("hostile </title><script>")
    for number, text in enumerate(HOSTILE):
        page.locator("#nodes-table tr", has_text=f"ask_{number}").first.click()
        assert selected(page) == f"ask_{number}"
        shown = page.locator("#selected pre").first.evaluate("pre => pre.textContent")
        assert shown.startswith(text[:20].replace("\x1b", "␛").replace("\x00", "␀")), number
    assert page.locator("script").count() == 2
    assert page.locator("img, iframe, object, embed, main a[href^='javascript']").count() == 0
    more = page.locator("#selected .more", has_text="Show all 1,000,030 characters").first
    more.click()
    length = page.locator("#selected pre").first.evaluate("pre => pre.textContent.length")
    assert length == len(HOSTILE[-1])
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    look_for(page, "עברית", "1 node run")
    assert page.title().startswith("hostile </title><script>")


def test_the_policy_of_the_page_blocks_other_scripts(browser: Any, bees: str) -> None:
    attack = (
        "<script>document.title = 'hacked'</script>"
        "<img src='http://127.0.0.1:9/x.png' onerror=\"document.title = 'hacked'\">"
        "<a id='link' href=\"javascript:document.title='hacked'\">link</a>"
    )
    context = browser.new_context()
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.set_content(bees.replace("<main", attack + "<main"))
    page.locator("#link").click()
    page.wait_for_timeout(100)
    assert page.title() == "bees: partial"
    assert sum("Content Security Policy" in text for text in refused) >= 3
    context.close()


# -- size ---------------------------------------------------------------------------------------

FRAME_SECONDS: Final = 0.25
"""A generous bound for a busy machine; an idle one takes 0.017 s."""


SCROLL: Final = "(i) => {{ document.getElementById('{}').scrollTop += {}; }}"
ZOOM: Final = "(i) => document.getElementById(i % 9 ? 'zoom-in' : 'zoom-all').click()"
SELECT: Final = (
    "(i) => document.getElementById('nodes-table')"
    ".dispatchEvent(new KeyboardEvent('keydown', { key: 'PageDown' }))"
)
ACTIONS: Final = (
    SCROLL.format("nodes-table", 5003),
    SCROLL.format("events-table", 9973),
    SCROLL.format("chart", 31),
    ZOOM,
    SELECT,
)


@pytest.mark.parametrize("count", ["2,006", pytest.param("10,006", marks=pytest.mark.full)])
def test_of_many_node_runs_only_those_in_view_are_in_the_page(
    opened: Any, pages: dict[str, str], count: str
) -> None:
    page = opened(pages[count])
    assert page.locator("#nodes-count").inner_text() == count
    inside = "document.querySelectorAll('body %s *').length"
    drawings = " - ".join(inside % kind for kind in ("", ".static"))
    assert page.evaluate(drawings) < 6_000
    page.locator("#chart").scroll_into_view_if_needed()
    for action in ACTIONS:
        page.evaluate(f"for (let i = 0; i < 20; i += 1) ({action})(i)")
        assert page.evaluate(drawings) < 6_000
    look_for(page, "views[876]", "2 node runs")
    page.locator("#nodes-table tr", has_text="views[876]/say").first.click()
    assert selected(page) == "views[876]/say"
    assert page.locator("#drawing g.chosen").count() == 1  # the box of the items that are not drawn


@pytest.mark.full
def test_ten_thousand_node_runs_stay_fast(opened: Any, pages: dict[str, str]) -> None:
    page = opened(pages["10,006"])
    page.locator("#chart").scroll_into_view_if_needed()
    for action in ACTIONS:
        assert frames(page, action) < FRAME_SECONDS, action


# -- accessibility, print -----------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_is_accessible(opened: Any, bees: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    page = opened(bees, scheme)
    for state in ("opened", "selected", "found"):
        if state == "selected":
            page.locator("#drawing g.node", has_text="report").click()
            page.locator("#exchange-list .exchange summary").first.click()
        elif state == "found":
            look_for(page, "overloaded", "")
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_print_has_the_static_timeline(opened: Any, bees: str, tmp_path: Path) -> None:
    page = opened(bees, "dark")
    page.emulate_media(media="print")
    assert page.locator(".static svg").is_visible()
    for hidden in ("#chart", "#search", "#details", "#events", "nav"):
        assert not page.locator(hidden).is_visible(), hidden
    colour = page.locator("body").evaluate("body => getComputedStyle(body).color")
    assert colour == "rgb(27, 36, 46)"  # dark on white, also with a dark screen
    file = tmp_path / "run.pdf"
    page.pdf(path=str(file), format="A4")
    assert file.read_bytes().startswith(b"%PDF")


def test_the_page_works_without_scripts(browser: Any, bees: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(bees)
    assert page.locator("#drawing svg").is_visible()
    assert "Without scripts" in page.locator("noscript").inner_text()
    context.close()
