"""
A graph as a notebook shows it: a picture, or its text if it cannot be drawn.

The picture is drawn by `exporters/`, imported when used. This file and `run_methods.py` are the
two that import from higher floors, see `docs/adr/0036`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["NotebookDisplay"]


class NotebookDisplay:
    """Shows a `Graph` in a notebook."""

    __slots__ = ()

    def _repr_mimebundle_(self: Any, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """
        Return the graph as SVG and as text; as text alone if it cannot be drawn.

        It never raises: a notebook would show the traceback instead of the cell's value.
        """
        try:
            from dagorch.exporters.pictures.picture import to_svg

            return {"image/svg+xml": to_svg(self, portable=True), "text/plain": repr(self)}
        except Exception as error:  # a graph that is not finished, or no program to draw with
            return {"text/plain": f"{self!r}\n{type(error).__name__}: {error}"}
