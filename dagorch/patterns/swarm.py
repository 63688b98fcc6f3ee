"""The graph of a Dream Swarm: domains are searched, agents read and cite, one answer is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.models.ref import Ref
from dagorch.nodes.llm import LLM
from dagorch.patterns import swarm_prompts as prompts
from dagorch.patterns.agent_count import check_agent_count
from dagorch.patterns.overrides import NO_OVERRIDES, Overrides, add_agent, add_synthesis
from dagorch.patterns.subtasks import node_ids
from dagorch.patterns.swarm_records import (
    answer_text,
    has_findings,
    make_report,
    merge_reports,
    select_findings,
)
from dagorch.patterns.token_limits import LARGE, TokenLimits

__all__ = ["ReaderLLM", "Swarm", "assign_domains", "swarm_graph"]


@dataclass(frozen=True, slots=True)
class Swarm:
    """The agents, domains and model of a swarm."""

    agents: int
    domains: Sequence[str]
    findings: int = 5
    """The most findings that an agent reads from each of its domains."""
    model: str = ""
    """The model's name for the router or provider of the run."""
    limits: TokenLimits = LARGE


@dataclass(frozen=True, slots=True)
class ReaderLLM(LLM[str]):
    """An LLM node with one input that is rendered to at most `max_bytes`."""

    rendered: str = ""
    """The name of that input."""
    max_bytes: int = 0

    def opening(self, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the first messages, with that input rendered."""
        text = inputs[self.rendered].render(self.max_bytes)
        return LLM.opening(self, {**inputs, self.rendered: text})


def assign_domains(agents: int, domains: Sequence[str]) -> list[list[str]]:
    """
    Assign domains to agents round robin: each agent has one, and each domain has an agent.

    Raises:
        DefinitionError: There are more than 10,000 agents.

    Example:
        >>> assign_domains(3, ["arxiv", "news"]), assign_domains(2, ["a", "b", "c"])
        ([['arxiv'], ['news'], ['arxiv']], [['a', 'c'], ['b']])
    """
    check_agent_count(agents)
    rounds = max(agents, len(domains))
    return [
        [domains[place % len(domains)] for place in range(agent, rounds, agents)]
        for agent in range(agents)
    ]


def swarm_graph(
    swarm: Swarm,
    search: Callable[[str], Callable[..., Any]],
    task: str,
    policy: Policy = DEFAULT_POLICY,
    overrides: Overrides = NO_OVERRIDES,
) -> Graph:
    """
    Build the graph of a Dream Swarm; its value is the text of the answer.

    A domain is searched once, and its agents share the findings. An agent works with its other
    domains if one failed, and calls no model if nothing was found.

    Args:
        swarm: The agents, domains and model.
        search: Returns the function that searches a domain. That function takes `task` and
            `limit` and returns a `SearchResult`.
        task: The task; the default of the graph's input `task`.
        policy: The policy of every node that calls a model or searches.
        overrides: The overridden methods of a subclass.

    Example:
        >>> graph = swarm_graph(Swarm(2, ["a"]), lambda domain: lambda task, limit: None, "Why?")
        >>> [node.id for node in graph][:6]
        ['search_a', 'found_1', 'any_1', 'agent_1', 'report_1', 'found_2']
    """
    graph = Graph("dream swarm")
    graph.input("task", str, default=task)
    agent_policy = replace(policy, on_error="continue")
    assigned = assign_domains(swarm.agents, swarm.domains)
    ids = node_ids(swarm.domains)
    readers = {domain: [n for n, own in enumerate(assigned) if domain in own] for domain in ids}
    searches = {
        domain: graph.function(
            search(domain),
            id=f"search_{id}",
            policy=replace(agent_policy, fallback_models=()),
            limit=swarm.findings * len(readers[domain]),
        )
        for domain, id in ids.items()
    }
    reports = []
    agents: list[Ref[Any]] = []
    for n, own in enumerate(assigned, 1):
        parts = {domain: [readers[domain].index(n - 1), len(readers[domain])] for domain in own}
        found = graph.merge(
            f"found_{n}",
            [searches[domain] for domain in own],
            reducer=partial(select_findings, parts=parts, read_bytes=swarm.limits.read_bytes),
            tolerate_failures=True,
        )
        any_found = graph.branch(f"any_{n}", has_findings, ("yes", "no"), found=found)
        agent = ReaderLLM(
            f"agent_{n}",
            rendered="found",
            max_bytes=swarm.limits.read_bytes,
            policy=agent_policy,
            **swarm.limits.options(prompts.READ, swarm.model),
        )
        reply = add_agent(graph, overrides, agent, found=found, after=any_found["yes"])
        agents.append(reply)
        reports.append(graph.merge(f"report_{n}", [found, reply], reducer=make_report))
    notes = graph.merge("notes", reports, reducer=merge_reports, tolerate_failures=True)
    if overrides.synthesize is not None:
        # The notes fail if nothing was found; otherwise the synthesis would be skipped.
        graph.output(add_synthesis(graph, overrides.synthesize, agents, policy, [notes]))
        return graph
    synthesis = ReaderLLM(
        "synthesis",
        rendered="notes",
        max_bytes=swarm.limits.read_bytes,
        policy=policy,
        **swarm.limits.options(prompts.SYNTHESISE, swarm.model, is_answer=True),
    )
    graph.output(
        graph.merge("answer", [notes, graph.add(synthesis, notes=notes)], reducer=answer_text)
    )
    return graph
