"""LLM steps that make a list of questions, and that ask one of a list. No graph here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema

from dagorch.errors import InvalidOutputError
from dagorch.models.llm import LLMResponse
from dagorch.nodes.llm import LLM
from dagorch.nodes.signature import ParameterSpec
from dagorch.patterns.dealing import MOST_CHARACTERS, is_question

__all__ = ["AskOne", "Planning", "plan_type"]


@dataclass(frozen=True, slots=True)
class AskOne(LLM[str]):
    """An LLM step that is given a list of questions and asks one of them."""

    place: int = 0

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The inputs of its prompt, with the whole list for the one."""
        return tuple(
            ParameterSpec("questions", list[str]) if spec.name == "question" else spec
            for spec in LLM.parameters(self)
        )

    def opening(self, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The turns, with its own question filled in."""
        return LLM.opening(self, {**inputs, "question": inputs["questions"][self.place]})


@dataclass(frozen=True, slots=True)
class Planning(LLM[Any]):
    """An LLM step that wants questions as JSON, and takes them from a plain list as well."""

    def parse(self, response: LLMResponse) -> Any:
        """Read the reply; one that does not fit will do if it has questions in lines or quotes."""
        try:
            return LLM.parse(self, response)
        except InvalidOutputError:
            found = [text for text in re.split(r'["\n]', response.content) if is_question(text)]
            if not found:
                raise
            return found


@lru_cache(maxsize=64)
def plan_type(count: int | None) -> Any:
    """The planner's output: anything in a list called `questions`, though texts are asked for."""
    schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
    if count is not None:
        short = {"type": "string", "maxLength": MOST_CHARACTERS}
        schema |= {"items": short, "minItems": count, "maxItems": count}

    class Questions(BaseModel):
        questions: Annotated[list[Any], WithJsonSchema(schema)]

    return Questions
