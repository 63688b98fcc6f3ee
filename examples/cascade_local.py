"""
A Dream Cascade on the embedded model: no key, no account, no service.

The model has 135 million parameters. It shows that every part works, from the plan to the answer;
it is no researcher, and what it says about bees is not to be believed. Give another provider, such
as `ProviderFactory.get_provider("xai")`, and nothing else changes.

Needs the `local` extra (`uv run` installs it) and takes a minute or so on two cores. It prints each
node as it ends, then the status and the answer.
"""

import anyio

from dagorch import DreamCascadeConfig, DreamCascadeOrchestrator, Event, EventType
from dagorch.providers import ProviderFactory


def tell(event: Event) -> None:
    if event.type is EventType.NODE_COMPLETED and "output_tokens" in event.data:
        print(f"{event.seconds:6.1f} s  {event.path}, {event.data['output_tokens']} tokens")


async def main() -> None:
    async with ProviderFactory.get_provider("local") as provider:
        orchestrator = DreamCascadeOrchestrator(
            DreamCascadeConfig(belter_count=2, drummer_count=1), provider
        )
        result = await orchestrator.execute_workflow(
            "How do bees find their way home?", on_event=tell
        )
    print(f"{result.status} in {result.execution_time:.1f} s")
    print(result.result)


if __name__ == "__main__":
    anyio.run(main)
