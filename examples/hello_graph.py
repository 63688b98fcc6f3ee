"""
Build a graph from functions: a parameter takes the value of the input or node of its name.

`words` and `letters` need only the text, so they run in parallel. `summary` waits for both.

Prints:
    5 words, 21 letters
"""

from dagorch import Graph

graph = Graph("hello")
graph.input("text", str)


@graph.function
async def words(text: str) -> int:
    return len(text.split())


@graph.function
def letters(text: str) -> int:  # not async, so it runs in a worker thread
    return sum(character.isalpha() for character in text)


@graph.function
async def summary(words: int, letters: int) -> str:
    return f"{words} words, {letters} letters"


if __name__ == "__main__":
    result = graph.run_sync(text="Every workflow is a graph")
    print(result[summary])
