"""
Turn a model's reply into an exact number of questions.

Pure functions that accept any input: no reply can change the number of agents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from dagorch.models.truncate import truncate_at_sentence
from dagorch.patterns.agent_count import check_agent_count

__all__ = ["MAX_CHARACTERS", "exact_questions", "is_question"]

MAX_CHARACTERS: Final = 300
"""The length of a question; a longer text is cut."""
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


def exact_questions(reply: Any, task: str, count: int) -> list[str]:
    """
    Return exactly `count` different questions about a task.

    The questions of the reply come first, without list marks and duplicates; texts that end like
    a question come before others. If there are too few, the task is asked from further angles.

    Args:
        reply: A model's reply, ideally a list of strings.
        task: The task.
        count: 1 to 10,000.

    Raises:
        DefinitionError: The count is above 10,000.

    Example:
        >>> reply = ["1. Do bees see polarised light?", "", 7, "- do bees see polarised light?"]
        >>> exact_questions(reply, "How do bees navigate?", 3)
        ['Do bees see polarised light?', 'How do bees navigate?',
         'What are the most important facts about this: How do bees navigate?']
    """
    check_agent_count(count)
    replied = [text for text in map(_tidy, _texts(reply)) if _is_meaningful(text)]
    replied.sort(key=lambda text: not is_question(text))
    questions: dict[str, str] = {}
    for question in chain(replied, _angles(truncate_at_sentence(task, MAX_CHARACTERS))):
        if len(questions) == count:
            break
        questions.setdefault(question.casefold(), question)
    return list(questions.values())


def is_question(text: str) -> bool:
    """
    Tell whether a text ends with a question mark of any script.

    Example:
        >>> is_question("2. Why do bees dance? "), is_question("They dance.")
        (True, False)
    """
    return text.strip().endswith(_QUESTION_MARKS)


def _texts(reply: Any) -> Iterator[str]:
    """Yield every string in a reply, in order, at any depth."""
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
    line = _LIST_MARK.sub("", " ".join(text.split())).strip("\"'`*_ ")
    return truncate_at_sentence(line, MAX_CHARACTERS)


def _is_meaningful(question: str) -> bool:
    """Accept two words or more, or characters of a script that is written without spaces."""
    letters = sum(character.isalnum() for character in question)
    return letters >= 3 and (" " in question or not question.isascii())


def _angles(task: str) -> Iterator[str]:
    for angle in _ANGLES:
        yield angle.format(task=task)
    number = len(_ANGLES)
    while True:
        number += 1
        yield f"What else is worth knowing, view {number}, about this: {task}"
