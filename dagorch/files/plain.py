"""Plain data: what JSON and YAML hold, and what they do not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from dagorch.errors import DefinitionError
from dagorch.files.syntax import MAX_DIGITS
from dagorch.nodes.types import type_name

__all__ = ["plain"]

_LONE: Final = re.compile("[\ud800-\udfff]")
_MAX_DEPTH: Final = 50


def plain(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """
    Give a value as a file holds it: tuples as lists.

    Raises:
        DefinitionError: A file cannot hold it; the message tells what to do.

    Example:
        >>> plain({"pair": (1, None)})
        {'pair': [1, None]}
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if _LONE.search(value):
            raise DefinitionError("a text with half a character (a lone surrogate) is no text")
        return str.__str__(value)
    if isinstance(value, int) and abs(value) < 10**MAX_DIGITS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, int | float):
        raise DefinitionError(
            f"the number {value:.6g} is not finite, or has more than {MAX_DIGITS} digits"
        )
    if depth == 0:
        raise DefinitionError(f"values nest {_MAX_DEPTH} deep at most")
    if isinstance(value, list | tuple):
        return [plain(item, depth - 1) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {plain(key): plain(item, depth - 1) for key, item in value.items()}
    raise DefinitionError(
        f"{type_name(type(value))} is not plain data; give texts, numbers, lists and mappings of "
        "text, or let a function node make it"
    )
