"""Documents as HTML: well-formed, self-contained, without scripts or requests."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from dagorch import AgentResult, OrchestratorResult
from dagorch.exporters.documents import compose
from dagorch.exporters.documents.blocks import Content, Picture
from dagorch.exporters.documents.html import to_html
from tests.unit.exporters.documents import outcomes
from tests.unit.exporters.documents.hostile import HOSTILE

VOID = {"meta", "br", "hr"}
# The tags of a page, apart from those inside an SVG.
KNOWN = {
    "a", "blockquote", "body", "code", "dd", "div", "dl", "dt", "em", "figcaption", "figure", "h1",
    "h2", "h3", "h4", "h5", "h6", "head", "header", "html", "li", "main", "ol", "p", "pre", "s",
    "span", "strong", "style", "table", "tbody", "td", "th", "thead", "title", "tr", "ul", *VOID,
}  # fmt: skip


class Page(HTMLParser):
    """A strict parser: every tag is known, and closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "svg" not in self.open:
            assert tag in KNOWN | {"svg"}, tag
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name: str) -> None:
    text = HOSTILE[name]
    result = OrchestratorResult(
        "t", "failed", text, [AgentResult(text[:50] or "a", text, metadata={"error": text})]
    )
    page = Page(to_html(compose(result, text[:300], failure=text)))
    for tag, attributes in page.tags:
        assert not any(key.startswith("on") or key == "src" for key in attributes), attributes
        if tag == "a":
            assert re.match(r"https?:|mailto:|#source-\d", attributes["href"] or "")


async def test_a_page_is_self_contained() -> None:
    text = to_html(compose(await outcomes.swarm()))
    page = Page(text)
    policy = {"http-equiv": "Content-Security-Policy"}.items()
    (content,) = [a["content"] for tag, a in page.tags if tag == "meta" and policy <= a.items()]
    assert content == "default-src 'none'; style-src 'unsafe-inline'"
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"source-1", "source-4"} <= set(ids)
    assert sum(tag == "svg" for tag, _ in page.tags) == 2
    for used in re.findall(r"url\(#([^)]+)\)", text):
        assert used in ids
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text


async def test_headings_and_notice() -> None:
    page = Page(to_html(compose(await outcomes.partial())))
    headings = [tag for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    levels = [int(tag[1]) for tag in headings]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "2 of 6 agents did not complete" in page.text
    assert "ValueError: the model gave nothing | <b>at all</b>" in page.text
    assert ("p", {"class": "notice partial", "role": "note"}) in page.tags
    assert ("ol", {}) in page.tags


def test_pictures_do_not_share_ids() -> None:
    svg = '<?xml version="1.0"?><svg><g id="a" fill="url(#a)"/><use href="#a"/></svg>'
    text = to_html(Content("t", "k", "d", (), "", "", (Picture(svg, "one"), Picture(svg, "two"))))
    assert '<svg><g id="picture-1-a" fill="url(#picture-1-a)"/><use href="#picture-1-a"/>' in text
    assert '<g id="picture-2-a"' in text
    assert "<?xml" not in text


def test_numbered_lists_keep_their_first_number() -> None:
    assert '<ol start="3">' in to_html(compose(OrchestratorResult("t", "completed", "3. x\n4. y")))
