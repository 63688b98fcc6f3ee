"""Steps that make a list of questions, and that ask one of a list. No graph here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema

from dagorch.errors import InvalidOutputError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.nodes.llm import LLM
from dagorch.nodes.signature import ParameterSpec
from dagorch.patterns.partition import MAX_CHARACTERS, deal_questions, is_question

__all__ = ["AskOne", "Planning", "Questions", "dealt"]


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


class Questions(BaseModel):
    """The planner's output: anything in a list, though texts are asked for."""

    questions: Annotated[list[Any], WithJsonSchema({"type": "array", "items": {"type": "string"}})]


@dataclass(frozen=True, slots=True)
class Planning(LLM[Any]):
    """
    An LLM step that wants `Questions` as JSON, and takes them from a plain list as well.

    Args:
        exact: How many the schema demands; None: that is left to the prompt.
    """

    exact: int | None = field(default=None, kw_only=True)

    def settings(self, failed: BaseException | None = None) -> LLMRequest:
        """A request whose schema demands so many questions."""
        request = LLM.settings(self, failed)
        if self.exact is None:
            return request
        questions = {
            "type": "array",
            "items": {"type": "string", "maxLength": MAX_CHARACTERS},
            "minItems": self.exact,
            "maxItems": self.exact,
        }
        schema = {**(request.json_schema or {}), "properties": {"questions": questions}}
        return replace(request, json_schema=schema)

    def parse(self, response: LLMResponse) -> Any:
        """Read the reply; one that does not fit will do if it has questions in lines or quotes."""
        try:
            return LLM.parse(self, response)
        except InvalidOutputError:
            found = [text for text in re.split(r'["\n]', response.content) if is_question(text)]
            if not found:
                raise
            return found


def dealt(plan: Any, task: str, count: int) -> list[str]:
    """Give exactly so many questions: those of the plan, and others on the task."""
    return deal_questions(getattr(plan, "questions", plan), task, count)
