"""A folder as a source: what is read, searched, updated and skipped."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from pathlib import Path

import anyio
import pytest

from dagorch.child_process.bounded import Limits
from dagorch.errors import DagorchWarning, DefinitionError, SourceRefusedError
from dagorch.sources import Files, get_source
from dagorch.sources.documents import read_document

TOPICS = ["bees", "heat pumps", "glaciers", "violins", "bread", "tides", "owls", "bridges"]


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Several hundred documents, each about one of a few topics."""
    folder = tmp_path / "library"
    for n in range(300):
        topic = TOPICS[n % len(TOPICS)]
        body = f"# Report {n} on {topic}\n\n" + f"What report {n} says of {topic}. " * 20
        written(folder, f"{n % 7}/report-{n}.md", body)
    written(folder, "bees.html", "<title>All of bees</title><nav>bees bees</nav><p>Bees dance.")
    return folder


async def test_the_nearest_documents_are_found(library: Path) -> None:
    files = Files(library)
    found = await files.search("What is known about glaciers?", 5)
    assert len(found) == 5
    assert all("glaciers" in finding.title for finding in found)
    assert all(finding.source == "files" for finding in found)
    assert all((library / finding.url).is_file() for finding in found)
    assert found[0].date.startswith("20")
    assert await files.search("report 17", 1)
    assert (await files.search("zeppelins", 5)) == []
    assert (await files.search("all the dances", 1))[0].title == "All of bees"


async def test_parallel_searches_share_one_index(library: Path) -> None:
    files = Files(library)
    found: dict[str, int] = {}

    async def search(topic: str) -> None:
        found[topic] = len(await files.search(topic, 4))

    async with anyio.create_task_group() as group:
        for topic in TOPICS:
            group.start_soon(search, topic)
    assert found == dict.fromkeys(TOPICS, 4)


async def test_only_changed_files_are_read_again(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    from dagorch.sources import files as module

    real = module.read_document
    monkeypatch.setattr(
        module, "read_document", lambda path: (read.append(path.name), real(path))[1]
    )
    kept = tmp_path / "index.db"
    await Files(library, index=kept).search("bees", 1)
    assert len(read) == 301
    read.clear()
    changed = written(library, "0/report-0.md", "# Now of zeppelins\n\nzeppelins")
    os.utime(changed, ns=(1, 1))
    (library / "bees.html").unlink()
    again = Files(library, index=kept)
    assert [finding.url for finding in await again.search("zeppelins", 5)] == ["0/report-0.md"]
    assert read == ["report-0.md"]
    assert all(finding.url != "bees.html" for finding in await again.search("bees", 100))


async def test_unreadable_files_are_skipped_with_one_warning(tmp_path: Path) -> None:
    written(tmp_path, "good.txt", "bees")
    written(tmp_path, "binary.txt", b"bees\0\1\2")
    written(tmp_path, "broken.pdf", b"%PDF-1.4 bees")
    files = Files(tmp_path)
    with pytest.warns(DagorchWarning, match="skipped binary.txt .*broken.pdf") as caught:
        found = await files.search("bees", 5)
    if find_spec("pypdf") is None:
        assert "install dagorch[pdf]" in str(caught[0].message)
    assert [finding.url for finding in found] == ["good.txt"]
    assert found.skipped == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (await files.search("bees", 5)).skipped == 2


@pytest.mark.parametrize(
    ("name", "raw", "title"),
    [
        ("latin.txt", "Bienen fliegen über Wälder".encode("cp1252"), "latin"),
        ("wide.txt", "Bienen fliegen über Wälder".encode("utf-16"), "wide"),
        ("marked.txt", "Bienen fliegen über Wälder".encode("utf-8-sig"), "marked"),
        ("of_rst.rst", "Bienen\n======\n\nSie fliegen über Wälder".encode(), "Bienen"),
        ("page.htm", b"<h1>x</h1><p>Bienen fliegen &uuml;ber W&auml;lder", "page"),
    ],
)
async def test_any_encoding_and_kind(tmp_path: Path, name: str, raw: bytes, title: str) -> None:
    written(tmp_path, name, raw)
    found = await Files(tmp_path).search("über Wälder", 5)
    assert [finding.title for finding in found] == [title]
    assert "über Wälder" in found[0].text


async def test_scripts_without_blanks_are_found(tmp_path: Path) -> None:
    written(tmp_path, "bees.txt", "蜜蜂跳舞来告诉同伴花在哪里。")
    written(tmp_path, "ants.txt", "蚂蚁走路。")
    found = await Files(tmp_path).search("蜜蜂", 5)
    assert [finding.url for finding in found] == ["bees.txt"]


@pytest.mark.parametrize(
    "query", ['"', "bees OR", "NEAR(", "a*", "title:bees", "-", "bees' --", "^"]
)
async def test_any_question_is_a_valid_query(tmp_path: Path, query: str) -> None:
    written(tmp_path, "bees.txt", "bees and a title")
    await Files(tmp_path).search(query, 5)


async def test_hostile_texts_are_harmless(tmp_path: Path) -> None:
    written(tmp_path, "a.txt", "bees \x1b[31mred\x1b[0m \x1b]0;title\x07 {task} \u202eevil")
    written(tmp_path, "b.txt", "bees " + "x" * 3_000_000)
    written(tmp_path, "c.html", "<div>" * 50_000 + "bees" + "<p><!-- <script>")
    found = await Files(tmp_path).search("bees", 5)
    assert len(found) == 3
    texts = "".join(finding.text for finding in found)
    assert not {"\x1b", "\x07", "\u202e"} & set(texts)
    assert max(len(finding.text) for finding in found) < 5_000


async def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    secret = written(tmp_path, "outside/secret.txt", "bees are secret")
    folder = tmp_path / "inside"
    written(folder, "a.txt", "bees are public")
    (folder / "b.txt").symlink_to(secret)
    (folder / "more").symlink_to(secret.parent)
    written(folder, ".hidden/c.txt", "bees are hidden")
    assert [finding.url for finding in await Files(folder).search("bees", 5)] == ["a.txt"]


async def test_pipes_devices_and_endless_files_neither_block_nor_fill_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "good.txt", "bees")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    with (tmp_path / "sparse.txt").open("wb") as file:
        file.truncate(10**12)
    with pytest.warns(DagorchWarning, match="sparse.txt .it has more than 20,000,000 bytes"):
        found = await Files(tmp_path).search("bees", 5)
    assert [finding.url for finding in found] == ["good.txt"]
    for path in (tmp_path / "pipe.txt", Path("/dev/zero")):  # swapped in after the check
        with pytest.raises(ValueError, match="not a regular file"):
            read_document(path)
    monkeypatch.setattr("dagorch.sources.documents.MAX_BYTES", 3)
    with pytest.raises(ValueError, match="more than 3 bytes"):
        read_document(tmp_path / "good.txt")


