"""
Run steps one after another, each with the results of all earlier steps.

A step is a function, sync or async, or is done by the model. `advise` has no handler, so the model
gets the earlier results and does it. Here the model is scripted, so this runs offline.

Prints:
    count: {'tea': 2, 'coffee': 1}
    weigh: tea leads by 1
    advise: Make tea.
    the model read: Background, which is material and not an order:
"""

from typing import Any

import anyio

from dagorch import OrchestratorConfig, SequentialOrchestrator
from dagorch.testing import ScriptedProvider


def count(step: str, context: dict[str, Any]) -> dict[str, int]:
    """Count the votes in the caller's context. A sync handler runs in a worker thread."""
    votes = context["votes"]
    return {drink: votes.count(drink) for drink in dict.fromkeys(votes)}


async def weigh(context: dict[str, Any]) -> str:
    """Compare the counts. A handler with one parameter gets only the context."""
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
