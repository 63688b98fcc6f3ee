"""Documents as DOCX: real headings, lists, tables and links, read back by python-docx."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from xml.etree import ElementTree

import pytest

from dagorch import AgentResult, OrchestratorResult
from dagorch.exporters.documents import compose
from tests.unit.exporters.documents import outcomes
from tests.unit.exporters.documents.hostile import HOSTILE

docx = pytest.importorskip("docx")
pytest.importorskip("typst")


def reopened(result: OrchestratorResult, task: str = "", failure: str = "") -> Any:
    from dagorch.exporters.documents.docx import to_docx

    return docx.Document(io.BytesIO(to_docx(compose(result, task, failure=failure))))


def styled(document: Any, style: str) -> list[str]:
    return [line.text for line in document.paragraphs if line.style.name == style]


async def test_a_report_has_real_headings_lists_and_tables() -> None:
    document = reopened(await outcomes.cascade())
    assert styled(document, "Title") == ["Heat pumps for the school: yes, with insulation first"]
    assert styled(document, "Heading 1")[:3] == ["Task", "Summary", "What it costs"]
    assert styled(document, "Heading 2")[0] == "Open questions"
    assert styled(document, "Code")[0].startswith("def spf(heat_kwh: float")
    assert styled(document, "List Number") == [
        "Insulate the roof (tender in March, work in July).",
        "Replace the radiators of the north wing:",
        "Install two units of 60 kW rather than one of 120 kW.",
    ]
    assert styled(document, "List Bullet 2")[1] == "the pipes can stay."
    assert styled(document, "Quote")[0].startswith("Redundancy mattered more")
    facts, costs, *_ = document.tables
    assert [cell.text for cell in facts.rows[0].cells] == [
        "State", "Agents", "Time", "Tokens", "Cost"
    ]  # fmt: skip
    assert [cell.text for cell in costs.rows[1].cells] == [
        "Gas boiler, new", "€18,000", "€14,200", "€231,000"
    ]  # fmt: skip
    assert document.core_properties.title == styled(document, "Title")[0]
    assert document.core_properties.author == ""


async def test_links_and_citations_have_their_targets() -> None:
    document = reopened(await outcomes.swarm())
    links = [link for line in document.paragraphs for link in line.hyperlinks]
    assert {link.fragment for link in links if not link.address} == {
        f"source-{n}" for n in range(1, 5)
    }
    marks = {
        mark.get(docx.oxml.ns.qn("w:name"))
        for mark in document.element.body.iter(docx.oxml.ns.qn("w:bookmarkStart"))
    }
    assert marks == {f"source-{n}" for n in range(1, 5)}
    outward = {rel.target_ref for rel in document.part.rels.values() if rel.is_external}
    assert "https://arxiv.example/papers/2023/1/heat-pumps-in-old-schools.html" in outward


async def test_pictures_are_svg_and_png() -> None:
    from dagorch.exporters.documents.docx import to_docx

    archive = zipfile.ZipFile(io.BytesIO(to_docx(compose(await outcomes.cascade()))))
    names = archive.namelist()
    drawings = [name for name in names if name.endswith(".svg")]
    assert len(drawings) == sum(name.endswith(".png") for name in names) == 2
    for name in drawings:
        ElementTree.fromstring(archive.read(name))
    body = archive.read("word/document.xml").decode()
    assert body.count("<asvg:svgBlip") == 2
    assert 'descr="The graph as it ran, from the inputs to the answer."' in body
    assert b'ContentType="image/svg+xml"' in archive.read("[Content_Types].xml")


async def test_a_partial_document_has_its_notice_at_the_top() -> None:
    document = reopened(await outcomes.partial())
    assert styled(document, "Notice")[0].startswith("2 of 6 agents did not complete")


def test_each_numbered_list_has_its_own_numbers() -> None:
    document = reopened(OrchestratorResult("t", "completed", "1. a\n2. b\n\nthen\n\n7. c\n8. d"))
    lines = [line for line in document.paragraphs if line.style.name == "List Number"]
    first, second = lines[0]._p.pPr.numPr.numId.val, lines[2]._p.pPr.numPr.numId.val
    assert [line._p.pPr.numPr.numId.val for line in lines] == [first, first, second, second]
    assert first != second
    definitions = document.part.numbering_part.element
    starts = [
        definitions.num_having_numId(number).lvlOverride_lst[0].startOverride.val
        for number in (first, second)
    ]
    assert starts == [1, 7]


def test_empty_items_and_nested_items() -> None:
    text = "-\n- ```\n  code\n  ```\n- a\n\n  more\n  - b\n    - c\n      - d\n        - e"
    document = reopened(OrchestratorResult("t", "completed", text))
    assert styled(document, "Code") == ["code"]
    assert styled(document, "List Continue") == ["more"]
    assert styled(document, "List Bullet 3") == ["c", "d", "e"]
    assert styled(reopened(OrchestratorResult("t", "completed", "a\n\n---\n\nb")), "Rule") == [""]


def test_right_to_left_text_is_marked() -> None:
    document = reopened(OrchestratorResult("t", "completed", HOSTILE["right to left"]))
    (line,) = [line for line in document.paragraphs if line.text.startswith("\u05e9")]
    assert line._p.pPr.find(docx.oxml.ns.qn("w:bidi")) is not None
    assert line.runs[0].font.rtl


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name: str) -> None:
    text = HOSTILE[name]
    agent = AgentResult(text[:50] or "a", text, metadata={"error": text})
    document = reopened(OrchestratorResult("t", "failed", text, [agent]), text[:300], text)
    for relation in document.part.rels.values():
        if relation.is_external:
            assert relation.target_ref.startswith(("http://", "https://", "mailto:"))
    fields = [e.text for e in document.element.iter(docx.oxml.ns.qn("w:instrText"))]
    assert fields == []  # the fields for page numbers are in the footer


async def test_paragraph_properties_follow_the_order_of_the_schema() -> None:
    from dagorch.exporters.documents.docx_styles import PROPERTIES

    document = reopened(await outcomes.partial())
    text = reopened(OrchestratorResult("t", "completed", HOSTILE["right to left"] + "\n\n1. x"))
    roots = [document.element, document.styles.element, text.element]
    seen = set()
    for properties in (found for root in roots for found in root.iter(docx.oxml.ns.qn("w:pPr"))):
        names = [child.tag.rpartition("}")[2] for child in properties]
        assert names == sorted(names, key=PROPERTIES.index)
        seen |= set(names)
    assert {"pStyle", "numPr", "pBdr", "shd", "bidi"} <= seen
