"""
An LLM node with tools as a graph: a loop of a call and a map over the tool calls.

The functions of its nodes are in `nodes/tools.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dagorch.graph.builder import body_of
from dagorch.graph.definition import Definition
from dagorch.models.policy import Policy
from dagorch.nodes.container import Loop, Map
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.tools import CallWithTools, Conversation, Toolbox, has_answer

__all__ = ["conversation"]

D = TypeVar("D", bound=Definition)


def conversation(llm: LLM[Any], new: Callable[[str], D]) -> D:
    """
    Build the graph that an LLM node with tools stands for, with the node's inputs and value.

    A tool's error goes back to the model as the tool's answer. A model that still asks for tools
    after the last round fails the node.

    Args:
        llm: The node.
        new: Makes an empty graph of a name.
    """
    box = Toolbox(llm)
    body = new("round")
    body.input("state", Conversation)
    policy = Policy(
        retry=llm.retry,
        attempt_timeout_seconds=llm.policy.attempt_timeout_seconds,
        fallback_models=llm.policy.fallback_models,
        hedge_after=llm.policy.hedge_after,
        resources=llm.policy.resources,
    )
    response = body.add(CallWithTools("call", llm, box.specs, policy=policy))
    calls = body.add(Function("wanted", box.wanted), response=response)
    tool = body_of(Function("tool", box.run), new)
    answers = body.add(Map("tools", tool), call=calls)
    body.add(Function("next", box.step), response=response, answers=answers)

    graph = new(llm.id)
    inputs = {spec.name: graph.input(spec.name, spec.annotation) for spec in llm.parameters()}
    opened = graph.add(Function("open", box.open), **inputs)
    rounds = Loop("rounds", body, llm.max_tool_rounds, until=has_answer)
    looped = graph.add(rounds, state=opened)
    graph.add(Function("answer", box.answer), state=looped)
    return graph
