"""Questions that a graph asks a person: answered by `--answer`, else at the terminal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

import anyio
from pydantic import TypeAdapter

from dagorch.cli.display import Display
from dagorch.cli.loading import all_nodes
from dagorch.cli.options import parse_assignments
from dagorch.cli.streams import print_err
from dagorch.errors import DefinitionError, did_you_mean
from dagorch.graph.graph import Graph
from dagorch.ids import NodePath
from dagorch.models.clean import clean
from dagorch.models.events import NODE_ENDS, Event, EventType
from dagorch.nodes.ask import Ask
from dagorch.nodes.types import type_name, value_check
from dagorch.orchestrators import BaseOrchestrator

__all__ = ["Questions"]

_WORDS: Final = {"yes": True, "y": True, "no": False, "n": False}
_MAX_LINE_BYTES: Final = 65_536


class Questions:
    """
    The questions of one run, and the event listener that receives them.

    Args:
        graph: The graph that asks.
        answers: Each `name=value`; the name is that of a question's node, or its whole path.
        has_terminal: Whether a person can be asked; None checks the standard streams.

    Raises:
        DefinitionError: An answer has another form or type, or belongs to no question. Or a
            question has no answer, and there is no terminal.
    """

    def __init__(
        self, graph: Graph, answers: Iterable[str] = (), has_terminal: bool | None = None
    ) -> None:
        self._has_terminal = _is_terminal() if has_terminal is None else has_terminal
        self._nodes = {node.id: node for node in all_nodes(graph) if isinstance(node, Ask)}
        self._answers = parse_assignments("--answer", answers)
        for name, value in self._answers.items():
            self._check(name, value)
        self._parked: asyncio.Queue[Event] = asyncio.Queue()
        self._ended: dict[str, asyncio.Event] = {}
        answered = {NodePath(name).node_id for name in self._answers}
        missing = [id for id in self._nodes if id not in answered]
        if missing and not self._has_terminal:
            raise DefinitionError(
                f"graph {graph.name!r} asks a person at {', '.join(missing)}; give "
                f"--answer {missing[0]}=VALUE, or run it in a terminal"
            )

    def __call__(self, event: Event) -> None:
        if event.type is EventType.NODE_PARKED:
            self._ended[event.path] = asyncio.Event()
            self._parked.put_nowait(event)
        elif event.type in NODE_ENDS and event.path in self._ended:
            self._ended[event.path].set()

    async def serve(self, orchestrator: BaseOrchestrator, display: Display) -> None:
        """
        Answer each question of the running workflow, until this task is cancelled.

        A question that waits no longer needs no answer: its deadline has passed, or a quorum has
        been reached without it.

        Args:
            orchestrator: Runs the workflow; it is cancelled if a question has no answer.
            display: Pauses while a person is asked.
        """
        while True:
            event = await self._parked.get()
            id = NodePath(event.path).node_id
            text = self._answers.get(event.path, self._answers.get(id))
            if not orchestrator.is_asking(event.path):
                problem = ""
            elif text is not None:
                problem = self._try(orchestrator.answer, event.path, text)
            elif self._has_terminal:
                with display.paused():
                    problem = await self._ask(orchestrator, event)
            else:
                problem = f"question {event.path!r} has no answer; give --answer {id}=VALUE"
            if problem:
                orchestrator.cancel(problem)

    async def _ask(self, orchestrator: BaseOrchestrator, event: Event) -> str:
        """Ask the person until an answer fits or the question ends; return why there is none."""
        path, ended = event.path, self._ended[event.path]
        print_err(f"{path}: {clean(str(event.data.get('question', '')))}")
        while True:
            print_err("> ", end="")
            line = await _read_line(ended)
            if ended.is_set() or not orchestrator.is_asking(path):
                _discard_typed_text()  # it is not the answer to the next question
                print_err(f"\nquestion {path!r} no longer waits for an answer")
                return ""
            if line is None:
                return f"question {path!r} has no answer: the input ended"
            problem = _problem_of(line) or self._try(orchestrator.answer, path, line)
            if not problem:
                return ""
            print_err(problem)

    def _try(self, answer: Callable[[str, Any], None], path: str, text: str) -> str:
        """Answer with the first reading of a text that fits; return the error if none does."""
        problem = ""
        node = self._nodes.get(NodePath(path).node_id)
        for value in _readings(text, Any if node is None else node.output):
            try:
                answer(path, value)
            except DefinitionError as error:
                problem = problem or str(error)
            else:
                return ""
        return problem

    def _check(self, name: str, value: str) -> None:
        """Check an answer of `--answer`; the name is that of a question or the path of one."""
        node = self._nodes.get(NodePath(name).node_id)
        if node is None:
            asked = ", ".join(self._nodes)
            hint = did_you_mean(name, self._nodes) or (f"; it asks {asked}" if asked else "")
            raise DefinitionError(f"--answer {name}: the graph asks no such question{hint}")
        check = value_check(node.output)
        if check is not None and not any(map(check, _readings(value, node.output))):
            raise DefinitionError(
                f"--answer {name}: the question wants {type_name(node.output)}, not {value!r:.60}"
            )


def _readings(text: str, output: Any) -> Iterator[Any]:
    """Yield the values that a text may stand for: itself, yes or no, or JSON of the type."""
    yield text
    if text.strip().lower() in _WORDS:
        yield _WORDS[text.strip().lower()]
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(output)
    except Exception:  # pydantic cannot check this type
        with suppress(ValueError):  # not JSON
            yield json.loads(text)
        return
    with suppress(Exception):  # a user's class may raise anything; then the text does not fit
        yield adapter.validate_json(text)


def _is_terminal() -> bool:
    # Windows cannot wait for a terminal beside other work.
    return sys.platform != "win32" and all(
        stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)
    )


def _problem_of(line: str) -> str:
    """Return why a typed line cannot be an answer; the terminal does not edit a line."""
    if clean(line) == line and "\ufffd" not in line:
        return ""
    return "the answer has control characters, as of an arrow key, or is not UTF-8; type it again"


def _discard_typed_text() -> None:
    import termios  # not on Windows, where no person is asked

    with suppress(termios.error):  # the terminal is gone
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


async def _read_line(ended: asyncio.Event) -> str | None:
    """
    Read a line of the terminal, which a thread could not be cancelled from doing.

    Args:
        ended: When it is set, the line is not needed any more.

    Returns:
        The line, or None at the end of the input, or if it is not needed.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bytes] = loop.create_future()
    number = sys.stdin.fileno()

    def read() -> None:
        if not ready.done():
            try:
                ready.set_result(os.read(number, _MAX_LINE_BYTES))
            except OSError:  # the terminal is gone
                ready.set_result(b"")

    data = b""
    loop.add_reader(number, read)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_at, ended, group.cancel_scope)
            data = await ready
            group.cancel_scope.cancel()
    finally:
        loop.remove_reader(number)
    return data.decode("utf-8", "replace").strip() if data else None


async def _cancel_at(ended: asyncio.Event, scope: anyio.CancelScope) -> None:
    await ended.wait()
    scope.cancel()
