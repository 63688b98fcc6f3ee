"""`dagorch providers`: every provider, whether it is ready, and what it needs."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dagorch.cli.streams import print_out, render
from dagorch.providers import ProviderFactory

__all__ = ["list_providers"]


def list_providers() -> None:
    """Print a line for each provider, the ready ones first. Sends no request."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("provider", "ready", "default model", "what is missing"):
        table.add_column(heading, overflow="fold")
    for info in sorted(ProviderFactory.list_providers(), key=lambda info: not info.ready):
        ready = Text("yes", "green") if info.ready else Text("no", "dim")
        table.add_row(Text(info.name), ready, Text(info.default_model), Text(info.missing))
    print_out(render(Console(highlight=False), table), end="")
