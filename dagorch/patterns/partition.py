"""Divide items among readers, and a reader's bytes among texts."""

from __future__ import annotations

from collections.abc import Sequence

from dagorch.models.truncate import truncate_at_sentence
from dagorch.patterns.agent_count import check_agent_count

__all__ = ["fit_texts", "join_texts", "partition"]


def partition(items: int, readers: int) -> list[list[int]]:
    """
    Divide item numbers round robin into one share per reader, none of them empty.

    With more readers than items there are only as many shares as items.

    Raises:
        DefinitionError: There are more than 10,000 items.

    Example:
        >>> partition(5, 2), partition(2, 3)
        ([[0, 2, 4], [1, 3]], [[0], [1]])
    """
    check_agent_count(items)
    count = min(items, readers)
    return [list(range(first, items, count)) for first in range(count)]


def join_texts(texts: Sequence[str], max_bytes: int) -> str:
    r"""
    Join texts as paragraphs, cut to fit; several texts are numbered.

    Example:
        >>> join_texts(["Bees dance.", "Ants smell."], 100)
        '1. Bees dance.\n\n2. Ants smell.'
        >>> join_texts(["Short.", "This one is a good deal longer."], 24)
        '1. Short.\n\n2. This one is a…'
    """
    cut = fit_texts(texts, max_bytes)
    if len(cut) == 1:
        return cut[0]
    return "\n\n".join(f"{number}. {text}" for number, text in enumerate(cut, 1))


def fit_texts(texts: Sequence[str], max_bytes: int) -> list[str]:
    """
    Cut texts so that their sum fits; long texts get the bytes that short ones do not need.

    Example:
        >>> fit_texts(["Short.", "This one is a good deal longer."], 24)
        ['Short.', 'This one is a…']
    """
    wanted = [len(text.strip().encode()) for text in texts]
    sizes = [0] * len(texts)
    remaining = max_bytes
    for place in sorted(range(len(texts)), key=wanted.__getitem__):
        unsized = len(texts) - sum(1 for size in sizes if size)
        sizes[place] = max(1, min(wanted[place], remaining // max(1, unsized)))
        remaining -= sizes[place]
    return [
        truncate_at_sentence(text, size, in_bytes=True)
        for text, size in zip(texts, sizes, strict=True)
    ]
