"""The graph of a Dream Cascade: a plan, then three tiers, each reading its share of the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import Ref
from dagorch.nodes.llm import LLM
from dagorch.patterns import cascade_prompts as prompts
from dagorch.patterns.overrides import NO_OVERRIDES, Overrides, add_agent, add_synthesis, distribute
from dagorch.patterns.partition import join_texts, partition
from dagorch.patterns.planner import PlannerLLM, QuestionLLM, Questions, questions_of_plan
from dagorch.patterns.token_limits import LARGE, TokenLimits

__all__ = ["Cascade", "Tier", "cascade_graph", "planner_node"]


@dataclass(frozen=True, slots=True)
class Tier:
    """The number of agents in a tier, and their model."""

    count: int = 1
    model: str = ""
    """The model's name for the router or provider of the run."""
    limits: TokenLimits = LARGE

    def options(self, prompt: str, *, is_answer: bool = False) -> dict[str, Any]:
        """Return the arguments of an LLM node of this tier."""
        return self.limits.options(prompt, self.model, is_answer=is_answer)


@dataclass(frozen=True, slots=True)
class Cascade:
    """The tiers of a cascade. The planner's model also merges, if there are several caminas."""

    planner: Tier = field(default_factory=Tier)
    belters: Tier = field(default_factory=lambda: Tier(3))
    drummers: Tier = field(default_factory=lambda: Tier(2))
    caminas: Tier = field(default_factory=Tier)


def cascade_graph(
    cascade: Cascade,
    task: str,
    policy: Policy = DEFAULT_POLICY,
    overrides: Overrides = NO_OVERRIDES,
) -> Graph:
    """
    Build the graph of a Dream Cascade; its value is the text of the answer.

    The counts are exact for any reply: missing questions are derived from the task. An agent
    works with the rest of its share if an agent before it failed.

    Args:
        cascade: The tiers.
        task: The task; the default of the graph's input `task`.
        policy: The policy of every LLM node.
        overrides: The overridden methods of a subclass.

    Example:
        >>> graph = cascade_graph(Cascade(belters=Tier(2), drummers=Tier(1)), "Why is it blue?")
        >>> [node.id for node in graph]
        ['decompose', 'questions', 'belter_1', 'belter_2', 'findings', 'drummer_1',
         'analyses', 'camina_1']
    """
    graph = Graph("dream cascade")
    graph.input("task", str, default=task)
    belters, drummers, caminas = cascade.belters, cascade.drummers, cascade.caminas
    agent_policy = replace(policy, on_error="continue")

    add = partial(add_agent, graph, overrides)

    if overrides.decompose is None:
        plan = graph.add(planner_node(cascade.planner, belters.count, policy), count=belters.count)
        questions = graph.function(
            questions_of_plan, id="questions", plan=plan, count=belters.count
        )
    else:
        own_plan = graph.function(overrides.decompose, id="decompose", policy=policy)
        questions = graph.function(distribute, id="questions", plan=own_plan, count=belters.count)
    searches = [
        add(
            QuestionLLM(
                f"belter_{i + 1}", index=i, policy=agent_policy, **belters.options(prompts.SEARCH)
            ),
            questions=questions,
        )
        for i in range(belters.count)
    ]
    shares = [[searches[i] for i in share] for share in partition(belters.count, drummers.count)]
    findings = _merge_shares(graph, "findings", shares, drummers)
    analyses = [
        add(
            LLM(f"drummer_{i + 1}", policy=agent_policy, **drummers.options(prompts.ANALYSE)),
            findings=findings[i % len(findings)],
        )
        for i in range(drummers.count)
    ]
    (notes,) = _merge_shares(graph, "analyses", [analyses], caminas)
    answers = [
        add(
            LLM(
                f"camina_{i + 1}",
                policy=agent_policy,
                **caminas.options(prompts.SYNTHESISE, is_answer=True),
            ),
            analyses=notes,
        )
        for i in range(caminas.count)
    ]
    if overrides.synthesize is not None:
        answers = [
            add_synthesis(graph, overrides.synthesize, searches + analyses + answers, policy)
        ]
    elif len(answers) > 1:
        (reports,) = _merge_shares(graph, "reports", [answers], cascade.planner)
        options = cascade.planner.options(prompts.MERGE, is_answer=True)
        answers = [graph.add(LLM("merge", policy=policy, **options), reports=reports)]
    graph.output(*answers)
    return graph


def planner_node(tier: Tier, count: int, policy: Policy = DEFAULT_POLICY) -> PlannerLLM:
    """Return the node that plans the questions."""
    exact = tier.limits.exact_plan
    options = tier.options(prompts.DECOMPOSE)
    options["max_tokens"] = min(max(tier.limits.write_tokens, 50 * count), 3_000)
    if exact:  # the sampling that improves a small model's prose breaks its JSON
        options |= {"temperature": 0.0, "extra": None}
    return PlannerLLM(
        "decompose",
        policy=replace(policy, fallback=[]),  # then all questions are derived from the task
        output=Questions,
        exact=count if exact else None,
        **options,
    )


def _merge_shares(
    graph: Graph, id: str, shares: Sequence[Sequence[Ref[str]]], readers: Tier
) -> list[Ref[Any]]:
    """Merge each share into one text for its readers, without the agents that failed."""
    fold = partial(join_texts, max_bytes=readers.limits.read_bytes)
    return [
        graph.merge(
            f"{id}_{n}" if len(shares) > 1 else id, share, reducer=fold, tolerate_failures=True
        )
        for n, share in enumerate(shares, 1)
    ]
