"""
Export graphs, runs and events: pictures, text, GraphML, JSON lines, server-sent events, traces.

Each name is imported at its first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagorch.exporters.critical import CriticalStep, critical_path
    from dagorch.exporters.files import ENDINGS, write
    from dagorch.exporters.listeners.events import ConsoleLines, JsonLines, to_json, to_sse
    from dagorch.exporters.listeners.logs import LogLines
    from dagorch.exporters.listeners.traces import TraceSpans
    from dagorch.exporters.network import to_graphml, to_networkx
    from dagorch.exporters.pictures.dot import to_dot
    from dagorch.exporters.pictures.mermaid import to_mermaid
    from dagorch.exporters.pictures.picture import to_pdf, to_png, to_svg
    from dagorch.exporters.pictures.text import to_text
    from dagorch.exporters.report.html import to_html_report
    from dagorch.exporters.report.record import RunRecord, read_record, write_record
    from dagorch.exporters.report.recorder import Recorder
    from dagorch.exporters.report.timeline import to_timeline
    from dagorch.exporters.report.timeline_svg import to_timeline_svg

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

_MODULES = {
    "ConsoleLines": "listeners.events",
    "CriticalStep": "critical",
    "ENDINGS": "files",
    "JsonLines": "listeners.events",
    "LogLines": "listeners.logs",
    "Recorder": "report.recorder",
    "RunRecord": "report.record",
    "TraceSpans": "listeners.traces",
    "critical_path": "critical",
    "read_record": "report.record",
    "to_dot": "pictures.dot",
    "to_graphml": "network",
    "to_html_report": "report.html",
    "to_json": "listeners.events",
    "to_mermaid": "pictures.mermaid",
    "to_networkx": "network",
    "to_pdf": "pictures.picture",
    "to_png": "pictures.picture",
    "to_sse": "listeners.events",
    "to_svg": "pictures.picture",
    "to_text": "pictures.text",
    "to_timeline": "report.timeline",
    "to_timeline_svg": "report.timeline_svg",
    "write": "files",
    "write_record": "report.record",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
