"""Conversion of Python values to plain data, which JSON and YAML can hold."""

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
    Return a value as a file holds it, with lists instead of tuples.

    Raises:
        DefinitionError: A file cannot hold it. The message says what to do.

    Example:
        >>> plain({"pair": (1, None)})
        {'pair': [1, None]}
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if _LONE.search(value):
            raise DefinitionError("the text has half a character (a lone surrogate); remove it")
        return str.__str__(value)
    if isinstance(value, int) and abs(value) < 10**MAX_DIGITS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, int | float):
        raise DefinitionError(
            f"the number {value:.6g} is not finite, or has more than {MAX_DIGITS} "
            "digits; pass it as text"
        )
    if depth == 0:
        raise DefinitionError(f"values nest more than {_MAX_DEPTH} deep; flatten them")
    if isinstance(value, list | tuple):
        return [plain(item, depth - 1) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {plain(key): plain(item, depth - 1) for key, item in value.items()}
    raise DefinitionError(
        f"{type_name(type(value))} is not plain data; use text, numbers, lists and mappings with "
        "text keys, or return it from a function node"
    )
