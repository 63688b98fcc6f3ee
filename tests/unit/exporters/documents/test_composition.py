"""The content of a document and its order."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from dagorch import AgentResult, Graph, OrchestratorResult
from dagorch.exporters.documents import compose
from dagorch.exporters.documents.blocks import (
    Content,
    Heading,
    Paragraph,
    Picture,
    Table,
    all_spans,
    plain_text,
)
from dagorch.exporters.documents.run_summary import MAX_DRAWN
from dagorch.nodes import Function
from tests.unit.exporters.documents import outcomes

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def sections(content: Content) -> list[str]:
    return [
        plain_text(block.spans)
        for block in content.blocks
        if isinstance(block, Heading) and block.level == 1
    ]


def text_of(content: Content) -> str:
    return "\n".join(plain_text(spans) for spans in all_spans(content.blocks))


def table(content: Content, *header: str) -> list[list[str]]:
    (found,) = [
        block
        for block in content.blocks
        if isinstance(block, Table) and [plain_text(cell) for cell in block.header] == list(header)
    ]
    return [[plain_text(cell) for cell in row] for row in found.rows]


async def test_a_complete_cascade() -> None:
    content = compose(await outcomes.cascade(), written=DAY)
    assert content.title == "Heat pumps for the school: yes, with insulation first"
    assert content.workflow == "Dream Cascade"
    assert content.date == "1 March 2026"
    assert content.notice == content.severity == ""
    assert dict(content.facts).keys() == {"State", "Agents", "Time", "Tokens", "Cost"}
    assert sections(content) == [
        "Task", "Summary", "What it costs", "What to do, in order", "Links", "The run",
        "Agent results",
    ]  # fmt: skip
    pictures = [block for block in content.blocks if isinstance(block, Picture)]
    assert all(picture.svg.rstrip().endswith("</svg>") for picture in pictures)
    assert "belter_3" in pictures[0].svg
    assert "flowchart" in pictures[0].mermaid
    assert "belter_3" in pictures[1].svg
    rows = table(content, "Node", "Kind", "State", "Attempts", "Tokens", "Time", "Cost")
    assert ["belter_2", "belter", "completed"] in [row[:3] for row in rows]
    models = table(content, "Model", "Calls", "Tokens in", "Tokens out", "Cost")
    assert [row[:2] for row in models] == [
        ["mine:writer", "1"], ["mine:belter", "3"], ["mine:drummer", "2"], ["mine:camina", "1"]
    ]  # fmt: skip
    assert text_of(content).count("Its result is the answer above.") == 1
    assert text_of(content).count("Defrosting takes 3–5 %.") == 3


async def test_a_swarm_has_a_table_of_sources_that_the_answer_links_to() -> None:
    content = compose(await outcomes.swarm(), written=DAY)
    assert content.title == outcomes.TASK
    assert sections(content) == [
        "Summary", "Evidence", "Doubts", "Sources", "The run", "Agent results"
    ]  # fmt: skip
    rows = table(content, "No.", "Source", "Date", "Found in")
    assert [row[0] for row in rows] == ["[1]", "[2]", "[3]", "[4]"]
    assert rows[0][1] == (
        "Heat pumps in old schools: a study in arxiv\nAda Lovelace, Mary Ward\n"
        "https://arxiv.example/papers/2023/1/heat-pumps-in-old-schools.html"
    )
    assert rows[0][2:] == ["2021-01-11", "arxiv"]
    links = [
        (span.text, span.link)
        for spans in all_spans(content.blocks)
        for span in spans
        if span.link.startswith("#")
    ]
    assert ("[3]", "#source-3") in links
    (sources,) = [b for b in content.blocks if isinstance(b, Table) and b.row_ids]
    assert sources.row_ids == ("source-1", "source-2", "source-3", "source-4")
    assert "Sources:" not in text_of(content)  # the answer's own list of sources is removed


async def test_without_citations_the_sources_that_were_read_are_listed() -> None:
    result = await outcomes.swarm()
    read = result.metadata["citations"]
    metadata = {**result.metadata, "citations": [], "read": read}
    text = "Nothing.\n\nRead for this answer, which cites nothing:\n\n[1] Old. https://e.x\n[2] New"
    content = compose(result.model_copy(update={"metadata": metadata, "result": text}))
    assert "The answer cites none of the sources that were read for it:" in text_of(content)
    assert "Read for this answer" not in text_of(content)


async def test_a_partial_result_has_a_notice_and_a_list_of_failures() -> None:
    content = compose(await outcomes.partial())
    assert content.severity == "partial"
    assert content.notice == (
        "2 of 6 agents did not complete; the answer covers the rest. The failures are listed below."
    )
    rows = table(content, "Agent", "Status", "Reason")
    assert rows[0] == ["belter_2", "failed", "ValueError: the model gave nothing | <b>at all</b>"]
    assert rows[1][:2] == ["drummer_2", "blocked"]


async def test_a_failed_run_has_the_reason_and_the_finished_results() -> None:
    error = await outcomes.failed()
    content = compose(error.partial_results, failure=str(error))
    assert content.severity == "failed"
    assert content.notice.startswith("There is no answer: node 'camina_1' failed: ")
    assert "too long for the model" in content.notice
    assert content.notice.endswith(" The results up to then are below.")
    assert sections(content) == ["What failed", "The run", "Agent results"]
    assert "flow temperature decides" in text_of(content)


@pytest.mark.parametrize(
    "make", [outcomes.sequential, outcomes.conditional, outcomes.iterative, outcomes.cascade]
)
async def test_without_cost_tracking_no_cost_is_shown(
    make: Callable[..., Coroutine[Any, Any, OrchestratorResult]],
) -> None:
    content = compose(await make(enable_cost_tracking=False))
    drawn = [block.svg + block.mermaid for block in content.blocks if isinstance(block, Picture)]
    assert len(drawn) == 2
    assert "$" not in text_of(content) + "".join(drawn) + str(content.facts)
    assert "Cost" not in dict(content.facts)
    with_cost = compose(await make())
    assert "$" in dict(with_cost.facts)["Cost"]
    assert "$" in next(b for b in with_cost.blocks if isinstance(b, Picture)).svg


async def test_a_result_read_from_json_has_everything_but_pictures() -> None:
    result = await outcomes.cascade()
    read = OrchestratorResult.model_validate_json(result.model_dump_json())
    content, whole = compose(read), compose(result)
    assert not any(isinstance(block, Picture) for block in content.blocks)
    assert sections(content) == sections(whole)
    assert table(content, "Model", "Calls", "Tokens in", "Tokens out", "Cost")


async def test_a_map_of_many_items_is_drawn() -> None:
    graph = Graph("many")
    graph.map(Function("step", lambda item: item), over=list(range(MAX_DRAWN + 1)))
    run = await graph.run()
    content = compose(OrchestratorResult("t", "completed", run=run))
    assert sum(isinstance(block, Picture) for block in content.blocks) == 2


async def test_a_graph_too_large_for_a_page_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_DRAWN >= 100
    monkeypatch.setattr("dagorch.exporters.documents.run_summary.MAX_DRAWN", 5)
    monkeypatch.setattr("dagorch.exporters.documents.run_summary.MAX_ROWS", 5)
    content = compose(await outcomes.cascade())
    assert "The graph is too large to be drawn on a page." in text_of(content)
    assert "... and 6 more node runs; the total covers them all." in text_of(content)
    assert sum(isinstance(block, Picture) for block in content.blocks) == 1


async def test_without_graphviz_the_rest_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dagorch.exporters.pictures.picture._programs", list)
    content = compose(await outcomes.cascade())
    assert "The graph could not be drawn: drawing needs Graphviz's" in text_of(content)


def test_an_empty_result() -> None:
    content = compose(OrchestratorResult("t", "completed"))
    assert (content.title, content.workflow, content.blocks) == ("A workflow", "Workflow", ())


def test_a_long_task_is_cut_in_the_title_and_complete_in_its_section() -> None:
    content = compose(OrchestratorResult("t", "completed", "Yes."), "why " * 100 + "\n\n## end")
    assert content.title == "why " * 29 + "why…"
    assert sections(content) == ["Task", "Answer"]
    assert "end" in text_of(content)
    assert compose(OrchestratorResult("t", "completed"), "x" * 500).title == "x" * 120 + "…"


def test_the_title_field_of_an_answer_is_the_title() -> None:
    answer = {"title": "Tea", "summary": "It is *better*.", "votes": 3}
    content = compose(OrchestratorResult("t", "completed", answer), "Tea or coffee?")
    assert content.title == "Tea"
    assert sections(content) == ["Task", "Summary", "Votes"]


def test_an_answer_with_its_own_summary_gets_no_second_one() -> None:
    text = "First.\n\n# Summary\n\nShort.\n\n# Rest\n\nLong."
    assert sections(compose(OrchestratorResult("t", "completed", text))) == [
        "Answer", "Summary", "Rest"
    ]  # fmt: skip
    two = "# One\n\na\n\n# Two\n\nb"
    assert sections(compose(OrchestratorResult("t", "completed", two), "T")) == ["One", "Two"]


def test_only_the_first_of_many_agents_are_shown() -> None:
    agents = [AgentResult(f"a{n}", f"said {n}", metadata={"attempts": 2}) for n in range(103)]
    content = compose(OrchestratorResult("t", "completed", "All.", agents))
    assert "... and 3 more agents; the result has them all." in text_of(content)
    assert "said 99" in text_of(content)
    assert "said 100" not in text_of(content)
    asides = [b for b in content.blocks if isinstance(b, Paragraph) and b.aside]
    assert plain_text(asides[0].spans) == "2 attempts"


def test_failed_domains_are_the_reason() -> None:
    agent = AgentResult("a", "x", "partial", metadata={"failed_domains": {"arxiv": "down"}})
    content = compose(OrchestratorResult("t", "partial", "All.", [agent]))
    assert table(content, "Agent", "Status", "Reason") == [["a", "partial", "arxiv: down"]]
