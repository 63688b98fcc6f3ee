"""Text measured in the cells of a terminal, where some characters take two."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

__all__ = ["cell_len", "pad", "set_cell_size", "truncate_cells"]


def truncate_cells(text: str, cells: int) -> str:
    """
    Cut the middle of a text, where ids differ least, so that it fits.

    Args:
        text: One line, without control characters.
        cells: At least 1.

    Example:
        >>> truncate_cells("a_rather_long_name_of_7", 13), truncate_cells("短い名前です", 7)
        ('a_rath…e_of_7', '短…す')
    """
    if cell_len(text) <= cells:
        return text
    left = (cells - 1) // 2
    head = set_cell_size(text, left).rstrip()
    right = cells - 1 - left
    tail = text[-right:] if right else ""
    while cell_len(tail) > right:
        tail = tail[1:]
    return f"{head}…{tail}"


def pad(text: str, cells: int) -> str:
    """
    Fill a text with blanks, or cut it, to exactly this many cells.

    Example:
        >>> pad("ab", 4), pad("短い名前", 4)
        ('ab  ', '…前 ')
    """
    text = truncate_cells(text, cells)
    return text + " " * (cells - cell_len(text))
