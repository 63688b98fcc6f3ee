"""
Graphs, runs and events for others to see: pictures, text, GraphML, JSON lines, server-sent events.

A name is imported at its first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagorch.exporters.critical import CriticalStep, critical_path
    from dagorch.exporters.dot import to_dot
    from dagorch.exporters.events import ConsoleLines, JsonLines, to_json, to_sse
    from dagorch.exporters.files import ENDINGS, write
    from dagorch.exporters.logs import LogLines
    from dagorch.exporters.mermaid import to_mermaid
    from dagorch.exporters.network import to_graphml, to_networkx
    from dagorch.exporters.picture import to_pdf, to_png, to_svg
    from dagorch.exporters.record import RunRecord, read_record, write_record
    from dagorch.exporters.recorder import Recorder
    from dagorch.exporters.report import to_html_report
    from dagorch.exporters.text import to_text
    from dagorch.exporters.timeline import to_timeline
    from dagorch.exporters.timeline_svg import to_timeline_svg
    from dagorch.exporters.traces import TraceSpans

__all__ = [
    "ENDINGS",
    "ConsoleLines",
    "CriticalStep",
    "JsonLines",
    "LogLines",
    "Recorder",
    "RunRecord",
    "TraceSpans",
    "critical_path",
    "read_record",
    "to_dot",
    "to_graphml",
    "to_html_report",
    "to_json",
    "to_mermaid",
    "to_networkx",
    "to_pdf",
    "to_png",
    "to_sse",
    "to_svg",
    "to_text",
    "to_timeline",
    "to_timeline_svg",
    "write",
    "write_record",
]

_HOMES = {
    "ConsoleLines": "events",
    "CriticalStep": "critical",
    "ENDINGS": "files",
    "JsonLines": "events",
    "LogLines": "logs",
    "Recorder": "recorder",
    "RunRecord": "record",
    "TraceSpans": "traces",
    "critical_path": "critical",
    "read_record": "record",
    "to_dot": "dot",
    "to_graphml": "network",
    "to_html_report": "report",
    "to_json": "events",
    "to_mermaid": "mermaid",
    "to_networkx": "network",
    "to_pdf": "picture",
    "to_png": "picture",
    "to_sse": "events",
    "to_svg": "picture",
    "to_text": "text",
    "to_timeline": "timeline",
    "to_timeline_svg": "timeline_svg",
    "write": "files",
    "write_record": "record",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
