"""
Ask a person a question: the node run waits without holding a slot until the answer comes.

The question arrives as an event, and the answer goes through the run's handle. Here the program
answers itself; a web page or a chat would do the same.

Prints:
    Really delete notes.txt?
    deleted notes.txt
"""

import anyio

from dagorch import Event, EventType, Graph

graph = Graph("asking")
graph.input("file", str)
sure = graph.ask("sure", "Really delete {file}?", output=bool)


@graph.function
async def delete(file: str, sure: bool) -> str:
    return f"deleted {file}" if sure else f"kept {file}"


async def main() -> None:
    send, receive = anyio.create_memory_object_stream[Event](10)

    async def listen(event: Event) -> None:
        if event.type is EventType.NODE_PARKED:
            await send.send(event)

    async with send, receive, graph.start(file="notes.txt", on_event=listen) as run:
        question = await receive.receive()
        print(question.data["question"])
        run.answer(question.path, True)
        print((await run.result())[delete])


if __name__ == "__main__":
    anyio.run(main)
