"""The content of a document about a workflow, and its order. The looks belong to each format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from dagorch.exporters.documents.blocks import (
    Block,
    Content,
    Heading,
    Paragraph,
    Span,
    Spans,
    all_spans,
    map_spans,
    plain_text,
    shift_headings,
)
from dagorch.exporters.documents.markdown_reader import read_markdown
from dagorch.exporters.documents.run_summary import run_section, shows_cost
from dagorch.exporters.documents.text_blocks import (
    heading,
    paragraph,
    safe_link,
    safe_text,
    table,
    text_spans,
)
from dagorch.exporters.documents.values import as_text, unwrap_content, value_blocks
from dagorch.exporters.pictures.captions import kind_name, plural
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.clean import one_line
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.task import AgentResult, TaskStatus
from dagorch.models.truncate import truncate_at_sentence

__all__ = ["compose"]

_MAX_TITLE_LENGTH: Final = 120
_MAX_SECTION_LENGTH: Final = 40_000
_MAX_SHOWN: Final = 100
"""Rows or sections of one kind, such as agents."""
_CITATION: Final = re.compile(r"\[(\d{1,4})\]")
_SOURCE_LIST: Final = re.compile(
    r"\n\n(?:Sources:|Read for this answer, which cites nothing:)\n\n(?:\[\d+\] [^\n]*(?:\n|$))+\Z"
)
_WORD_BOUNDARY: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def compose(
    result: OrchestratorResult,
    task: str = "",
    *,
    failure: str = "",
    written: datetime | None = None,
) -> Content:
    """
    Compose a document about the outcome of a workflow.

    The title is the answer's own if it starts with one, else the task. Then follow the notice,
    the answer, its sources, the run, and the result of each agent.

    Args:
        result: Complete or partial. A result read from JSON has no pictures.
        task: The task as the user wrote it; empty takes it from the result.
        failure: Why there is no answer, in words.
        written: The date of the document; None is now.
    """
    task = safe_text(task or str(result.metadata.get("task", ""))).strip()
    own_title, answer = _answer(result)
    title = own_title or _title(task) or "A workflow"
    blocks: list[Block] = []
    if task and title != _line(task):
        blocks += [heading(1, "Task"), *shift_headings(read_markdown(task, _MAX_SECTION_LENGTH), 2)]
    blocks += _with_heading(answer)
    blocks += _sources(result.metadata, answer)
    blocks += _failures(result.agent_results)
    blocks += run_section(result)
    blocks += _agents(result)
    day = written or datetime.now(UTC)
    notice, severity = _notice(result, failure)
    return Content(
        title,
        _workflow(result),
        f"{day.day} {day:%B %Y}",
        tuple(_facts(result)),
        notice,
        severity,
        tuple(blocks),
    )


def _answer(result: OrchestratorResult) -> tuple[str, tuple[Block, ...]]:
    """Return the answer's own title, if it starts with one, and the rest, headings from level 1."""
    value: Any = unwrap_content(result.result)
    if value is None:
        return "", ()
    title = ""
    if isinstance(value, dict) and isinstance(value.get("title"), str):
        title = _title(value["title"])
        value = {name: field for name, field in value.items() if name != "title"}
    if isinstance(value, str) and result.metadata.get("sources"):
        value = _SOURCE_LIST.sub("", value)  # the document has a table of them
    blocks = shift_headings(value_blocks(value), 1)
    numbers = {str(source["number"]) for source in _cited_or_read(result.metadata)}
    if numbers:
        blocks = map_spans(blocks, lambda spans: _link_citations(spans, numbers))
    first = blocks[0] if blocks and isinstance(value, str) else None
    sections = sum(isinstance(block, Heading) and block.level == 1 for block in blocks)
    if isinstance(first, Heading) and first.level == sections == 1:
        title = _title(plain_text(first.spans))
        blocks = shift_headings(blocks[1:], 1) if title else blocks
    return title, blocks


def _with_heading(answer: tuple[Block, ...]) -> tuple[Block, ...]:
    """Add a heading, unless the answer starts with one: `Summary` above sections, else `Answer`."""
    names = {
        plain_text(block.spans).strip().lower()
        for block in answer
        if isinstance(block, Heading) and block.level == 1
    }
    if not answer or isinstance(answer[0], Heading):
        return answer
    return heading(1, "Summary" if names and "summary" not in names else "Answer"), *answer


def _cited_or_read(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*(metadata.get("citations") or metadata.get("read") or ())]


def _link_citations(spans: Spans, numbers: set[str]) -> Spans:
    """Turn each `[1]` that is the number of a source into a link."""
    found: list[Span] = []
    for span in spans:
        if span.code or span.link:
            found.append(span)
            continue
        end = 0
        for match in _CITATION.finditer(span.text):
            if match[1] in numbers:
                found += [
                    replace(span, text=span.text[end : match.start()]),
                    replace(span, text=match[0], link=f"#source-{match[1]}"),
                ]
                end = match.end()
        found.append(replace(span, text=span.text[end:]))
    return tuple(span for span in found if span.text)


def _sources(metadata: Mapping[str, Any], answer: tuple[Block, ...]) -> Iterator[Block]:
    """Yield the table of sources; without sources, a table of the links in the answer."""
    sources = _cited_or_read(metadata)
    if sources:
        yield heading(1, "Sources")
        if not metadata.get("citations"):
            yield paragraph("The answer cites none of the sources that were read for it:")
        yield table(
            ("No.", "Source", "Date", "Found in"),
            map(_source, sources),
            row_ids=(f"source-{source['number']}" for source in sources),
        )
        return
    links = dict.fromkeys(
        span.link for spans in all_spans(answer) for span in spans if span.link.startswith("http")
    )
    if links:
        yield heading(1, "Links")
        numbered = enumerate(list(links)[:_MAX_SHOWN], 1)
        yield table(
            ("No.", "Address"), ((f"{n}", (Span(link, link=link),)) for n, link in numbered)
        )