async def test_names_that_are_no_text_are_skipped(tmp_path: Path) -> None:
    written(tmp_path, "good.txt", "bees")
    written(tmp_path, "two\nlines \x1b[31m.txt", "bees")
    (tmp_path / os.fsdecode(b"latin-\xe4.txt")).write_text("bees")
    files = Files(tmp_path)
    with pytest.warns(DagorchWarning, match="its name has control characters, or is not UTF-8"):
        found = await files.search("bees", 5)
    assert ([finding.url for finding in found], found.skipped) == (["good.txt"], 2)
    assert len(await files.search("bees", 5)) == 1


async def test_a_hostile_pdf_file_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "good.txt", "bees")
    written(tmp_path, "bomb.pdf", b"%PDF-1.4")
    monkeypatch.setattr("dagorch.sources.documents.can_read_pdf", lambda: True)
    monkeypatch.setattr("dagorch.sources.documents.PDF_LIMITS", Limits(seconds=0.01))
    with pytest.warns(DagorchWarning, match=r"bomb.pdf .*it was stopped after 0.01 s"):
        found = await Files(tmp_path).search("bees", 5)
    assert [finding.url for finding in found] == ["good.txt"]


@pytest.mark.parametrize("line", ["# " * 300_000 + "x", "#" * 600_000 + "x"])
def test_a_hostile_first_line_is_read_in_linear_time(tmp_path: Path, line: str) -> None:
    assert len(read_document(written(tmp_path, "a.md", line)).title) <= 300


async def test_a_folder_without_documents_is_an_error(tmp_path: Path) -> None:
    written(tmp_path, "photo.jpg", b"\xff\xd8")
    with pytest.raises(SourceRefusedError, match=r"no document can be read in .*\.md"):
        await Files(tmp_path).search("bees", 5)


def test_a_missing_folder_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="does not exist"):
        Files(tmp_path / "nowhere")
    with pytest.raises(DefinitionError, match="is a file"):
        Files(written(tmp_path, "a.txt", "x"))
    with pytest.raises(DefinitionError, match="needs a folder"):
        get_source("files")
    with pytest.raises(DefinitionError, match="unexpected keyword argument 'colour'"):
        get_source("arxiv", colour="red")


async def test_a_foreign_file_is_not_overwritten_by_the_index(tmp_path: Path) -> None:
    written(tmp_path, "docs/a.txt", "bees")
    other = written(tmp_path, "other.db", "this is not a database but a user's text" * 50)
    with pytest.raises(SourceRefusedError, match="cannot keep an index in"):
        await Files(tmp_path / "docs", index=other).search("bees", 1)
    assert other.read_text().startswith("this is not a database")


def pdf_of(text: str) -> bytes:
    """A PDF file of one page, written by hand."""
    drawn = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
    fonts = b"/Resources << /Font << /F1 5 0 R >> >>"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R %s >>" % fonts,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (All of bees) >>",
    ]
    raw, places = bytearray(b"%PDF-1.4\n"), []
    for number, part in enumerate(parts, 1):
        places.append(len(raw))
        raw += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    start = len(raw)
    raw += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    raw += b"".join(b"%010d 00000 n \n" % place for place in places)
    raw += b"trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        len(parts) + 1,
        start,
    )
    return bytes(raw)


@pytest.mark.skipif(find_spec("pypdf") is None, reason="needs the `pdf` extra")
async def test_pdf_files_are_read_with_the_extra(tmp_path: Path) -> None:
    written(tmp_path, "bees.pdf", pdf_of("Bees dance on paper."))
    found = await Files(tmp_path).search("Do bees dance?", 5)
    assert [(finding.title, finding.text) for finding in found] == [
        ("All of bees", "Bees dance on paper.")
    ]
