"""
Merge the first two of three answers, and cancel the third.

The three voters take 1, 2 and 3600 seconds. Virtual time advances only when every task waits, so
the run takes two seconds of virtual time and a few milliseconds of real time.

Prints:
    ['north', 'north'] after 2.0 s
    thorough: cancelled
"""

import anyio

from dagorch import Graph
from dagorch.models.result import Result
from dagorch.testing import run_virtual

graph = Graph("compass")


@graph.function
async def quick() -> str:
    await anyio.sleep(1)
    return "north"


@graph.function
async def careful() -> str:
    await anyio.sleep(2)
    return "north"


@graph.function
async def thorough() -> str:
    await anyio.sleep(3600)
    return "south"


votes = graph.merge("votes", [quick, careful, thorough], wait=2)


async def main() -> Result:
    return await graph.run()


if __name__ == "__main__":
    result = run_virtual(main)
    print(f"{result[votes]} after {result.duration_seconds:.1f} s")
    print(f"thorough: {result.get(thorough).end}")
