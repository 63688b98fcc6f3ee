"""
Runs of a service: one request starts a run, others watch and answer it.

A `RunHost` owns the runs, as a web server would hold one from its start to its end. Each function
below is what one request does. A page that was cut off sends the number of its last event, the
`Last-Event-ID` of server-sent events, and goes on from there.

Prints:
    before the break: run_started, node_ready, node_parked
    question: Really delete notes.txt?
    after the break: node_completed, node_ready, node_started, node_completed, run_completed
    deleted notes.txt
"""

import anyio

from dagorch import Event, Graph, RunHost

graph = Graph("asking")
graph.input("file", str)
sure = graph.ask("sure", "Really delete {file}?", output=bool)


@graph.function
async def delete(file: str, sure: bool) -> str:
    return f"deleted {file}" if sure else f"kept {file}"


async def post_run(host: RunHost, file: str) -> str:
    return host.add(graph.start(file=file)).run_id


async def get_events(host: RunHost, run_id: str, last_event_id: int, until: str) -> list[Event]:
    seen: list[Event] = []
    async for event in host[run_id].events(after=last_event_id):
        seen.append(event)
        if event.type == until:
            break
    return seen


def post_answer(host: RunHost, run_id: str, value: bool) -> None:
    """Answer the open question; works from any thread."""
    (question,) = host[run_id].questions
    print("question:", question.text)
    host[run_id].answer(question, value)


async def main() -> None:
    async with RunHost() as host:
        run_id = await post_run(host, "notes.txt")
        first = await get_events(host, run_id, 0, until="node_parked")
        print("before the break:", ", ".join(event.type for event in first))
        await anyio.to_thread.run_sync(post_answer, host, run_id, True)
        rest = await get_events(host, run_id, first[-1].number, until="run_completed")
        print("after the break:", ", ".join(event.type for event in rest))
        print((await host[run_id].result())[delete])
        host.cancel()  # a server that shuts down does not wait for answers


if __name__ == "__main__":
    anyio.run(main)
