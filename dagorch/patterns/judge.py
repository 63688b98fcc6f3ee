"""
The judge of an Iterative: a model that provides the fields that a convergence function reads.

A pass by a model returns text. If the function reads `results["score"]` and the reply has no such
field, the judge is asked for it, and the function is called again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from dagorch.errors import InvalidOutputError, RunError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.nodes.llm import LLM
from dagorch.nodes.signature import ParameterSpec
from dagorch.patterns.loop_state import Pass, json_fields

__all__ = ["JudgeLLM", "ReadResults", "with_judgement"]

_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(?:\s*(%)|\s*/\s*(\d+))?")
_SCORE: Final = "score"
_REASON: Final = "reason"
_PLAIN_NUMBER: Final = ""
"""The key of a reply that is only a number: it is the value of the field that was asked for."""
_MEANINGS: Final = {_SCORE: "a number from 0 (useless) to 1 (nothing is missing)"}
_MEANING: Final = "a number from 0 to 1, true or false, or a short text, as its name suggests"


class ReadResults(dict[str, Any]):
    """
    The results of a pass by a model, which record the fields that are read and missing.

    Fields can also be read as attributes.

    Example:
        >>> results = ReadResults(content="Bees dance.")
        >>> results.content, results.get("score"), results.missing
        ('Bees dance.', None, ['score'])
    """

    missing: list[str]

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        super().__setattr__("missing", [])

    def __missing__(self, name: str) -> Any:
        self._has(name)
        raise KeyError(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not self._has(name):
            raise AttributeError(f"the results have no field {name!r}")
        return self[name]

    def __contains__(self, name: object) -> bool:
        return self._has(name)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if self._has(name) else default

    def _has(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        if isinstance(name, str) and name and name not in self.missing:
            self.missing.append(name)
        return False


@dataclass(frozen=True, slots=True)
class JudgeLLM(LLM[Any]):
    """An LLM node that reads the `Pass` in `checked`, and returns its missing fields."""

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Return the inputs of the prompt, with `checked` in place of the answer and the fields."""
        others = [s for s in LLM.parameters(self) if s.name not in ("answer", "fields")]
        return (ParameterSpec("checked", Pass), *others)

    def opening(self, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the first messages, with the answer and the fields filled in."""
        checked: Pass = inputs["checked"]
        fields = ", ".join(f'"{name}": {_MEANINGS.get(name, _MEANING)}' for name in checked.missing)
        return LLM.opening(self, {**inputs, "answer": checked.text, "fields": fields})

    def request(self, inputs: Mapping[str, Any], failed: BaseException | None = None) -> LLMRequest:
        """Build the request, with the missing fields in its schema."""
        value: dict[str, Any] = {
            "anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "string"}]
        }
        number = {"type": "number"}
        names = inputs["checked"].missing
        properties = {_REASON: {"type": "string"}} | {
            name: number if name == _SCORE else value for name in names if name != _REASON
        }
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return replace(LLM.request(self, inputs, failed), json_schema=schema)

    def parse(self, response: LLMResponse) -> Any:
        """Return the fields of a JSON object in the reply, else its first number."""
        fields = json_fields(response.content)
        if not fields:
            fields = {_PLAIN_NUMBER: response.content, _REASON: response.content}
        for name in (_SCORE, _PLAIN_NUMBER):
            if name in fields:
                fields[name] = self._score(fields[name], response)
        return fields

    def _score(self, value: Any, response: LLMResponse) -> float:
        """Return a score from 0 to 1 that is written as a number, `8/10` or `80%`."""
        found = _NUMBER.search(value if isinstance(value, str) else json.dumps(value))
        if found is not None and not isinstance(value, bool):
            number, percent, whole = found.groups()
            score = float(number) / (100 if percent else float(whole or 1) or 1)
            if 0 <= score <= 1:
                return score
        raise InvalidOutputError(
            f"the reply to LLM node {self.id!r} has no score from 0 to 1: {str(value)!r:.80}",
            reply=response.content,
        )


def with_judgement(checked: Pass, judgement: Mapping[str, Any]) -> ReadResults:
    """
    Return the results of a pass with the fields that the judge was asked for, and its reason.

    Raises:
        RunError: The judge did not provide one of them.

    Example:
        >>> checked = Pass(1, {"content": "Bees dance."}, missing=("score",))
        >>> with_judgement(checked, {"score": 0.4, "reason": "too short", "content": "mine"})
        {'content': 'Bees dance.', 'score': 0.4, 'reason': 'too short'}
    """
    provided = dict(judgement)
    if _PLAIN_NUMBER in provided:
        provided[checked.missing[0]] = provided.pop(_PLAIN_NUMBER)
    absent = [name for name in checked.missing if name not in provided]
    if absent:
        error = RunError(
            f"the convergence function reads {', '.join(map(repr, absent))} of the results, which "
            "neither the pass nor the judge provides; read results['score'], or pass a handler "
            "that returns it"
        )
        error.retryable = False
        raise error
    results = ReadResults(checked.results)
    results.update({name: provided[name] for name in checked.missing})
    results.setdefault(_REASON, provided.get(_REASON, ""))
    return results
