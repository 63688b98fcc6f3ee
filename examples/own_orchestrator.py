"""
Write an orchestrator of your own with three methods.

`decompose_task` returns the plan. Its dependencies become edges: `compare` waits for both reviews
and reads them in `context["results"]`. Calls through `self.provider` count against the limits and
the budget of their run. Here the provider is scripted, so this runs offline.

Prints:
    subtask_created: tea
    subtask_created: coffee
    subtask_created: compare
    subtask_completed: tea
    subtask_completed: coffee
    subtask_completed: compare
    completed: {'verdict': 'Tea calms, coffee wakes.'}
    compare used 10 tokens
"""

from typing import Any

import anyio

from dagorch import AgentResult, BaseOrchestrator, OrchestratorConfig, StreamEvent, SubTask
from dagorch.testing import ScriptedProvider


class Comparison(BaseOrchestrator):
    """Reviews each thing named in the task, then compares the reviews."""

    async def decompose_task(
        self, task: str, context: dict[str, Any] | None = None
    ) -> list[SubTask]:
        things = task.split(" or ")
        reviews = [SubTask(thing, f"Review {thing}.", agent_type="critic") for thing in things]
        return [*reviews, SubTask("compare", "Compare them.", dependencies=things)]

    async def execute_subtask(
        self, subtask: SubTask, context: dict[str, Any] | None = None
    ) -> AgentResult:
        results = (context or {})["results"]
        earlier = "".join(f" {result.content}" for result in results.values())
        reply = await self.provider.acomplete(
            messages=[{"role": "user", "content": subtask.description + earlier}]
        )
        return AgentResult(subtask.id, reply.content)

    async def synthesize_results(
        self, agent_results: list[AgentResult], context: dict[str, Any] | None = None
    ) -> dict[str, str]:
        return {"verdict": agent_results[-1].content}


def show(event: StreamEvent) -> None:
    if event.event_type.startswith("subtask"):
        print(f"{event.event_type.value}: {event.data['subtask_id']}")


async def main() -> None:
    script = {
        "Review tea": "Tea calms.",
        "Review coffee": "Coffee wakes.",
        "Compare": "Tea calms, coffee wakes.",
    }
    orchestrator = Comparison(OrchestratorConfig(max_parallel=2), ScriptedProvider(script))
    orchestrator.stream_callback = show
    result = await orchestrator.execute_workflow("tea or coffee")
    print(f"{result.status}: {result.result}")
    last = result.agent_results[-1]
    print(f"{last.subtask_id} used {last.tokens_used} tokens")


if __name__ == "__main__":
    anyio.run(main)
