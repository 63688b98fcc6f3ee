"""
Steps one after the other, each of which sees what all before it gave.

A step is a function of yours, sync or async, or else the model's: `advise` has no handler, so the
model is told what was found and asked to do it. Here the model is scripted, so this runs offline.

Prints:
    count: {'tea': 2, 'coffee': 1}
    weigh: tea leads by 1
    advise: Make tea.
    the model read: 1. count: {
"""

from typing import Any

import anyio

from dagorch import OrchestratorConfig, SequentialOrchestrator
from dagorch.testing import ScriptedProvider


def count(step: str, context: dict[str, Any]) -> dict[str, int]:
    """Count the votes that the caller brought along; runs in a worker thread."""
    votes = context["votes"]
    return {drink: votes.count(drink) for drink in dict.fromkeys(votes)}


async def weigh(context: dict[str, Any]) -> str:
    """Compare what `count` gave; with one parameter, a handler gets the context alone."""
    counted = context["results"]["count"]
    first, second = sorted(counted, key=counted.get, reverse=True)
    return f"{first} leads by {counted[first] - counted[second]}"


async def main() -> None:
    provider = ScriptedProvider("Make tea.")
    orchestrator = SequentialOrchestrator(
        OrchestratorConfig(steps=["count", "weigh", "advise"]),
        provider,
        step_handlers={"count": count, "weigh": weigh},
    )
    votes = {"votes": ["tea", "coffee", "tea"]}
    result = await orchestrator.execute_workflow("What shall we drink?", votes)
    for agent in result.agent_results:
        print(f"{agent.subtask_id}: {agent.content}")
    print("the model read:", provider.requests[0].messages[-1].content.splitlines()[0])


if __name__ == "__main__":
    anyio.run(main)
