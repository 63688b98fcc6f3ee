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

_NAMES = {
    "critical": "CriticalStep critical_path",
    "files": "ENDINGS write",
    "listeners.events": "ConsoleLines JsonLines to_json to_sse",
    "listeners.logs": "LogLines",
    "listeners.traces": "TraceSpans",
    "network": "to_graphml to_networkx",
    "pictures.dot": "to_dot",
    "pictures.mermaid": "to_mermaid",
    "pictures.picture": "to_pdf to_png to_svg",
    "pictures.text": "to_text",
    "report.html": "to_html_report",
    "report.record": "RunRecord read_record write_record",
    "report.recorder": "Recorder",
    "report.timeline": "to_timeline",
    "report.timeline_svg": "to_timeline_svg",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
