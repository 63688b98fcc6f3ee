"""LLM nodes that plan questions, and that answer one question of a plan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema

from dagorch.errors import InvalidOutputError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.nodes.llm import LLM, parse_json
from dagorch.nodes.signature import ParameterSpec
from dagorch.patterns.questions import MAX_CHARACTERS, exact_questions, is_question

__all__ = ["PlannerLLM", "QuestionLLM", "Questions", "questions_of_plan"]


class Questions(BaseModel):
    """The planner's output; the schema asks for strings, but any items are accepted."""

    questions: Annotated[list[Any], WithJsonSchema({"type": "array", "items": {"type": "string"}})]


@dataclass(frozen=True, slots=True)
class PlannerLLM(LLM[Any]):
    """
    An LLM node that returns `Questions`, or a plain list of them.

    Args:
        exact: The number of questions that the schema requires; None leaves it to the prompt.
    """

    exact: int | None = field(default=None, kw_only=True)

    def settings(self, failed: BaseException | None = None) -> LLMRequest:
        """Build the request, with the number of questions in its schema."""
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
        """Parse the reply: `Questions`, a JSON list, or the questions in its lines or quotes."""
        try:
            return LLM.parse(self, response)
        except InvalidOutputError:
            with suppress(InvalidOutputError):
                if listed := parse_json(list[Any], response, self.id):
                    return listed
            found = [text for text in re.split(r'["\n]', response.content) if is_question(text)]
            if not found:
                raise
            return found


@dataclass(frozen=True, slots=True)
class QuestionLLM(LLM[str]):
    """An LLM node whose input is a list of questions, of which its prompt shows one."""

    index: int = 0

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Return the inputs of the prompt, with the list `questions` in place of `question`."""
        return tuple(
            ParameterSpec("questions", list[str]) if spec.name == "question" else spec
            for spec in LLM.parameters(self)
        )

    def opening(self, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the first messages, with the node's own question."""
        return LLM.opening(self, {**inputs, "question": inputs["questions"][self.index]})


def questions_of_plan(plan: Any, task: str, count: int) -> list[str]:
    """Return exactly `count` questions: those of the plan, then others about the task."""
    return exact_questions(getattr(plan, "questions", plan), task, count)
