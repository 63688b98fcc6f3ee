"""Documents as Markdown: parsing the output gives the same blocks again."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dagorch import AgentResult, OrchestratorResult
from dagorch.exporters.documents import compose
from dagorch.exporters.documents.blocks import (
    Block,
    Content,
    Paragraph,
    Picture,
    Span,
    all_spans,
    plain_text,
)
from dagorch.exporters.documents.markdown import to_markdown
from dagorch.exporters.documents.markdown_reader import read_markdown
from tests.unit.exporters.documents import outcomes
from tests.unit.exporters.documents.hostile import HOSTILE

# A reader that passes HTML through and shows images.
LENIENT = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
STRICT = MarkdownIt("commonmark", {"html": True})
SHOWN_TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol",
    "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
DANGEROUS = {"html_block", "html_inline", "image"}


def written(blocks: tuple[Block, ...]) -> str:
    text = to_markdown(Content("t", "k", "d", (), "", "", blocks))
    return text.removeprefix("# t\n\n*k · d*").removeprefix("\n\n")


def kinds(text: str) -> set[str]:
    return {
        inner.type for token in LENIENT.parse(text) for inner in (token, *(token.children or ()))
    }


def words(blocks: tuple[Block, ...]) -> list[str]:
    text = " ".join(plain_text(spans) for spans in all_spans(blocks))
    return text.split()


def links(blocks: tuple[Block, ...]) -> set[str]:
    return {span.link for spans in all_spans(blocks) for span in spans}


async def test_a_document_is_readable_markdown() -> None:
    text = to_markdown(compose(await outcomes.cascade()))
    assert text.startswith("# Heat pumps for the school: yes, with insulation first\n\n*Dream ")
    assert "A heat pump **pays back in 9 to 12 years** if" in text
    assert "| Gas boiler, new | €18,000 | €14,200 | €231,000 |" in text
    assert "| --- | ---: | ---: | ---: |" in text
    assert '```python\ndef spf(heat_kwh: float, power_kwh: float) -> float:\n    """Heat' in text
    assert "2. Replace the radiators of the north wing:\n   \n   - 14 of them" in text
    assert "> Redundancy mattered more" in text
    assert "[operator's form](<https://grid.example.org/forms/connection?kind=heat-pump>)" in text
    assert "<https://heat.example.org/guide>" in text
    assert "```mermaid\n---\ntitle:" in text
    assert re.search(r"\| belter_1 \| belter \| completed \| 1 \|", text)


async def test_a_partial_document_has_its_notice_at_the_top() -> None:
    lines = to_markdown(compose(await outcomes.partial())).splitlines()
    assert lines[4].startswith("> **2 of 6 agents did not complete;")


async def test_a_document_parses_to_the_same_blocks() -> None:
    content = compose(await outcomes.swarm())
    blocks = tuple(block for block in content.blocks if not isinstance(block, Picture))
    again = read_markdown(written(blocks))
    assert words(again) == words(blocks)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name: str) -> None:
    content = compose(OrchestratorResult("t", "completed", HOSTILE[name]), HOSTILE[name][:200])
    text = to_markdown(content)
    assert not kinds(text) & DANGEROUS
    assert links(read_markdown(text)) <= links(content.blocks) | {""}
    blocks = read_markdown(HOSTILE[name])
    assert words(read_markdown(written(blocks))) == words(blocks)


@given(st.text(st.sampled_from("ab1 \n#>-+*_`~[]()<>!|\\&;:.=\t/{}$@\"'"), max_size=60))
def test_no_text_becomes_markup(text: str) -> None:
    blocks = read_markdown(text)
    out = written(blocks)
    assert not kinds(out) & DANGEROUS
    assert links(read_markdown(out)) <= links(blocks) | {""}


PARTS = (
    "!", "!!", "![", "[", "]", "](http://e.x/p)", "![x](http://e.x/p.png)", "[x](http://e.x)",
    "[x]: ", "![x][y]", "[y]: http://e.x/p", "[^1]", "[^1]: ", "http://e.x/p", "<http://e.x>",
    "<img src=//e.x>", "<!--", "<![CDATA[", "<?x", "&lt;img&gt;", "&#33;[x](http://e.x)",
    "javascript:x", "data:image/png,", "\\", "`", "``", "```", "\n```mermaid\n", "~~~", "**",
    "*", "_", "~~", "|", "\n|---|\n", "\n", "\n\n", "\n    ", "\n- ", "\n999999999. ", "\n1. ",
    "\n> ", "\n# ", "x", " ", "\t", "  \n",
)  # fmt: skip


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
@example("!![x](http://e.x/p.png)")
@example("**!** [x](http://e.x)\n\n!http://e.x")
@example("999999999. x\n1. ```\n   \n   <img src=//e.x>\n   ```")
@example("```mermaid\nx@{ img: 'http://e.x/p.png' }\n```")
@example("~~~dataviewjs\nfetch('//e.x')\n~~~")
def test_nothing_that_a_model_writes_loads_or_runs(text: str) -> None:
    result = OrchestratorResult("t", "failed", text, [AgentResult(text, text)])
    out = to_markdown(compose(result, text, failure=text))
    assert not kinds(out) & DANGEROUS
    assert {token.info for token in LENIENT.parse(out) if token.type == "fence"} <= {
        "",
        "http",
        "javascript",
        "json",
    }
    for reader in (STRICT, LENIENT):
        tags = re.findall(r"<(/?)(\w+)[^>]*>", reader.render(out))
        assert {name for _, name in tags} <= SHOWN_TAGS


@given(st.text(st.sampled_from("ab1 #>-+*_`~[]()<>!|\\&;:.=/{}$\"'"), max_size=40))
def test_a_paragraph_parses_to_the_same_words(text: str) -> None:
    block = Paragraph((Span(" ".join(text.split())),))
    if plain_text(block.spans):
        assert words(read_markdown(written((block,)))) == plain_text(block.spans).split()


def test_styles_and_line_breaks() -> None:
    spans = (
        Span(" a ", bold=True), Span("b", italic=True, strike=True), Span("`c|", code=True),
        Span("x\ny"), Span("[1]", link="#source-1"), Span("[l]", link="https://e.x/(a)"),
    )  # fmt: skip
    assert written((Paragraph(spans),)) == (
        " **a** *~~b~~*`` `c| ``x  \ny[1][\\[l\\]](<https://e.x/(a)>)\n"
    )
