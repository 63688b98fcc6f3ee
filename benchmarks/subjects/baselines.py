"""
The three baselines: a plain loop, one task per node, and a lean pool of workers.

They have no checks, retries or events. They show the least that a run can cost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import anyio

from benchmarks.measure import Run
from benchmarks.shapes import Shape
from benchmarks.subjects import MAX_PARALLEL, NodeFunction, Subject


def prepare_loop(shape: Shape, functions: Sequence[NodeFunction]) -> Run:
    """Await each node in topological order, without parallelism."""

    async def run() -> list[int]:
        return [await function() for function in functions]

    return run


def prepare_task(shape: Shape, functions: Sequence[NodeFunction]) -> Run:
    """
    Start an asyncio task for each node once its parents are done.

    A `TaskGroup` is the cheapest way to keep a reference to each task and to
    report every error.
    """
    children = shape.children

    async def run() -> list[int]:
        pending = list(shape.in_degree)
        results = [0] * len(functions)

        async def step(node: int) -> None:
            results[node] = await functions[node]()
            for child in children[node]:
                pending[child] -= 1
                if not pending[child]:
                    group.create_task(step(child))

        async with asyncio.TaskGroup() as group:
            for node in shape.roots:
                group.create_task(step(node))
        return results

    return run


def prepare_lean(
    shape: Shape, functions: Sequence[NodeFunction], max_parallel: int = MAX_PARALLEL
) -> Run:
    """
    Let up to `max_parallel` anyio workers take the next ready node from a deque.

    This is the cheapest correct engine. A worker that leaves nodes in the deque
    wakes an idle worker or starts one, and that one does the same. So there are
    never more workers than needed.
    """
    children = shape.children
    total = shape.node_count

    async def run() -> list[int]:
        pending = list(shape.in_degree)
        results = [0] * total
        ready = deque(shape.roots)
        idle: list[anyio.Event] = []
        workers = 1
        is_waking = False  # whether a woken worker has not looked at the deque yet
        done = 0

        async def worker() -> None:
            nonlocal workers, is_waking, done
            is_waking = False
            while True:
                while ready:
                    node = ready.popleft()
                    if ready and not is_waking:
                        if idle:
                            is_waking = True
                            idle.pop().set()
                        elif workers < max_parallel:
                            is_waking = True
                            workers += 1
                            group.start_soon(worker)
                    results[node] = await functions[node]()
                    done += 1
                    for child in children[node]:
                        pending[child] -= 1
                        if not pending[child]:
                            ready.append(child)
                if done == total:
                    for event in idle:
                        event.set()
                    return
                event = anyio.Event()
                idle.append(event)
                await event.wait()
                is_waking = False

        async with anyio.create_task_group() as group:
            await worker()  # the first worker needs no task
        return results

    return run


LOOP = Subject("loop", prepare_loop)
TASK = Subject("task", prepare_task)
LEAN = Subject("lean", prepare_lean)

BASELINES = (LEAN, TASK, LOOP)
