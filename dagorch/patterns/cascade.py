"""Dream Cascade as a graph: a plan, then three tiers, each reading its share of the one before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BaseModel, WithJsonSchema

from dagorch.errors import InvalidOutputError
from dagorch.graph.graph import Graph
from dagorch.models.llm import LLMResponse
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import Ref
from dagorch.nodes.llm import LLM
from dagorch.nodes.signature import ParameterSpec
from dagorch.patterns import cascade_prompts as prompts
from dagorch.patterns.dealing import (
    MOST_CHARACTERS,
    deal_questions,
    is_question,
    joined,
    shares,
)
from dagorch.patterns.room import AMPLE, TIGHT, Room

__all__ = ["AMPLE", "TIGHT", "Cascade", "Room", "Tier", "cascade_graph"]


@dataclass(frozen=True, slots=True)
class Tier:
    """The agents of one tier, and their model."""

    count: int = 1
    model: str = ""
    """As a run's router or provider knows it."""
    room: Room = AMPLE


@dataclass(frozen=True, slots=True)
class Cascade:
    """What a cascade is made of. The planner merges, too, if there is more than one camina."""

    planner: Tier = field(default_factory=Tier)
    belters: Tier = field(default_factory=lambda: Tier(3))
    drummers: Tier = field(default_factory=lambda: Tier(2))
    caminas: Tier = field(default_factory=Tier)


_READS: Final = {"drummer": "findings", "camina": "analyses", "merge": "reports"}
"""What each tier calls that which it reads, in its prompt."""


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


def cascade_graph(cascade: Cascade, task: str, policy: Policy = DEFAULT_POLICY) -> Graph:
    """
    Build the graph of a Dream Cascade; its value is the text of the answer.

    The counts are exact, whatever the replies look like: questions that a plan lacks are made
    from the task. An agent goes on with what is left of its share when one before it failed.

    Args:
        cascade: Tiers, models, sizes.
        task: What to find out; the default of the graph's input of that name.
        policy: Of every LLM node.

    Example:
        >>> graph = cascade_graph(Cascade(belters=Tier(2), drummers=Tier(1)), "Why is it blue?")
        >>> [node.id for node in graph]
        ['decompose', 'questions', 'belter_1', 'belter_2', 'findings', 'drummer_1',
         'analyses', 'camina_1']
    """
    graph = Graph("dream cascade")
    graph.input("task", str, default=task)
    planner, count = cascade.planner, cascade.belters.count
    agent = replace(policy, on_error="continue")

    def questions(plan: Any, task: str) -> list[str]:
        return deal_questions(getattr(plan, "questions", plan), task, count)

    exact = planner.room.exact_plan
    asking = _asking(planner, prompts.DECOMPOSE)
    asking["max_tokens"] = min(max(planner.room.write_tokens, 50 * count), 3_000)
    if exact:  # what makes a small model's prose livelier breaks its JSON
        asking |= {"temperature": 0.0, "extra": None}
    planning = Planning(
        "decompose",
        policy=replace(policy, fallback=[]),  # the task's own questions are asked then
        output=_plan_type(count if exact else None),
        **asking,
    )
    plan = graph.add(planning, count=count)
    dealt = graph.function(questions, plan=plan)
    belters = [
        graph.add(
            AskOne(
                f"belter_{i + 1}", place=i, policy=agent, **_asking(cascade.belters, prompts.SEARCH)
            ),
            questions=dealt,
        )
        for i in range(count)
    ]
    parts = [[belters[i] for i in share] for share in shares(count, cascade.drummers.count)]
    drummers = _tier(graph, "drummer", cascade.drummers, prompts.ANALYSE, parts, agent)
    answers = _tier(graph, "camina", cascade.caminas, prompts.SYNTHESISE, [drummers], agent)
    if len(answers) > 1:
        answers = _tier(graph, "merge", replace(planner, count=1), prompts.MERGE, [answers], policy)
    graph.output(*answers)
    return graph


def _tier(
    graph: Graph,
    name: str,
    tier: Tier,
    prompt: str,
    parts: Sequence[Sequence[Ref[str]]],
    policy: Policy,
) -> list[Ref[str]]:
    """Add a tier: a merge for each part of the one before, and agents that read them in turn."""

    def fold(texts: list[str]) -> str:
        return joined(texts, tier.room.read_bytes)

    reads = _READS[name]
    read = [
        graph.merge(
            f"{reads}_{n}" if len(parts) > 1 else reads, part, reducer=fold, tolerate_failures=True
        )
        for n, part in enumerate(parts, 1)
    ]
    asking = _asking(tier, prompt)
    ids = [name] if name == "merge" else [f"{name}_{n + 1}" for n in range(tier.count)]
    return [
        graph.add(LLM(id, policy=policy, **asking), **{reads: read[n % len(read)]})
        for n, id in enumerate(ids)
    ]


def _asking(tier: Tier, prompt: str) -> dict[str, Any]:
    """What every LLM node of a tier is made with."""
    room = tier.room
    answers = prompt in (prompts.SYNTHESISE, prompts.MERGE)
    return {
        "prompt": prompt,
        "model": tier.model,
        "max_tokens": room.answer_tokens if answers else room.write_tokens,
        "temperature": room.temperature,
        "extra": room.extra or None,
    }


@lru_cache(maxsize=64)
def _plan_type(count: int | None) -> Any:
    """The planner's output: anything in a list called `questions`, though texts are asked for."""
    schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
    if count is not None:
        short = {"type": "string", "maxLength": MOST_CHARACTERS}
        schema |= {"items": short, "minItems": count, "maxItems": count}

    class Questions(BaseModel):
        questions: Annotated[list[Any], WithJsonSchema(schema)]

    return Questions
