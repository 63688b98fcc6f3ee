"""
The matrix of mistakes: what a user writes, when dagorch notices it, and what it says.

A mistake is refused before the first call, or fails the run at a node. Its message names what is
wrong, where, and the way out. The place is a phrase, or the line with the comment `# here`: the
message or the traceback must name that line.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import anyio

from dagorch import (
    LLM,
    AgentResult,
    BaseOrchestrator,
    DagorchError,
    DefinitionError,
    Graph,
    OrchestratorConfig,
    RunError,
    SubTask,
)
from dagorch.files import parse_graph
from dagorch.nodes.base import Node

__all__ = [
    "ASK",
    "ONE_TRY",
    "Mistake",
    "Own",
    "fails",
    "mistakes_in",
    "refused",
    "refused_file",
    "run",
    "step_graph",
]  # fmt: skip

MARK = "# here"
FILE = "flow.yaml"

ASK = LLM("ask", prompt="Tea?")
ONE_TRY = OrchestratorConfig(max_retries=0)
PLAN = (SubTask("tea", "Tea?"), SubTask("sum", "Sum up", dependencies=["tea"]))


@dataclass(frozen=True)
class Mistake:
    """
    One mistake.

    Attributes:
        when: `refused`: no call was made. `fails`: the run ended with its partial results.
        make: The user's code, sync or async; takes the provider that counts the calls.
        what: The part of the message that says what is wrong.
        where: The part that says where; empty if a line is marked instead.
        way_out: The part that says what to write instead.
        path: The path of the node run that fails.
        place: `file:line` of the marked line; empty if there is none.
        example: The text of a graph file, or the arguments of a command; None for Python.
    """

    when: Literal["refused", "fails"]
    make: Callable[[Any], object]
    what: str
    where: str
    way_out: str
    path: str = ""
    place: str = ""
    example: str | tuple[str, ...] | None = None

    def commit(self, provider: Any, backend: str) -> object:
        """Make the mistake, on an event loop if its code is async."""
        if inspect.iscoroutinefunction(self.make):
            return anyio.run(self.make, provider, backend=backend)
        return self.make(provider)

    def check(self, error: BaseException, calls: int) -> None:
        """Compare an error, and the number of calls that were made, with what is expected."""
        text = "\n".join(_texts(error))
        for phrase in (self.what, self.where, self.way_out):
            assert phrase in text, f"the message lacks {phrase!r}: {text}"
        if self.place:
            assert self.place in text or self.place in _lines(error), f"no {self.place} in: {text}"
        if self.when == "refused":
            assert isinstance(error, (DagorchError, TypeError, ValueError, AttributeError))
            assert not isinstance(error, RunError), f"it failed the run: {error}"
            assert calls == 0, f"{calls} calls were paid for"
            return
        assert isinstance(error, RunError), f"{type(error).__name__}: {error}"
        assert error.path == self.path, f"{error.path!r} failed: {error}"
        partial = getattr(error.partial_results, "run", error.partial_results)
        assert partial is not None, "there are no partial results"
        assert partial.usage.calls >= calls, "a paid call is missing in the partial results"


def refused(what: str, where: str, way_out: str) -> Callable[[Any], Mistake]:
    """Declare a mistake that is refused before the first call."""
    return lambda make: _mistake("refused", make, what, where, way_out, "")


def fails(path: str, what: str, way_out: str) -> Callable[[Any], Mistake]:
    """Declare a mistake that fails the node run at `path`, which the message names."""
    where = f"node {path!r}" if path else ""
    return lambda make: _mistake("fails", make, what, where, way_out, path)


def refused_file(text: str, what: str, way_out: str) -> Mistake:
    """Declare a graph file that is refused with the line that is marked."""
    lines = [number for number, line in enumerate(text.splitlines(), 1) if MARK in line]
    assert len(lines) == 1, text

    async def make(provider: Any) -> object:
        return await parse_graph(text, file=FILE).run(provider=provider)

    return Mistake("refused", make, what, "", way_out, "", f"{FILE}:{lines[0]}:", text)


def _mistake(
    when: Literal["refused", "fails"], make: Any, what: str, where: str, way_out: str, path: str
) -> Mistake:
    lines, first = inspect.getsourcelines(make)
    marked = [number for number, line in enumerate(lines, first) if MARK in line]
    assert len(marked) <= 1, make
    assert where or marked, f"{make.__name__} says nothing about the place"
    place = f"{make.__code__.co_filename}:{marked[0]}" if marked else ""
    return Mistake(when, make, what, where, way_out, path, place)


def mistakes_in(module: ModuleType) -> Iterator[tuple[str, Mistake]]:
    """Yield the mistakes of a module by name, in the order written."""
    for name, value in vars(module).items():
        if isinstance(value, Mistake):
            yield name, value


async def run(provider: Any, *nodes: Node[Any], **options: Any) -> object:
    """Run a graph of some nodes."""
    graph = Graph("flow")
    for node in nodes:
        graph.add(node)
    return await graph.run(provider=provider, **options)


def step_graph(annotation: Any = str) -> Graph:
    """Return the body of a loop; its input is `state`."""
    step = Graph("step")
    step.input("state", annotation)
    step.add(LLM("improve", prompt="Improve {state}"))
    return step


class Own(BaseOrchestrator):
    """A user's orchestrator without a mistake."""

    def __init__(self, provider: Any, plan: Sequence[SubTask] = PLAN) -> None:
        super().__init__(ONE_TRY, provider)
        self.plan = list(plan)

    async def decompose_task(self, task: str, context: Any = None) -> Any:
        return self.plan

    async def execute_subtask(self, subtask: SubTask, context: Any = None) -> Any:
        reply = await self.provider.acomplete([{"role": "user", "content": subtask.description}])
        return AgentResult(subtask.id, reply.content)

    async def synthesize_results(
        self, agent_results: list[AgentResult], context: Any = None
    ) -> Any:
        return agent_results[-1].content


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def _texts(error: BaseException) -> Iterator[str]:
    for link in _chain(error):
        yield str(link)
        yield from getattr(link, "__notes__", ())
        if isinstance(link, DefinitionError):
            yield from (f"node {problem.node!r}" for problem in link.problems if problem.node)


def _lines(error: BaseException) -> set[str]:
    return {
        f"{frame.filename}:{frame.lineno}"
        for link in _chain(error)
        for frame in traceback.extract_tb(link.__traceback__)
    }
