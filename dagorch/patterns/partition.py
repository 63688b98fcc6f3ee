"""
Dealing work to a tier: questions out of whatever a model replied, shares, texts cut to size.

Pure functions, total over their inputs: no reply of a model can make a tier larger or smaller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from dagorch.models.truncate import truncate_at_sentence

__all__ = ["MAX_CHARACTERS", "deal_questions", "fitted", "is_question", "joined", "shares"]

MAX_CHARACTERS: Final = 300
"""Of a question; what is longer is no question."""
_QUESTION_MARKS: Final = ("?", "\uff1f", "\u061f", "\u037e")
"""Latin, full-width, Arabic, Greek."""
_LIST_MARK: Final = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,3}[.):]|[Qq]\d{1,3}[.:)])\s+")
_ANGLES: Final = (
    "{task}",
    "What are the most important facts about this: {task}",
    "How does it work, and why: {task}",
    "Which examples, figures and evidence are there for this: {task}",
    "What is disputed or not known about this: {task}",
    "What follows from it in practice: {task}",
    "How did the understanding of it develop: {task}",
    "How does it compare with similar things: {task}",
)


def deal_questions(reply: Any, task: str, count: int) -> list[str]:
    """
    Give exactly `count` different questions on a task.

    Those of the reply come first, without list marks, blanks and repetitions, real questions
    before other texts; where there are too few, the task itself is asked from further angles.

    Args:
        reply: What a model made of the task: a list of texts, hopefully.
        task: What it is all about.
        count: At least 1.

    Example:
        >>> reply = ["1. Do bees see polarised light?", "", 7, "- do bees see polarised light?"]
        >>> deal_questions(reply, "How do bees navigate?", 3)
        ['Do bees see polarised light?', 'How do bees navigate?',
         'What are the most important facts about this: How do bees navigate?']
    """
    told = [text for text in map(_tidy, _texts(reply)) if _says_something(text)]
    told.sort(key=lambda text: not is_question(text))
    dealt: dict[str, str] = {}
    for question in chain(told, _angles(truncate_at_sentence(task, MAX_CHARACTERS))):
        if len(dealt) == count:
            break
        dealt.setdefault(question.casefold(), question)
    return list(dealt.values())


def is_question(text: str) -> bool:
    """
    Tell whether a text ends as a question does, in most scripts.

    Example:
        >>> is_question("2. Why do bees dance? "), is_question("They dance.")
        (True, False)
    """
    return text.strip().endswith(_QUESTION_MARKS)


def shares(items: int, readers: int) -> list[list[int]]:
    """
    Deal items round robin into as many shares as there are readers, but none empty.

    With more readers than items there are fewer shares than readers: they take turns.

    Example:
        >>> shares(5, 2), shares(2, 3)
        ([[0, 2, 4], [1, 3]], [[0], [1]])
    """
    count = min(items, readers)
    return [list(range(first, items, count)) for first in range(count)]


def joined(texts: Sequence[str], most_bytes: int) -> str:
    r"""
    Put texts one below the other, numbered if there are several, each cut to its part of the room.

    What short ones leave is the long ones'.

    Example:
        >>> joined(["Bees dance.", "Ants smell."], 100)
        '1. Bees dance.\n\n2. Ants smell.'
        >>> joined(["Short.", "This one is a good deal longer."], 24)
        '1. Short.\n\n2. This one is a…'
    """
    cut = fitted(texts, most_bytes)
    if len(cut) == 1:
        return cut[0]
    return "\n\n".join(f"{number}. {text}" for number, text in enumerate(cut, 1))


def fitted(texts: Sequence[str], most_bytes: int) -> list[str]:
    """
    Cut texts so that they fit together; what short ones leave is the long ones'.

    Example:
        >>> fitted(["Short.", "This one is a good deal longer."], 24)
        ['Short.', 'This one is a…']
    """
    wanted = [len(text.strip().encode()) for text in texts]
    room = most_bytes
    given = [0] * len(texts)
    for place in sorted(range(len(texts)), key=wanted.__getitem__):
        left = len(texts) - sum(1 for size in given if size)
        given[place] = max(1, min(wanted[place], room // max(1, left)))
        room -= given[place]
    return [
        truncate_at_sentence(text, size, in_bytes=True)
        for text, size in zip(texts, given, strict=True)
    ]


def _texts(reply: Any) -> Iterator[str]:
    """Every text in a reply, in order, however it is nested."""
    stack = [reply]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            stack.extend(reversed(list(item.values())))
        elif isinstance(item, list | tuple):
            stack.extend(reversed(item))


def _tidy(text: str) -> str:
    line = " ".join(text.split())
    line = _LIST_MARK.sub("", line).strip("\"'`*_ ")
    return truncate_at_sentence(line, MAX_CHARACTERS)


def _says_something(question: str) -> bool:
    """Whether it is more than a stray word: two words, or signs of a script without blanks."""
    letters = sum(character.isalnum() for character in question)
    return letters >= 3 and (" " in question or not question.isascii())


def _angles(task: str) -> Iterator[str]:
    for angle in _ANGLES:
        yield angle.format(task=task)
    number = len(_ANGLES)
    while True:
        number += 1
        yield f"What else is worth knowing, view {number}, about this: {task}"
