"""
The record of a run: all of it that is worth keeping, as one JSON document that loses nothing.

Data alone, and its file; `recorder.py` makes it, the timeline and the report are made from it.
"""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, ValidationError

from dagorch.errors import DefinitionError
from dagorch.exporters.critical import CriticalStep
from dagorch.exporters.pictures.drawing import Drawing
from dagorch.models.result import End
from dagorch.models.usage import NOTHING_USED, Usage

__all__ = [
    "VERSION", "AttemptRecord", "EventRecord", "ExchangeRecord", "NodeRecord", "RunRecord", "Said",
    "read_record", "write_record",
]  # fmt: skip

VERSION: Final = 1
"""Of the document; a higher one is refused."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class AttemptRecord(_Part):
    """One try of a node run."""

    number: int
    started_seconds: float | None = None
    """Since the run's start, as all times here; None where nobody listened."""
    ended_seconds: float | None = None
    error: str = ""
    """Why nothing came of it."""
    retry_seconds: float | None = None
    """When the next one was due; None if there was to be none."""
    service: str = ""
    """Of its last exchange; empty if it made none."""
    model: str = ""
    usage: Usage = NOTHING_USED


class NodeRecord(_Part):
    """One node run."""

    path: str
    kind: str
    tier: str = ""
    """The role of the agent that it is; empty where roles are not told."""
    end: End
    ready_seconds: float | None
    started_seconds: float | None
    ended_seconds: float
    attempts: tuple[AttemptRecord, ...] = ()
    """Empty for what makes none, such as a loop."""
    usage: Usage = NOTHING_USED
    error: str = ""
    recovered_from: str = ""
    reason: str = ""
    value: JsonValue = None
    """What it gave, where the run kept that; a long one is cut, and then text."""
    value_left_out: int = 0
    """Characters of the value's JSON that were cut."""


class Said(_Part):
    """A message of a conversation with a model."""

    role: str
    content: str
    images: tuple[str, ...] = ()
    """Addresses; of one that holds the image itself, its beginning."""
    tool_calls: tuple[str, ...] = ()
    """As `name(arguments)`."""


class ExchangeRecord(_Part):
    """A prompt and its reply."""

    path: str
    attempt: int
    service: str
    model: str
    started_seconds: float
    ended_seconds: float
    messages: tuple[Said, ...] = ()
    reply: str = ""
    tool_calls: tuple[str, ...] = ()
    finish_reason: str = ""
    """Empty where no reply came: it failed, or was cancelled."""
    error: str = ""
    usage: Usage = NOTHING_USED


class EventRecord(_Part):
    """One event, without what is told elsewhere here: text, prompts, replies."""

    number: int
    seconds: float
    type: str
    path: str = ""
    attempt: int = 0
    data: dict[str, JsonValue] = {}


class RunRecord(_Part):
    """
    A run.

    Example:
        >>> import anyio
        >>> from dagorch import Graph
        >>> from dagorch.exporters import Recorder
        >>> graph = Graph("one")
        >>> @graph.function
        ... async def one() -> int:
        ...     return 1
        >>> recorder = Recorder()
        >>> async def main():
        ...     return recorder.record(await graph.run(on_event=recorder))
        >>> record = anyio.run(main)
        >>> RunRecord.model_validate_json(record.model_dump_json()) == record
        True
        >>> [(node.path, node.end, node.value) for node in record.node_runs]
        [('one', 'completed', 1)]
    """

    # For what a box of a drawing may hold while it is being made: none of it is in a record.
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    format: Literal["dagorch-run"] = "dagorch-run"
    version: int = VERSION
    run_id: str
    title: str
    """The graph's name."""
    task: str = ""
    status: str
    error: str = ""
    """Why it stopped, if it did."""
    started_at: AwareDatetime
    """UTC."""
    duration_seconds: float
    output: JsonValue = None
    output_left_out: int = 0
    """Characters of its JSON that were cut."""
    usage: Usage
    usage_by_model: dict[str, Usage] = {}
    """By `service:model`."""
    usage_by_tier: dict[str, Usage] = {}
    """By the role of agents; empty where roles are not told."""
    graph: Drawing | None = None
    """As it unrolled; None where the result came without its graph."""
    critical_path: tuple[CriticalStep, ...] = ()
    node_runs: tuple[NodeRecord, ...] = ()
    exchanges: tuple[ExchangeRecord, ...] = ()
    """In the order in which they ended; empty where nobody listened."""
    events: tuple[EventRecord, ...] = ()
    """But for tokens; empty where nobody listened."""
    events_left_out: int = 0
    """That came too fast for the recorder, or too many."""


def write_record(record: RunRecord, path: str | PathLike[str]) -> Path:
    """
    Write a record into a file as JSON; one that is there is replaced.

    Raises:
        DefinitionError: The file cannot be written.
    """
    file = Path(path)
    try:
        file.write_text(record.model_dump_json() + "\n", "utf-8")
    except OSError as error:
        raise DefinitionError(f"cannot write {str(file)!r}: {error.strerror or error}") from error
    return file


def read_record(path: str | PathLike[str]) -> RunRecord:
    """
    Read a record from its file.

    Raises:
        DefinitionError: The file cannot be read, is no record of a run, or is of a later dagorch.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DefinitionError(f"cannot read {str(file)!r}: {reason}") from error
    version = _version(text)
    if version is None:
        raise DefinitionError(
            f"{str(file)!r} is not the record of a run; `dagorch run ... --report run.json` writes "
            "one"
        )
    if not isinstance(version, int) or version > VERSION:
        raise DefinitionError(
            f"{str(file)!r} has version {version!r} of the record, and this dagorch reads up to "
            f"{VERSION}; read it with a later one"
        )
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DefinitionError(
            f"{str(file)!r} is no whole record of a run: {place}: {first['msg']}"
        ) from error


def _version(text: str) -> Any:
    """Give the version that a record says it has; None if it is no record."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("format") != "dagorch-run":
        return None
    return data.get("version")
