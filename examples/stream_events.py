"""
Watch a run: the start, tokens, failures and end of every node run, as typed events.

The first attempt fails because the service is overloaded. The engine waits and retries.

Prints:
    node_started poem (attempt 1)
    attempt_failed poem: OverloadedError: too many poets
    node_retrying poem
    node_started poem (attempt 2)
      Roses are red.
    node_completed poem
    node_started shout (attempt 1)
    node_completed shout
    ROSES ARE RED.
"""

import anyio

from dagorch import LLM, EventType, Graph, Policy, Retry
from dagorch.errors import OverloadedError
from dagorch.testing import ScriptedProvider

graph = Graph("poem")
graph.input("topic", str)
soon = Policy(retry=Retry(attempts=3, base_delay_seconds=0.01))
graph.add(LLM("poem", prompt="A line on {topic}.", policy=soon))


@graph.function
async def shout(poem: str) -> str:
    return poem.upper()


async def main() -> None:
    provider = ScriptedProvider([OverloadedError("too many poets"), "Roses are red."])
    text = ""
    async with graph.stream(topic="roses", provider=provider) as events:
        async for event in events:
            match event.type:
                case EventType.NODE_STARTED:
                    print(f"node_started {event.path} (attempt {event.attempt})")
                case EventType.NODE_TOKENS:
                    text += event.data["text"]
                case EventType.ATTEMPT_FAILED:
                    print(f"attempt_failed {event.path}: {event.data['error']}")
                case EventType.NODE_RETRYING:
                    print(f"node_retrying {event.path}")
                case EventType.NODE_COMPLETED:
                    if text:
                        print(f"  {text}")
                        text = ""
                    print(f"node_completed {event.path}")
    print(events.result[shout])


if __name__ == "__main__":
    anyio.run(main)
