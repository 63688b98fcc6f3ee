"""Dream Swarm as a graph: each domain searched, agents that read and cite, one answer of it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dagorch.graph.graph import Graph
from dagorch.models.policy import DEFAULT_POLICY, Policy
from dagorch.nodes.llm import LLM
from dagorch.patterns import swarm_prompts as prompts
from dagorch.patterns.subtasks import node_ids
from dagorch.patterns.swarm_notes import answer_text, found_any, notes, reading, report
from dagorch.patterns.token_limits import LARGE, TokenLimits

__all__ = ["Reader", "Swarm", "deal_domains", "swarm_graph"]


@dataclass(frozen=True, slots=True)
class Swarm:
    """What a swarm is made of."""

    agents: int
    domains: Sequence[str]
    findings: int = 5
    """That an agent reads of each of its domains, at most."""
    model: str = ""
    """As a run's router or provider knows it."""
    room: TokenLimits = LARGE


@dataclass(frozen=True, slots=True)
class Reader(LLM[str]):
    """An LLM step with one input that is shown to it cut to the room it has."""

    shows: str = ""
    most_bytes: int = 0

    def opening(self, inputs: Any) -> tuple[Any, ...]:
        """The turns, with that input written out."""
        return LLM.opening(self, {**inputs, self.shows: inputs[self.shows].shown(self.most_bytes)})


def deal_domains(agents: int, domains: Sequence[str]) -> list[list[str]]:
    """
    Deal domains to agents round robin, so that each agent has one and each domain is searched.

    Example:
        >>> deal_domains(3, ["arxiv", "news"]), deal_domains(2, ["a", "b", "c"])
        ([['arxiv'], ['news'], ['arxiv']], [['a', 'c'], ['b']])
    """
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
) -> Graph:
    """
    Build the graph of a Dream Swarm; its value is the text of the answer.

    A domain is searched once, and its agents share what is found. An agent goes on with what its
    other domains gave when one failed, and asks no model when nothing was found.

    Args:
        swarm: How many agents, which domains, how much of each.
        search: Gives the function that searches a domain: of `task` and `limit`, a `Searched`.
        task: What to find out; the default of the graph's input of that name.
        policy: Of every node that asks or searches.

    Example:
        >>> graph = swarm_graph(Swarm(2, ["a"]), lambda domain: lambda task, limit: None, "Why?")
        >>> [node.id for node in graph][:6]
        ['search_a', 'found_1', 'any_1', 'agent_1', 'report_1', 'found_2']
    """
    graph = Graph("dream swarm")
    graph.input("task", str, default=task)
    lenient = replace(policy, on_error="continue")
    dealt = deal_domains(swarm.agents, swarm.domains)
    ids = node_ids(swarm.domains)
    shares = {domain: [n for n, own in enumerate(dealt) if domain in own] for domain in ids}
    searches = {
        domain: graph.function(
            search(domain),
            id=f"search_{id}",
            policy=replace(lenient, fallback_models=()),
            limit=swarm.findings * len(shares[domain]),
        )
        for domain, id in ids.items()
    }
    reports = []
    for n, own in enumerate(dealt, 1):
        parts = {domain: [shares[domain].index(n - 1), len(shares[domain])] for domain in own}
        found = graph.merge(
            f"found_{n}",
            [searches[domain] for domain in own],
            reducer=partial(reading, parts=parts, read_bytes=swarm.room.read_bytes),
            tolerate_failures=True,
        )
        some = graph.branch(f"any_{n}", found_any, ("yes", "no"), found=found)
        agent = _reader(f"agent_{n}", prompts.READ, swarm, lenient)
        told = graph.add(agent, found=found, after=some["yes"])
        reports.append(graph.merge(f"report_{n}", [found, told], reducer=report))
    noted = graph.merge("notes", reports, reducer=notes, tolerate_failures=True)
    synthesis = graph.add(_reader("synthesis", prompts.SYNTHESISE, swarm, policy), notes=noted)
    graph.output(graph.merge("answer", [noted, synthesis], reducer=answer_text))
    return graph


def _reader(id: str, prompt: str, swarm: Swarm, policy: Policy) -> Reader:
    room, is_agent = swarm.room, prompt is prompts.READ
    return Reader(
        id,
        prompt=prompt,
        model=swarm.model,
        max_tokens=room.write_tokens if is_agent else room.answer_tokens,
        temperature=room.temperature,
        extra=room.extra or None,
        policy=policy,
        shows="found" if is_agent else "notes",
        most_bytes=room.read_bytes,
    )
