"""A model's decision between words: what it may say, and how what it says is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from dagorch.errors import InvalidOutputError
from dagorch.models.llm import LLMResponse
from dagorch.models.policy import Policy
from dagorch.nodes.llm import LLM

__all__ = ["YES_OR_NO", "Deciding", "deciding"]

YES_OR_NO: Final = (("yes", "true"), ("no", "false"))


@dataclass(frozen=True, slots=True)
class Deciding(LLM[Any]):
    """
    An LLM step whose value is the label of the word that the model chose.

    A reply that is no JSON will do if it begins with one of the words, or names only one.

    Example:
        >>> node = Deciding("ask", prompt="Is it?", labels=(("yes", "true"), ("no", "false")))
        >>> node.parse(LLMResponse("**No**, it is not.", "m"))
        'false'
    """

    labels: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    """Words that a reply may have, each with the label it stands for."""

    def parse(self, response: LLMResponse) -> Any:
        """Read the reply; one that names no word, or several, fails and is asked for again."""
        words = {word.casefold(): label for word, label in self.labels}
        try:
            return words[str(LLM.parse(self, response)).casefold()]
        except (InvalidOutputError, KeyError):
            said = response.content.casefold()
            spoken = sorted(words, key=len, reverse=True)  # `code review` before `code`
            pattern = "|".join(map(re.escape, spoken))
            found = re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", said)
            opening = re.match(rf"\W*({pattern})(?!\w)", said)
            if opening is None and len(set(found)) != 1:
                listed = ", ".join(word for word, _ in self.labels)
                raise InvalidOutputError(
                    f"the reply to LLM node {self.id!r} is not one of these words: {listed}",
                    reply=response.content,
                ) from None
            return words[opening[1] if opening else found[0]]


def deciding(
    id: str, labels: tuple[tuple[str, str], ...], asking: Mapping[str, Any], policy: Policy
) -> tuple[Deciding, str]:
    """Give a node that decides between these words, and the words as its prompt lists them."""
    words = tuple(word for word, _ in labels)
    output: Any = Literal[words]
    return Deciding(id, labels=labels, output=output, policy=policy, **asking), ", ".join(words)
