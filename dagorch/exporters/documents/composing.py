"""What a document tells of a workflow, and in which order. How it looks is each format's own."""

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
    Table,
    plain_text,
    raised,
    rewritten,
    runs_of_spans,
)
from dagorch.exporters.documents.reading import followed, read_markdown, read_spans, safe
from dagorch.exporters.documents.running import how_it_ran, tells_dollars
from dagorch.exporters.documents.values import as_text, unpacked, value_blocks
from dagorch.exporters.pictures.captions import kind_name, plural
from dagorch.models.amounts import format_cost, format_duration
from dagorch.models.clean import one_line
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.task import AgentResult, TaskStatus

__all__ = ["compose"]

_MAX_TITLE_LENGTH: Final = 120
_MAX_PART_LENGTH: Final = 40_000
_MAX_PARTS: Final = 100
_MARK: Final = re.compile(r"\[(\d{1,4})\]")
_LISTED: Final = re.compile(
    r"\n\n(?:Sources:|Read for this answer, which cites nothing:)\n\n(?:\[\d+\] [^\n]*(?:\n|$))+\Z"
)
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def compose(
    result: OrchestratorResult,
    task: str = "",
    *,
    failure: str = "",
    written: datetime | None = None,
) -> Content:
    """
    Lay out what a workflow came to.

    The title is the answer's own if it begins with one, else the task. Then come what a reader
    must know first, the answer, its sources, how the workflow ran, and what each agent said.

    Args:
        result: Whole or partial. One that was read from JSON has no pictures.
        task: As it was given; empty is the result's own.
        failure: Why there is no answer, in words.
        written: When; None is now.
    """
    task = safe(task or str(result.metadata.get("task", ""))).strip()
    own_title, answer = _answer(result)
    title = own_title or _short(_line(task)) or "A workflow"
    blocks: list[Block] = []
    if task and title != _line(task):
        blocks += [
            Heading(1, read_spans("Task")),
            *raised(read_markdown(task, _MAX_PART_LENGTH), 2),
        ]
    blocks += _headed(answer)
    blocks += _sources(result.metadata, answer)
    blocks += _failed(result.agent_results)
    blocks += how_it_ran(result)
    blocks += _parts(result)
    day = written or datetime.now(UTC)
    return Content(
        title,
        _kind(result),
        f"{day.day} {day:%B %Y}",
        tuple(_facts(result)),
        *_notice(result, failure),
        tuple(blocks),
    )


def _answer(result: OrchestratorResult) -> tuple[str, tuple[Block, ...]]:
    """The answer's own title, if it begins with one, and the rest of it, its highest level 1."""
    value: Any = unpacked(result.result)
    if value is None:
        return "", ()
    title = ""
    if isinstance(value, dict) and isinstance(value.get("title"), str):
        title = _short(_line(value["title"]))
        value = {name: field for name, field in value.items() if name != "title"}
    if isinstance(value, str) and result.metadata.get("sources"):
        value = _LISTED.sub("", value)  # they have a table of their own
    blocks = raised(value_blocks(value), 1)
    marks = {str(entry["number"]) for entry in _entries(result.metadata)}
    if marks:
        blocks = rewritten(blocks, lambda spans: _marked(spans, marks))
    first = blocks[0] if blocks and isinstance(value, str) else None
    tops = sum(isinstance(block, Heading) and block.level == 1 for block in blocks)
    if isinstance(first, Heading) and first.level == tops == 1:
        title = _short(_line(plain_text(first.spans)))
        blocks = raised(blocks[1:], 1) if title else blocks
    return title, blocks


def _headed(answer: tuple[Block, ...]) -> tuple[Block, ...]:
    """What stands before the answer's first section is its summary; without sections it is all."""
    names = {
        plain_text(block.spans).strip().lower()
        for block in answer
        if isinstance(block, Heading) and block.level == 1
    }
    if not answer or isinstance(answer[0], Heading):
        return answer
    name = "Summary" if names and "summary" not in names else "Answer"
    return Heading(1, read_spans(name)), *answer


def _entries(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*(metadata.get("citations") or metadata.get("read") or ())]


def _marked(spans: Spans, marks: set[str]) -> Spans:
    """Make a link of each `[1]` that is the number of a source."""
    found: list[Span] = []
    for span in spans:
        if span.code or span.link:
            found.append(span)
            continue
        at = 0
        for match in _MARK.finditer(span.text):
            if match[1] in marks:
                found += [
                    replace(span, text=span.text[at : match.start()]),
                    replace(span, text=match[0], link=f"#source-{match[1]}"),
                ]
                at = match.end()
        found.append(replace(span, text=span.text[at:]))
    return tuple(span for span in found if span.text)


def _sources(metadata: Mapping[str, Any], answer: tuple[Block, ...]) -> Iterator[Block]:
    """The table of what is cited; of an answer that cites nothing that was searched, its links."""
    entries = _entries(metadata)
    if entries:
        yield Heading(1, read_spans("Sources"))
        if not metadata.get("citations"):
            yield Paragraph(read_spans("The answer cites none of what was read for it:"))
        yield Table(
            tuple(map(read_spans, ("No.", "Source", "Date", "Found in"))),
            tuple(_source(entry) for entry in entries),
            ids=tuple(f"source-{entry['number']}" for entry in entries),
        )
        return
    links = dict.fromkeys(
        span.link
        for spans in runs_of_spans(answer)
        for span in spans
        if span.link.startswith("http")
    )
    if links:
        yield Heading(1, read_spans("Links"))
        numbered = enumerate(list(links)[:_MAX_PARTS], 1)
        yield Table(
            tuple(map(read_spans, ("No.", "Address"))),
            tuple((read_spans(f"{n}"), (Span(link, link=link),)) for n, link in numbered),
        )


