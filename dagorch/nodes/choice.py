"""A model's choice between words: which words it may reply with, and how a reply is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from dagorch.errors import InvalidOutputError
from dagorch.models.llm import LLMResponse
from dagorch.models.policy import Policy
from dagorch.nodes.llm import LLM

__all__ = ["YES_OR_NO", "Choice", "choice_node"]

YES_OR_NO: Final = (("yes", "true"), ("no", "false"))


@dataclass(frozen=True, slots=True)
class Choice(LLM[Any]):
    """
    An LLM step whose value is the label of the word that the model chose.

    A reply that is not JSON is accepted if it begins with one of the words, or has only one.

    Example:
        >>> node = Choice("ask", prompt="Is it?", labels=(("yes", "true"), ("no", "false")))
        >>> node.parse(LLMResponse("**No**, it is not.", "m"))
        'false'
    """

    labels: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    """The words that a reply may have, each with its label."""

    def parse(self, response: LLMResponse) -> Any:
        """Return the label of a reply; raise `InvalidOutputError` for no word, or several."""
        words = {word.casefold(): label for word, label in self.labels}
        try:
            return words[str(LLM.parse(self, response)).casefold()]
        except (InvalidOutputError, KeyError):
            text = response.content.casefold()
            longest_first = sorted(words, key=len, reverse=True)  # `code review` before `code`
            pattern = "|".join(map(re.escape, longest_first))
            found = re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", text)
            opening = re.match(rf"\W*({pattern})(?!\w)", text)
            if opening is None and len(set(found)) != 1:
                listed = ", ".join(word for word, _ in self.labels)
                raise InvalidOutputError(
                    f"the reply to LLM node {self.id!r} is not one of these words: {listed}",
                    reply=response.content,
                ) from None
            return words[opening[1] if opening else found[0]]


def choice_node(
    id: str, labels: tuple[tuple[str, str], ...], options: Mapping[str, Any], policy: Policy
) -> tuple[Choice, str]:
    """Return a node that chooses between words, and the words as its prompt lists them."""
    words = tuple(word for word, _ in labels)
    output: Any = Literal[words]
    return Choice(id, labels=labels, output=output, policy=policy, **options), ", ".join(words)
