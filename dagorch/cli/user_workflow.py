"""A user's own graph or orchestrator, from a file or a module, made ready for `dagorch run`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from dagorch.cli.loading import every_node, load
from dagorch.cli.patterns import Settings, option_of
from dagorch.errors import DagorchWarning, DefinitionError, did_you_mean
from dagorch.graph.graph import NO_DEFAULT, Graph
from dagorch.models.config import OrchestratorConfig
from dagorch.nodes.types import value_check
from dagorch.orchestrators import BaseOrchestrator
from dagorch.orchestrators.workflow import Agent, Workflow

__all__ = ["OwnGraph", "own_orchestrator"]

_OF_GRAPHS = ("max_cost", "max_parallel")
_OF_ORCHESTRATORS = (*_OF_GRAPHS, "fallback_model", "timeout_seconds")


class OwnGraph(BaseOrchestrator):
    """
    Runs one graph for any task, which goes to its input `task`, or to the only one it needs.

    Args:
        own: The user's.
        config: Its `max_cost` and `max_parallel` hold for the run; policies are the graph's own.
        inputs: What further inputs are given, by name.
        has_task: Whether there is a task; else all that the graph needs is among the inputs.
    """

    unused_fields: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        own: Graph,
        config: OrchestratorConfig,
        inputs: Mapping[str, Any] | None = None,
        *,
        has_task: bool = True,
    ) -> None:
        super().__init__(config)
        self._own = own
        self._inputs = dict(inputs or {})
        self._input = _input_for_task(own, self._inputs) if has_task else None
        taken = {self._input, *self._inputs}
        if asked := [node.id for node in every_node(own) if node.kind == "ask"]:
            raise DefinitionError(
                f"graph {own.name!r} asks a person at {', '.join(asked)}, which nobody could "
                "answer here; run it from Python, by graph.start(...)"
            )
        missing = [n for n, i in own.inputs.items() if i.default is NO_DEFAULT and n not in taken]
        if missing:
            beside = " beside the task" if has_task else ""
            raise DefinitionError(
                f"graph {own.name!r} needs {', '.join(missing)}{beside}; "
                f"give --input {missing[0]}=..."
            )

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        own = self._own
        own.compile()
        return Workflow(
            task,
            own,
            planning="",
            synthesis="",
            inputs=self._inputs | self._task(task),
            agents={
                node.id: Agent(node.id, node.kind.value, node.id)
                for node in own
                if node.kind in ("function", "llm")
            },
            facts=lambda _: {"graph": own.name},
        )

    def _task(self, task: str) -> dict[str, Any]:
        """Give the task to its input; words are words wherever they are welcome."""
        if self._input is None:
            return {}
        welcome = self._own.inputs[self._input].annotation is Any
        return {self._input: task if welcome else _read(self._own, self._input, task)}


def own_orchestrator(
    target: str,
    settings: Settings,
    modules: Iterable[str] = (),
    inputs: Iterable[str] = (),
    *,
    has_task: bool = True,
) -> BaseOrchestrator:
    """
    Load a graph or an orchestrator, and set what the options say.

    Args:
        target: See `load`.
        settings: Of the options.
        modules: Those that a file may name functions of.
        inputs: Of a graph, each `name=value`.
        has_task: Whether there is a task beside them.

    Raises:
        DefinitionError: There is none, or an option is of no use to it.
    """
    found = load(target, modules)
    known = _OF_GRAPHS if isinstance(found, Graph) else _OF_ORCHESTRATORS
    given = settings.given()
    alien = [option_of(name) for name in given if name not in known]
    if alien:
        raise DefinitionError(
            f"{', '.join(alien)}: "
            f"{'the graph' if isinstance(found, Graph) else 'the orchestrator'} {target} "
            "says that for itself"
        )
    if isinstance(found, Graph):
        values = dict(_value(found, text) for text in inputs)
        return OwnGraph(found, OrchestratorConfig(**given), values, has_task=has_task)
    if text := next(iter(inputs), ""):
        raise DefinitionError(f"--input {text} is for graphs; {target} is an orchestrator")
    found.config = found.config.model_copy(update=given)
    return found


def _value(own: Graph, text: str) -> tuple[str, Any]:
    """
    Read `name=value` for a graph.

    Raises:
        DefinitionError: It is not of that form, or the graph has no such input.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise DefinitionError(f"--input {text!r} is not of the form name=value")
    if name not in own.inputs:
        known = did_you_mean(name, own.inputs) or f"; it has {', '.join(own.inputs) or 'none'}"
        raise DefinitionError(f"graph {own.name!r} has no input {name!r}{known}")
    return name, _read(own, name, value)


def _read(own: Graph, name: str, text: str) -> Any:
    """Give an input its value: the text where its type takes that, else JSON where it is that."""
    takes = value_check(own.inputs[name].annotation)
    if takes is not None and takes(text):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _input_for_task(own: Graph, given: Mapping[str, Any]) -> str | None:
    """Give the name of the input that the task is for; None where there are no inputs."""
    inputs = [name for name in own.inputs if name not in given]
    needed = [name for name in inputs if own.inputs[name].default is NO_DEFAULT]
    if "task" in inputs:
        return "task"
    if len(needed) == 1 or (not needed and len(inputs) == 1):
        return needed[0] if needed else inputs[0]
    if not own.inputs:
        warnings.warn(f"graph {own.name!r} takes no task", DagorchWarning, stacklevel=2)
        return None
    raise DefinitionError(
        f"graph {own.name!r} has the inputs {', '.join(own.inputs)}; give each by --input "
        "name=value, or call the one that gets the task 'task'"
    )
