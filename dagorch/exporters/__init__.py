"""Pictures of graphs and runs: DOT, Mermaid, SVG, PNG. A name is imported at its first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagorch.exporters.dot import to_dot
    from dagorch.exporters.files import ENDINGS, write
    from dagorch.exporters.mermaid import to_mermaid
    from dagorch.exporters.picture import to_png, to_svg

__all__ = ["ENDINGS", "to_dot", "to_mermaid", "to_png", "to_svg", "write"]

_HOMES = {
    "ENDINGS": "files",
    "to_dot": "dot",
    "to_mermaid": "mermaid",
    "to_png": "picture",
    "to_svg": "picture",
    "write": "files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
