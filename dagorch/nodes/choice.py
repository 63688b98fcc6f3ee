"""A model's choice between words: which words it may reply with, and how a reply is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from dagorch.errors import DefinitionError, InvalidOutputError
from dagorch.models.several import several

__all__ = ["YES_OR_NO", "Choices", "chosen_label", "make_choices"]

Choices = tuple[tuple[str, str], ...]
"""The words that a reply may have, each with its label, which is the node's value."""

YES_OR_NO: Final = (("yes", "true"), ("no", "false"))


def make_choices(choices: Any, owner: str) -> Choices:
    """
    Return words with their labels; a word without one is its own label.

    Args:
        choices: A list of words, or a mapping or pairs of word to label.
        owner: The node, for the message.

    Raises:
        DefinitionError: No word is listed, a word is empty or not a text, or two words differ only
            in case. An empty tuple is the default: every reply is accepted.
    """
    listed = choices.items() if isinstance(choices, Mapping) else several(choices, owner)
    pairs = tuple([word if isinstance(word, tuple) else (word, word) for word in listed])
    if not pairs and choices != ():
        raise DefinitionError(f"{owner}={choices!r} has no word; leave it out to take any reply")
    if not all(
        len(pair) == 2 and all(isinstance(text, str) and text.strip() for text in pair)
        for pair in pairs
    ):
        raise DefinitionError(
            f"{owner}={choices!r:.60} must be a list of words, or a mapping of word to label"
        )
    if len({word.casefold() for word, _ in pairs}) != len(pairs):
        raise DefinitionError(f"{owner}={choices!r:.60} has a word twice; case does not count")
    return pairs


def chosen_label(reply: str, choices: Choices, node: str) -> str:
    """
    Return the label of the word in a reply: it is the reply, begins it, or is its only one.

    Raises:
        InvalidOutputError: No word, or more than one, fits.

    Example:
        >>> chosen_label("**No**, it is not.", YES_OR_NO, "ask")
        'false'
    """
    words = {word.casefold(): label for word, label in choices}
    text = reply.casefold()
    if text in words:
        return words[text]
    longest_first = sorted(words, key=len, reverse=True)  # `code review` before `code`
    pattern = "|".join(map(re.escape, longest_first))
    found = re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", text)
    opening = re.match(rf"\W*({pattern})(?!\w)", text)
    if opening is None and len(set(found)) != 1:
        listed = ", ".join(word for word, _ in choices)
        raise InvalidOutputError(
            f"the reply to LLM node {node!r} is not one of these words: {listed}", reply=reply
        )
    return words[opening[1] if opening else found[0]]
