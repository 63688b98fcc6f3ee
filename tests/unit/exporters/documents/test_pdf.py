"""Documents as PDF: the text is readable, and none of it ran as a command."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pypdf
import pytest

from dagorch import AgentResult, OrchestratorResult
from dagorch.child_process.bounded import ChildResult
from dagorch.exporters.documents import compose, write_documents
from dagorch.exporters.documents.pdf import svg_size, svg_to_png, to_pdf
from tests.unit.exporters.documents import outcomes
from tests.unit.exporters.documents.hostile import HOSTILE

pytest.importorskip("typst")


def read(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(data))


def text_of(pdf: pypdf.PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in pdf.pages).split())


def addresses(pdf: pypdf.PdfReader) -> set[str]:
    return {
        str(note.get_object()["/A"]["/URI"])
        for page in pdf.pages
        for note in page.get("/Annots", ())
        if "/URI" in note.get_object().get("/A", {})
    }


async def test_a_report_is_complete() -> None:
    pdf = read(to_pdf(compose(await outcomes.cascade())))
    text = text_of(pdf)
    for words in (
        "Heat pumps for the school: yes, with insulation first",
        "pays back in 9 to 12 years",
        "Heat pump, roof insulated €89,000 €7,400 €200,000",
        "def spf(heat_kwh: float, power_kwh: float) -> float:",
        "14 of them are too small for 45 °C water;",
        "Redundancy mattered more to us",
        "belter_3",
        "The graph as it ran",
    ):
        assert words in text
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Heat pumps for the school: yes, with insulation first"
    assert addresses(pdf) == {
        "https://grid.example.org/forms/connection?kind=heat-pump",
        "https://heat.example.org/guide",
    }
    pages = len(pdf.pages)
    assert [f"{n} / {pages}" in page.extract_text() for n, page in enumerate(pdf.pages, 1)] == [
        True
    ] * pages
    assert [str(entry["/Title"]) for entry in pdf.outline if not isinstance(entry, list)][:2] == [
        "Task", "Summary"
    ]  # fmt: skip


async def test_pictures_are_vectors_with_real_text() -> None:
    pdf = read(to_pdf(compose(await outcomes.swarm())))
    assert not any(page.images for page in pdf.pages)
    assert "search_arxiv" in text_of(pdf)
    assert "dream swarm" in text_of(pdf)


async def test_citations_link_to_their_sources() -> None:
    pdf = read(to_pdf(compose(await outcomes.swarm())))
    first = [note.get_object() for note in pdf.pages[0].get("/Annots", ())]
    inner = [note for note in first if "/Dest" in note or "/D" in note.get("/A", {})]
    assert len(inner) == 6  # [1] and [4] are cited twice


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name: str) -> None:
    text = HOSTILE[name]
    result = OrchestratorResult(
        "t", "failed", text, [AgentResult(text[:50] or "a", text, metadata={"error": text})]
    )
    pdf = read(to_pdf(compose(result, text[:300], failure=text)))
    assert all(re.match(r"https?://", address) for address in addresses(pdf))
    assert "/Names" not in pdf.root_object or "/JavaScript" not in pdf.root_object["/Names"]
    assert "/OpenAction" not in pdf.root_object
    if name == "typst":
        shown = text_of(pdf)
        assert '#read("/etc/passwd") #eval("1+1") $ x^2 $ @nowhere <label>' in shown
        assert "root:" not in shown


def test_a_long_word_stays_on_the_page() -> None:
    pdf = read(to_pdf(compose(OrchestratorResult("t", "completed", "x" * 5_000))))
    lines = re.findall("x+", pdf.pages[0].extract_text().replace("\u200b", ""))
    assert sum(map(len, lines)) > 2_000
    assert max(map(len, lines)) < 120


def test_right_to_left_text_is_kept() -> None:
    pdf = read(to_pdf(compose(OrchestratorResult("t", "completed", HOSTILE["right to left"]))))
    assert "\u05e9\u05dc\u05d5\u05dd" in "".join(page.extract_text() for page in pdf.pages)


def test_a_png_has_the_requested_width() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="80pt" height="40pt"></svg>'
    png = svg_to_png(svg, 144, 100)
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == 200
    assert svg_size(svg) == (80, 40)
    assert svg_size("<svg/>") == (400, 300)


async def test_typst_in_its_child_process_may_fail_without_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> ChildResult:
        return ChildResult(error="it was stopped after 60 s")

    monkeypatch.setattr("dagorch.exporters.typesetting.run_function", stopped)
    monkeypatch.setattr("dagorch.exporters.documents.docx.run_function", stopped)
    monkeypatch.delattr("typst.compile")  # nothing calls it in this process
    result = write_documents(await outcomes.cascade(), tmp_path, ["pdf", "docx", "markdown"])
    assert [document.format for document in result.documents] == ["markdown"]
    assert result.document_errors == {
        "pdf": "DefinitionError: typst could not write the PDF: it was stopped after 60 s",
        "docx": "DefinitionError: the DOCX could not be written: it was stopped after 60 s",
    }
