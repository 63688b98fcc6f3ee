"""
Export graphs, runs and events: pictures, text, GraphML, JSON lines, server-sent events, traces.

Each name is imported at its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagorch.lazy_exports import lazy_exports

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

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dagorch.exporters.critical": "CriticalStep critical_path",
        "dagorch.exporters.files": "ENDINGS write",
        "dagorch.exporters.listeners.events": "ConsoleLines JsonLines to_json to_sse",
        "dagorch.exporters.listeners.logs": "LogLines",
        "dagorch.exporters.listeners.traces": "TraceSpans",
        "dagorch.exporters.network": "to_graphml to_networkx",
        "dagorch.exporters.pictures.dot": "to_dot",
        "dagorch.exporters.pictures.mermaid": "to_mermaid",
        "dagorch.exporters.pictures.picture": "to_pdf to_png to_svg",
        "dagorch.exporters.pictures.text": "to_text",
        "dagorch.exporters.report.html": "to_html_report",
        "dagorch.exporters.report.record": "RunRecord read_record write_record",
        "dagorch.exporters.report.recorder": "Recorder",
        "dagorch.exporters.report.timeline": "to_timeline",
        "dagorch.exporters.report.timeline_svg": "to_timeline_svg",
    },
)
