"""
The three baselines: a plain loop, one task per node, and a lean pool of workers.

None checks anything, retries anything or tells anybody. They are the floor, not
a proposal.
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
    """Await each node in topological order: no parallelism, no bookkeeping."""

    async def run() -> list[int]:
        return [await function() for function in functions]

    return run


def prepare_task(shape: Shape, functions: Sequence[NodeFunction]) -> Run:
    """
    Start an asyncio task for each node once its parents are done.

    In a `TaskGroup`, the leanest way that keeps a reference to each task and
    lets no error pass.
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
    Let a few workers take the next ready node themselves; the leanest correct engine.

    In-degrees, a deque, and up to `max_parallel` anyio workers. A worker that
    leaves something in the deque calls one more, an idle one if there is one;
    the one called does the same, so sixteen are never started for nothing.
    """
    children = shape.children
    total = shape.node_count

    async def run() -> list[int]:
        pending = list(shape.in_degree)
        results = [0] * total
        ready = deque(shape.roots)
        idle: list[anyio.Event] = []
        workers = 1
        called = False  # whether a worker is on its way that has not seen the deque yet
        done = 0

        async def worker() -> None:
            nonlocal workers, called, done
            called = False
            while True:
                while ready:
                    node = ready.popleft()
                    if ready and not called:
                        if idle:
                            called = True
                            idle.pop().set()
                        elif workers < max_parallel:
                            called = True
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
                called = False

        async with anyio.create_task_group() as group:
            await worker()  # the first worker costs no task
        return results

    return run


LOOP = Subject("loop", prepare_loop)
TASK = Subject("task", prepare_task)
LEAN = Subject("lean", prepare_lean)

BASELINES = (LEAN, TASK, LOOP)
