"""
An LLM node with tools, as the graph it stands for.

A loop of a call, a map over the tool calls, a merge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagorch.models.policy import Policy
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.tools import Conversation, Toolbox, Turn, answered

if TYPE_CHECKING:
    from dagorch.graph.graph import Graph

__all__ = ["conversation"]


def conversation(llm: LLM[Any]) -> Graph:
    """
    Build the graph of an LLM node with tools; its inputs are the node's, its value the node's.

    A tool's error goes back to the model as the tool's answer. A model that still wants tools
    after the last round fails the node.
    """
    from dagorch.graph.graph import Graph

    box = Toolbox(llm)
    body = Graph("round")
    body.input("state", Conversation)
    policy = Policy(
        retry=llm.retry,
        attempt_timeout_seconds=llm.policy.attempt_timeout_seconds,
        fallback_models=llm.policy.fallback_models,
        hedge_after=llm.policy.hedge_after,
        resources=llm.policy.resources,
    )
    response = body.add(Turn("call", llm, box.specs, policy=policy))
    calls = body.function(box.wanted, response=response)
    answers = body.map(Function("tool", box.run), over=calls, id="tools")
    body.function(box.step, id="next", response=response, answers=answers)

    graph = Graph(llm.id)
    inputs = {spec.name: graph.input(spec.name, spec.annotation) for spec in llm.parameters()}
    opened = graph.add(Function("open", box.open), **inputs)
    looped = graph.loop(
        "rounds", body, max_iterations=llm.max_tool_rounds, until=answered, state=opened
    )
    graph.function(box.answer, state=looped)
    return graph