def _source(entry: Mapping[str, Any]) -> tuple[Spans, ...]:
    authors = [str(author) for author in entry.get("authors") or ()]
    who = ", ".join(authors[:3]) + (" and others" if len(authors) > 3 else "")
    address = str(entry.get("url") or "")
    link = followed(address)
    title = [Span(_line(str(entry.get("title", ""))), link=link)]
    title += [Span("\n"), Span(_line(who))] * bool(who)
    title += [Span("\n"), Span(_line(address), link=link)] * bool(address)
    fields = (str(entry.get("date", "")), str(entry.get("source", "")))
    return read_spans(f"[{entry['number']}]"), tuple(title), *map(read_spans, fields)


def _failed(agents: Iterable[AgentResult]) -> Iterator[Block]:
    rows = [
        (_line(agent.subtask_id), str(agent.status), _short(_why(agent), 300))
        for agent in agents
        if agent.status not in (TaskStatus.COMPLETED, TaskStatus.SKIPPED)
    ]
    if rows:
        yield Heading(1, read_spans("What failed"))
        yield Table(
            tuple(map(read_spans, ("Agent", "Ended", "Why"))),
            tuple(tuple(map(read_spans, row)) for row in rows[:_MAX_PARTS]),
        )


def _why(agent: AgentResult) -> str:
    failed = agent.metadata.get("failed_domains") or {}
    domains = "; ".join(f"{name}: {why}" for name, why in failed.items())
    return _line(str(agent.metadata.get("error") or domains))


def _parts(result: OrchestratorResult) -> Iterator[Block]:
    """What each agent said, with what it took."""
    agents = [agent for agent in result.agent_results if agent.content not in ("", None)]
    if not agents:
        return
    yield Heading(1, read_spans("What each agent said"))
    answer = "" if result.result is None else as_text(result.result).strip()
    for agent in agents[:_MAX_PARTS]:
        yield Heading(2, read_spans(_short(_line(agent.subtask_id))))
        about = [fact for fact in _about(agent, tells_dollars(result)) if fact]
        if about:
            yield Paragraph((Span(safe(" · ".join(about))),), aside=True)
        if as_text(agent.content).strip() == answer:
            yield Paragraph(read_spans("Its words are the answer above."))
        else:
            yield from raised(value_blocks(agent.content, _MAX_PART_LENGTH), 3)
        for entry in agent.metadata.get("citations") or ():
            mark, title, *_ = _source(entry)
            yield Paragraph((*mark, Span(" "), *title))
    if len(agents) > _MAX_PARTS:
        left = plural(len(agents) - _MAX_PARTS, "more agent")
        yield Paragraph(read_spans(f"... and {left}; the result has what they said."))


def _about(agent: AgentResult, dollars: bool) -> Iterator[str]:
    told = agent.metadata
    if agent.agent_type != agent.subtask_id:
        yield kind_name(str(agent.agent_type or ""))
    yield ", ".join(map(str, told.get("domains") or ()))
    yield str(told.get("model", ""))
    if agent.status != TaskStatus.COMPLETED:
        yield str(agent.status)
    if isinstance(told.get("seconds"), int | float):
        yield format_duration(told["seconds"])
    if agent.tokens_used:
        yield f"{agent.tokens_used:,} tokens"
    if dollars and agent.cost:
        yield format_cost(agent.cost)
    if isinstance(told.get("attempts"), int) and told["attempts"] > 1:
        yield plural(told["attempts"], "attempt")


def _notice(
    result: OrchestratorResult, failure: str
) -> tuple[str, Literal["", "partial", "failed"]]:
    """What a reader must know before the rest, and how grave it is."""
    agents = result.agent_results
    left = [a for a in agents if a.status not in (TaskStatus.COMPLETED, TaskStatus.SKIPPED)]
    if result.status == TaskStatus.PARTIAL:
        many = f"{len(left):,} of {plural(len(agents), 'agent')} did not complete"
        return f"{many}; the answer is made of what there is. What failed is below.", "partial"
    if result.status == TaskStatus.COMPLETED:
        return "", ""
    ended = "failed" if result.status == TaskStatus.FAILED else f"was {result.status}"
    why = _short(_line(failure), 500) or f"the run {ended}"
    said = f"There is no answer: {why}"
    return f"{said}{'' if said.endswith('.') else '.'} What had finished is below.", "failed"


def _facts(result: OrchestratorResult) -> Iterator[tuple[str, str]]:
    agents = result.agent_results
    yield "State", str(result.status)
    if agents:
        done = sum(agent.status == TaskStatus.COMPLETED for agent in agents)
        yield "Agents", f"{len(agents):,}" if done == len(agents) else f"{done} of {len(agents):,}"
    yield "Time", format_duration(result.execution_time)
    tokens = result.metadata.get("tokens_used") or sum(agent.tokens_used for agent in agents)
    yield "Tokens", f"{tokens:,}"
    if tells_dollars(result):
        about = "about " if result.metadata.get("cost_estimated") else ""
        yield "Cost", about + format_cost(result.total_cost)


def _kind(result: OrchestratorResult) -> str:
    name = str(result.metadata.get("orchestrator", "")).removesuffix("Orchestrator")
    return _WORDS.sub(" ", safe(name)) or "Workflow"


def _short(text: str, most: int = _MAX_TITLE_LENGTH) -> str:
    """Cut a text at a word, if it must be cut."""
    if len(text) <= most:
        return text
    cut = text[:most]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,;:") + "…"


def _line(text: str) -> str:
    return safe(one_line(text))
