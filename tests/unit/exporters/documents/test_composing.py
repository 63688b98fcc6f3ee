"""What a document tells, and in which order."""

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
    plain_text,
    runs_of_spans,
)
from dagorch.exporters.documents.running import MAX_DRAWN
from dagorch.nodes import Function
from tests.unit.exporters.documents import outcomes

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def sections(content: Content) -> list[str]:
    return [
        plain_text(block.spans)
        for block in content.blocks
        if isinstance(block, Heading) and block.level == 1
    ]


def told(content: Content) -> str:
    return "\n".join(plain_text(spans) for spans in runs_of_spans(content.blocks))


def table(content: Content, *head: str) -> list[list[str]]:
    (found,) = [
        block
        for block in content.blocks
        if isinstance(block, Table) and [plain_text(cell) for cell in block.head] == list(head)
    ]
    return [[plain_text(cell) for cell in row] for row in found.rows]


async def test_the_whole_story_of_a_cascade() -> None:
    content = compose(await outcomes.cascade(), written=DAY)
    assert content.title == "Heat pumps for the school: yes, with insulation first"
    assert content.kind == "Dream Cascade"
    assert content.date == "1 March 2026"
    assert content.notice == content.tone == ""
    assert dict(content.facts).keys() == {"State", "Agents", "Time", "Tokens", "Cost"}
    assert sections(content) == [
        "Task", "Summary", "What it costs", "What to do, in order", "Links", "How it ran",
        "What each agent said",
    ]  # fmt: skip
    pictures = [block for block in content.blocks if isinstance(block, Picture)]
    assert all(picture.svg.rstrip().endswith("</svg>") for picture in pictures)
    assert "belter_3" in pictures[0].svg
    assert "flowchart" in pictures[0].mermaid
    assert "belter_3" in pictures[1].svg
    rows = table(content, "Node", "Kind", "State", "Tries", "Tokens", "Time", "Cost")
    assert ["belter_2", "belter", "completed"] in [row[:3] for row in rows]
    models = table(content, "Model", "Calls", "Tokens in", "Tokens out", "Cost")
    assert [row[:2] for row in models] == [
        ["mine:writer", "1"], ["mine:belter", "3"], ["mine:drummer", "2"], ["mine:camina", "1"]
    ]  # fmt: skip
    assert told(content).count("Its words are the answer above.") == 1
    assert told(content).count("Defrosting takes 3–5 %.") == 3


async def test_the_sources_of_a_swarm_are_a_table_that_the_answer_links_to() -> None:
    content = compose(await outcomes.swarm(), written=DAY)
    assert content.title == outcomes.TASK
    assert sections(content) == [
        "Summary", "Evidence", "Doubts", "Sources", "How it ran", "What each agent said"
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
        for spans in runs_of_spans(content.blocks)
        for span in spans
        if span.link.startswith("#")
    ]
    assert ("[3]", "#source-3") in links
    (sources,) = [b for b in content.blocks if isinstance(b, Table) and b.ids]
    assert sources.ids == ("source-1", "source-2", "source-3", "source-4")
    assert "Sources:" not in told(content)  # the answer's own list of them is not told twice


async def test_an_answer_that_cites_nothing_names_what_was_read() -> None:
    result = await outcomes.swarm()
    read = result.metadata["citations"]
    metadata = {**result.metadata, "citations": [], "read": read}
    text = "Nothing.\n\nRead for this answer, which cites nothing:\n\n[1] Old. https://e.x\n[2] New"
    content = compose(result.model_copy(update={"metadata": metadata, "result": text}))
    assert "The answer cites none of what was read for it:" in told(content)
    assert "Read for this answer" not in told(content)


async def test_a_partial_result_says_so_first_and_what_failed_later() -> None:
    content = compose(await outcomes.partial())
    assert content.tone == "partial"
    assert content.notice == (
        "2 of 6 agents did not complete; the answer is made of what there is. What failed is below."
    )
    rows = table(content, "Agent", "Ended", "Why")
    assert rows[0] == ["belter_2", "failed", "ValueError: the model gave nothing | <b>at all</b>"]
    assert rows[1][:2] == ["drummer_2", "blocked"]


async def test_a_failed_run_says_why_and_has_what_finished() -> None:
    error = await outcomes.failed()
    content = compose(error.partial_results, failure=str(error))
    assert content.tone == "failed"
    assert content.notice.startswith("There is no answer: node 'camina_1' failed: ")
    assert "too long for the model" in content.notice
    assert content.notice.endswith(" What had finished is below.")
    assert sections(content) == ["What failed", "How it ran", "What each agent said"]
    assert "flow temperature decides" in told(content)


