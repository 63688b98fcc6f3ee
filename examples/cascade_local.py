"""
Run a Dream Cascade on the local model, without a key, an account or a service.

The model has 135 million parameters. It shows that every part works, from the plan to the answer,
but do not believe what it says about bees. To use another provider, replace "local" by "xai" or
another name; nothing else changes.

This needs the `local` extra, which `uv run` installs, and takes about a minute on two cores. It
prints each node run as it ends, then the status and the answer.
"""

import anyio

from dagorch import DreamCascadeConfig, DreamCascadeOrchestrator, Event, EventType
from dagorch.providers import ProviderFactory


def show(event: Event) -> None:
    if event.type is EventType.NODE_COMPLETED and "output_tokens" in event.data:
        print(f"{event.seconds:6.1f} s  {event.path}, {event.data['output_tokens']} tokens")


async def main() -> None:
    async with ProviderFactory.get_provider("local") as provider:
        orchestrator = DreamCascadeOrchestrator(
            DreamCascadeConfig(belter_count=2, drummer_count=1), provider
        )
        result = await orchestrator.execute_workflow(
            "How do bees find their way home?", on_event=show
        )
    print(f"{result.status} in {result.execution_time:.1f} s")
    print(result.result)


if __name__ == "__main__":
    anyio.run(main)
