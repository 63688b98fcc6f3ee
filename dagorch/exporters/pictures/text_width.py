"""Text measured in the cells of a terminal, where some characters take two. No layout here."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

__all__ = ["cell_len", "cut", "pad", "set_cell_size"]


def cut(text: str, cells: int) -> str:
    """
    Shorten a text in its middle, where ids differ least, so that it fits.

    Args:
        text: One line, without control characters.
        cells: At least 1.

    Example:
        >>> cut("a_rather_long_name_of_7", 13), cut("短い名前です", 7)
        ('a_rath…e_of_7', '短…す')
    """
    if cell_len(text) <= cells:
        return text
    left = (cells - 1) // 2
    begins = set_cell_size(text, left).rstrip()
    right = cells - 1 - left
    ends = text[-right:] if right else ""
    while cell_len(ends) > right:
        ends = ends[1:]
    return f"{begins}…{ends}"


def pad(text: str, cells: int) -> str:
    """
    Fill a text up with blanks, or shorten it, to exactly so many cells.

    Example:
        >>> pad("ab", 4), pad("短い名前", 4)
        ('ab  ', '…前 ')
    """
    text = cut(text, cells)
    return text + " " * (cells - cell_len(text))