@pytest.mark.parametrize(
    "make", [outcomes.sequential, outcomes.conditional, outcomes.iterative, outcomes.cascade]
)
async def test_without_dollars_there_are_none_anywhere(
    make: Callable[..., Coroutine[Any, Any, OrchestratorResult]],
) -> None:
    content = compose(await make(enable_cost_tracking=False))
    drawn = [block.svg + block.mermaid for block in content.blocks if isinstance(block, Picture)]
    assert len(drawn) == 2
    assert "$" not in told(content) + "".join(drawn) + str(content.facts)
    assert "Cost" not in dict(content.facts)
    with_dollars = compose(await make())
    assert "$" in dict(with_dollars.facts)["Cost"]
    assert "$" in next(b for b in with_dollars.blocks if isinstance(b, Picture)).svg


async def test_one_read_from_json_has_all_but_the_pictures() -> None:
    result = await outcomes.cascade()
    read = OrchestratorResult.model_validate_json(result.model_dump_json())
    content, whole = compose(read), compose(result)
    assert not any(isinstance(block, Picture) for block in content.blocks)
    assert sections(content) == sections(whole)
    assert table(content, "Model", "Calls", "Tokens in", "Tokens out", "Cost")


async def test_a_map_of_many_items_is_drawn_all_the_same() -> None:
    graph = Graph("many")
    graph.map(Function("step", lambda item: item), over=list(range(MAX_DRAWN + 1)))
    run = await graph.run()
    content = compose(OrchestratorResult("t", "completed", run=run))
    assert sum(isinstance(block, Picture) for block in content.blocks) == 2


async def test_a_graph_too_large_for_a_page_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_DRAWN >= 100
    monkeypatch.setattr("dagorch.exporters.documents.running.MAX_DRAWN", 5)
    monkeypatch.setattr("dagorch.exporters.documents.running.MAX_ROWS", 5)
    content = compose(await outcomes.cascade())
    assert "The graph is too large to be drawn on a page." in told(content)
    assert "... and 6 more node runs; the sum has them all." in told(content)
    assert sum(isinstance(block, Picture) for block in content.blocks) == 1


async def test_without_a_program_that_draws_the_rest_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dagorch.exporters.pictures.picture._programs", list)
    content = compose(await outcomes.cascade())
    assert "The graph could not be drawn: drawing needs Graphviz's" in told(content)


def test_the_least_there_can_be() -> None:
    content = compose(OrchestratorResult("t", "completed"))
    assert (content.title, content.kind, content.blocks) == ("A workflow", "Workflow", ())


def test_a_long_task_is_cut_in_the_title_and_told_in_full() -> None:
    content = compose(OrchestratorResult("t", "completed", "Yes."), "why " * 100 + "\n\n## end")
    assert content.title == "why " * 29 + "why…"
    assert sections(content) == ["Task", "Answer"]
    assert "end" in told(content)
    assert compose(OrchestratorResult("t", "completed"), "x" * 500).title == "x" * 120 + "…"


def test_a_title_of_fields_is_the_title() -> None:
    answer = {"title": "Tea", "summary": "It is *better*.", "votes": 3}
    content = compose(OrchestratorResult("t", "completed", answer), "Tea or coffee?")
    assert content.title == "Tea"
    assert sections(content) == ["Task", "Summary", "Votes"]


def test_an_answer_with_a_summary_of_its_own_has_one() -> None:
    text = "First.\n\n# Summary\n\nShort.\n\n# Rest\n\nLong."
    assert sections(compose(OrchestratorResult("t", "completed", text))) == [
        "Answer", "Summary", "Rest"
    ]  # fmt: skip
    two = "# One\n\na\n\n# Two\n\nb"
    assert sections(compose(OrchestratorResult("t", "completed", two), "T")) == ["One", "Two"]


def test_of_many_agents_the_first_are_told() -> None:
    agents = [AgentResult(f"a{n}", f"said {n}", metadata={"attempts": 2}) for n in range(103)]
    content = compose(OrchestratorResult("t", "completed", "All.", agents))
    assert "... and 3 more agents; the result has what they said." in told(content)
    assert "said 99" in told(content)
    assert "said 100" not in told(content)
    asides = [b for b in content.blocks if isinstance(b, Paragraph) and b.aside]
    assert plain_text(asides[0].spans) == "2 attempts"


def test_domains_that_failed_are_why() -> None:
    agent = AgentResult("a", "x", "partial", metadata={"failed_domains": {"arxiv": "down"}})
    content = compose(OrchestratorResult("t", "partial", "All.", [agent]))
    assert table(content, "Agent", "Ended", "Why") == [["a", "partial", "arxiv: down"]]
