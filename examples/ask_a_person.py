"""
A question to a person: the node run is parked, holding nothing, until the answer comes.

Here the person is a second task. It hears of the question as an event, and answers through the
run's handle; a web page or a chat would do the same.

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
    put, questions = anyio.create_memory_object_stream[Event](10)

    async def listen(event: Event) -> None:
        if event.type is EventType.NODE_PARKED:
            await put.send(event)

    async with put, questions, graph.start(file="notes.txt", on_event=listen) as run:
        question = await questions.receive()
        print(question.data["question"])
        run.answer(question.path, True)
        print((await run.result())[delete])


if __name__ == "__main__":
    anyio.run(main)