def _source(source: Mapping[str, Any]) -> tuple[str, Spans, str, str]:
    authors = [str(author) for author in source.get("authors") or ()]
    shown_authors = ", ".join(authors[:3]) + (" and others" if len(authors) > 3 else "")
    address = str(source.get("url") or "")
    link = safe_link(address)
    title = [Span(_line(str(source.get("title", ""))), link=link)]
    title += [Span("\n"), Span(_line(shown_authors))] * bool(shown_authors)
    title += [Span("\n"), Span(_line(address), link=link)] * bool(address)
    date, found_in = str(source.get("date", "")), str(source.get("source", ""))
    return f"[{source['number']}]", tuple(title), date, found_in


def _failures(agents: Iterable[AgentResult]) -> Iterator[Block]:
    rows = [
        (_line(agent.subtask_id), str(agent.status), truncate_at_sentence(_reason(agent), 300))
        for agent in agents
        if not _ended_well(agent)
    ]
    if rows:
        yield heading(1, "What failed")
        yield table(("Agent", "Status", "Reason"), rows[:_MAX_SHOWN])


def _ended_well(agent: AgentResult) -> bool:
    return agent.status in (TaskStatus.COMPLETED, TaskStatus.SKIPPED)


def _reason(agent: AgentResult) -> str:
    failed_domains = agent.metadata.get("failed_domains") or {}
    domains = "; ".join(f"{name}: {reason}" for name, reason in failed_domains.items())
    return _line(str(agent.metadata.get("error") or domains))


def _agents(result: OrchestratorResult) -> Iterator[Block]:
    """Yield a section for the result of each agent."""
    agents = [agent for agent in result.agent_results if agent.content not in ("", None)]
    if not agents:
        return
    yield heading(1, "Agent results")
    answer = "" if result.result is None else as_text(result.result).strip()
    for agent in agents[:_MAX_SHOWN]:
        yield heading(2, _title(agent.subtask_id))
        facts = [fact for fact in _agent_facts(agent, shows_cost(result)) if fact]
        if facts:
            yield Paragraph((Span(safe_text(" · ".join(facts))),), aside=True)
        if as_text(agent.content).strip() == answer:
            yield paragraph("Its result is the answer above.")
        else:
            yield from shift_headings(value_blocks(agent.content, _MAX_SECTION_LENGTH), 3)
        for source in agent.metadata.get("citations") or ():
            number, title, *_ = _source(source)
            yield Paragraph((*text_spans(number), Span(" "), *title))
    if len(agents) > _MAX_SHOWN:
        more = plural(len(agents) - _MAX_SHOWN, "more agent")
        yield paragraph(f"... and {more}; the result has them all.")


def _agent_facts(agent: AgentResult, with_cost: bool) -> Iterator[str]:
    metadata = agent.metadata
    if agent.agent_type != agent.subtask_id:
        yield kind_name(str(agent.agent_type or ""))
    yield ", ".join(map(str, metadata.get("domains") or ()))
    yield str(metadata.get("model", ""))
    if agent.status != TaskStatus.COMPLETED:
        yield str(agent.status)
    if isinstance(metadata.get("seconds"), int | float):
        yield format_duration(metadata["seconds"])
    if agent.tokens_used:
        yield f"{agent.tokens_used:,} tokens"
    if with_cost and agent.cost:
        yield format_cost(agent.cost)
    if isinstance(metadata.get("attempts"), int) and metadata["attempts"] > 1:
        yield plural(metadata["attempts"], "attempt")


def _notice(
    result: OrchestratorResult, failure: str
) -> tuple[str, Literal["", "partial", "failed"]]:
    """Return the warning above the content, and its severity."""
    agents = result.agent_results
    if result.status == TaskStatus.PARTIAL:
        failed = sum(not _ended_well(agent) for agent in agents)
        counts = f"{failed:,} of {plural(len(agents), 'agent')} did not complete"
        return f"{counts}; the answer covers the rest. The failures are listed below.", "partial"
    if result.status == TaskStatus.COMPLETED:
        return "", ""
    state = "failed" if result.status == TaskStatus.FAILED else f"was {result.status}"
    reason = (truncate_at_sentence(_line(failure), 500) or f"the run {state}").removesuffix(".")
    return f"There is no answer: {reason}. The results up to then are below.", "failed"


def _facts(result: OrchestratorResult) -> Iterator[tuple[str, str]]:
    agents = result.agent_results
    yield "State", str(result.status)
    if agents:
        done = sum(agent.status == TaskStatus.COMPLETED for agent in agents)
        yield "Agents", f"{len(agents):,}" if done == len(agents) else f"{done} of {len(agents):,}"
    yield "Time", format_duration(result.execution_time)
    tokens = result.metadata.get("tokens_used") or sum(agent.tokens_used for agent in agents)
    yield "Tokens", f"{tokens:,}"
    if shows_cost(result):
        about = "about " if result.metadata.get("cost_estimated") else ""
        yield "Cost", about + format_cost(result.total_cost)


def _workflow(result: OrchestratorResult) -> str:
    name = str(result.metadata.get("orchestrator", "")).removesuffix("Orchestrator")
    return _WORD_BOUNDARY.sub(" ", safe_text(name)) or "Workflow"


def _title(text: str) -> str:
    return truncate_at_sentence(_line(text), _MAX_TITLE_LENGTH)


def _line(text: str) -> str:
    return safe_text(one_line(text))
