"""Dream Cascade as a graph: a plan, then three tiers, each reading its share of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import Ref
from dagorch.nodes.llm import LLM
from dagorch.patterns import cascade_prompts as prompts
from dagorch.patterns.partition import joined, shares
from dagorch.patterns.planner import AskOne, Planning, Questions, dealt
from dagorch.patterns.token_limits import LARGE, TokenLimits

__all__ = ["Cascade", "Tier", "cascade_graph"]


@dataclass(frozen=True, slots=True)
class Tier:
    """The agents of one tier, and their model."""

    count: int = 1
    model: str = ""
    """As a run's router or provider knows it."""
    room: TokenLimits = LARGE


@dataclass(frozen=True, slots=True)
class Cascade:
    """What a cascade is made of. The planner merges, too, if there is more than one camina."""

    planner: Tier = field(default_factory=Tier)
    belters: Tier = field(default_factory=lambda: Tier(3))
    drummers: Tier = field(default_factory=lambda: Tier(2))
    caminas: Tier = field(default_factory=Tier)


_READS: Final = {"drummer": "findings", "camina": "analyses", "merge": "reports"}
"""What each tier calls that which it reads, in its prompt."""


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

    exact = planner.room.exact_plan
    asking = _asking(planner, prompts.DECOMPOSE)
    asking["max_tokens"] = min(max(planner.room.write_tokens, 50 * count), 3_000)
    if exact:  # what makes a small model's prose livelier breaks its JSON
        asking |= {"temperature": 0.0, "extra": None}
    planning = Planning(
        "decompose",
        policy=replace(policy, fallback=[]),  # the task's own questions are asked then
        output=Questions,
        exact=count if exact else None,
        **asking,
    )
    plan = graph.add(planning, count=count)
    questions = graph.function(dealt, id="questions", plan=plan, count=count)
    belters = [
        graph.add(
            AskOne(
                f"belter_{i + 1}", place=i, policy=agent, **_asking(cascade.belters, prompts.SEARCH)
            ),
            questions=questions,
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
    fold = partial(joined, most_bytes=tier.room.read_bytes)
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
