"""
The record of a run: everything worth keeping, as one JSON document.

This module has the data model and the file. `recorder.py` makes records; the timeline and the
report read them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    JsonValue,
    ValidationError,
    field_validator,
)

from dagorch.errors import DefinitionError
from dagorch.exporters.critical import CriticalStep
from dagorch.exporters.pictures.drawing import Drawing
from dagorch.models.result import End
from dagorch.models.usage import NOTHING_USED, Usage
from dagorch.private_files import private_write

__all__ = [
    "VERSION", "AttemptRecord", "EventRecord", "ExchangeRecord", "MessageRecord", "NodeRecord",
    "RunRecord", "read_record", "write_record",
]  # fmt: skip

VERSION: Final = 2
"""The version of the format. Older versions are converted on reading, newer ones are refused."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class AttemptRecord(_Record):
    """One attempt of a node run."""

    number: int
    started_seconds: float | None = None
    """Since the run's start, like all times here; None if no listener recorded it."""
    ended_seconds: float | None = None
    error: str = ""
    retry_at_seconds: float | None = None
    """When the next attempt was due; None if there was none."""
    service: str = ""
    """Of the last provider call; empty without calls."""
    model: str = ""
    usage: Usage = NOTHING_USED


class NodeRecord(_Record):
    """One node run."""

    path: str
    kind: str
    tier: str = ""
    """The role of the agent; empty if the workflow has no roles."""
    end: End
    ready_seconds: float | None
    started_seconds: float | None
    ended_seconds: float
    attempts: tuple[AttemptRecord, ...] = ()
    """Empty for containers, such as a loop."""
    usage: Usage = NOTHING_USED
    error: str = ""
    recovered_from: str = ""
    reason: str = ""
    value: JsonValue = None
    """The value, if the run kept it. A long one is cut, and is then its JSON text."""
    value_chars_omitted: int = 0
    """Characters cut from the value's JSON."""


class MessageRecord(_Record):
    """A message of a conversation with a model."""

    role: str
    content: str
    images: tuple[str, ...] = ()
    """Addresses; a `data:` address is cut."""
    tool_calls: tuple[str, ...] = ()
    """As `name(arguments)`."""


class ExchangeRecord(_Record):
    """A prompt and its reply."""

    path: str
    attempt: int
    service: str
    model: str
    started_seconds: float
    ended_seconds: float
    messages: tuple[MessageRecord, ...] = ()
    reply: str = ""
    tool_calls: tuple[str, ...] = ()
    finish_reason: str = ""
    """Empty if no reply arrived, after a failure or a cancellation."""
    error: str = ""
    usage: Usage = NOTHING_USED


class EventRecord(_Record):
    """One event, without its text, prompt and reply, which the record has elsewhere."""

    number: int
    seconds: float
    type: str
    path: str = ""
    attempt: int = 0
    data: dict[str, JsonValue] = {}


class RunRecord(_Record):
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

    # A drawing has fields of other types while it is made; they are empty in a record.
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    format: Literal["dagorch-run"] = "dagorch-run"
    version: int = VERSION
    run_id: str
    title: str
    """The graph's name."""
    task: str = ""
    status: str
    error: str = ""
    """The error that stopped the run; empty if none did."""
    started_at: AwareDatetime
    """UTC."""
    duration_seconds: float
    output: JsonValue = None
    output_chars_omitted: int = 0
    """Characters cut from the output's JSON."""
    usage: Usage
    usage_by_model: dict[str, Usage] = {}
    """By `service:model`."""
    usage_by_tier: dict[str, Usage] = {}
    """By the role of agents; empty if the workflow has no roles."""
    graph: Drawing | None = None
    """The graph as it unrolled; None if the result has no graph."""
    critical_path: tuple[CriticalStep, ...] = ()
    node_runs: tuple[NodeRecord, ...] = ()
    exchanges: tuple[ExchangeRecord, ...] = ()
    """In the order of their ends; empty if no listener recorded them."""
    events: tuple[EventRecord, ...] = ()
    """All but tokens; empty if no listener recorded them."""
    events_omitted: int = 0
    """Events that were too many, or too fast for the recorder."""

    @field_validator("graph")
    @classmethod
    def _check_graph(cls, graph: Drawing | None) -> Drawing | None:
        if graph is not None:
            graph.check()
        return graph


def write_record(record: RunRecord, path: str | PathLike[str]) -> Path:
    """
    Write a record into a file as JSON. An existing file is replaced; only you may read a new one.

    Raises:
        DefinitionError: The file cannot be written.
    """
    file = Path(path)
    private_write(file, (record.model_dump_json() + "\n").encode("utf-8"), named=True)
    return file


def read_record(path: str | PathLike[str]) -> RunRecord:
    """
    Read a record from its file, of this version or an older one.

    Raises:
        DefinitionError: The file cannot be read, is not the record of a run, or is of a newer
            version of dagorch.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DefinitionError(f"cannot read {str(file)!r}: {reason}") from error
    data = _parse(text)
    version = data.get("version")
    if version is None:
        raise DefinitionError(
            f"{str(file)!r} is not the record of a run; `dagorch run ... --report run.json` writes "
            "one"
        )
    if not isinstance(version, int) or version > VERSION:
        raise DefinitionError(
            f"{str(file)!r} has version {version!r} of the record format; this version of dagorch "
            f"reads up to {VERSION}; read it with a newer one"
        )
    if version < VERSION:
        text = json.dumps(_upgraded(data) | {"version": VERSION})
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise DefinitionError(
            f"{str(file)!r} is not a valid record of a run: {field}: {first['msg']}"
        ) from error


def _parse(text: str) -> dict[str, Any]:
    """Parse the JSON of a record; an empty dict if it is not one."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) and data.get("format") == "dagorch-run" else {}


# -- older versions -----------------------------------------------------------------------------

_RENAMED_IN_2: Final[Mapping[str, Mapping[str, str]]] = {
    "": {"output_left_out": "output_chars_omitted", "events_left_out": "events_omitted"},
    "/node_runs": {"value_left_out": "value_chars_omitted"},
    "/node_runs/attempts": {"retry_seconds": "retry_at_seconds"},
}
"""New names of fields, by the place of their object."""


def _upgraded(value: Any, place: str = "") -> Any:
    """Convert version 1. Invalid values stay unchanged, for the validation to report."""
    if isinstance(value, list):
        return [_upgraded(item, place) for item in value]
    names = _RENAMED_IN_2.get(place)
    if names is None or not isinstance(value, dict):
        return value
    return {names.get(key, key): _upgraded(field, f"{place}/{key}") for key, field in value.items()}
