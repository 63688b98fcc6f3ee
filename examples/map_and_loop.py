"""
Run a node for each item of a list with a map, and refine a value with a loop.

The list is known only at run time. Each pass of the loop gets the value of the previous pass, so
the body returns the type that it takes.

Prints:
    [3, 7, 11]
    21.00 squares to 441.00 after 5 passes, converged: True
"""

from dagorch import Graph
from dagorch.nodes import Function


async def add(pair: tuple[int, int]) -> int:
    return sum(pair)


async def closer(guess: float, target: float) -> float:
    """Take one step of Newton's method towards the square root."""
    return (guess + target / guess) / 2


def good(guess: float) -> bool:
    return abs(guess * guess - 441) < 1e-6


graph = Graph("numbers")


@graph.function
async def pairs() -> list[tuple[int, int]]:
    return [(1, 2), (3, 4), (5, 6)]


sums = graph.map(Function("add", add), over=pairs)


@graph.function
async def target(add: list[int]) -> float:
    return float(sum(add) ** 2)


step = Graph("step")
step.input("guess", float)
step.input("target", float)
step.function(closer)

root = graph.loop("root", step, guess=10.0, target=target, until=good, max_iterations=20)
graph.output(sums, root)

if __name__ == "__main__":
    result = graph.run_sync(max_parallel=2)
    print(result[sums])
    loop = result.loop(root)
    value = result[root]
    print(
        f"{value:.2f} squares to {value * value:.2f} after {loop.iterations} passes, "
        f"converged: {loop.converged}"
    )
