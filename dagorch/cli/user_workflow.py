"""The user's own graph or orchestrator, prepared for `dagorch run`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from dagorch.cli.loading import load_workflow
from dagorch.cli.options import option_name, parse_assignments
from dagorch.errors import DagorchWarning, DefinitionError, did_you_mean
from dagorch.graph.graph import NO_DEFAULT, Graph
from dagorch.models.config import OrchestratorConfig
from dagorch.nodes.types import value_check
from dagorch.orchestrators import BaseOrchestrator
from dagorch.orchestrators.workflow import AgentInfo, Workflow

__all__ = ["GraphOrchestrator", "load_orchestrator"]

_GRAPH_OPTIONS = ("max_cost", "max_parallel", "on_budget")
_ORCHESTRATOR_OPTIONS = (*_GRAPH_OPTIONS, "fallback_model", "timeout_seconds")


class GraphOrchestrator(BaseOrchestrator):
    """
    Runs one graph. The task becomes the input `task`, or the only input that needs a value.

    Args:
        graph: The user's graph.
        config: `max_cost`, `max_parallel` and `on_budget` apply to the run; the nodes keep their
            policies.
        inputs: The values of other inputs.
        has_task: Whether there is a task. If not, `inputs` must have all that the graph needs.

    Raises:
        DefinitionError: The graph does not compile, or lacks an input.
    """

    unused_fields: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        graph: Graph,
        config: OrchestratorConfig,
        inputs: Mapping[str, Any] | None = None,
        *,
        has_task: bool = True,
    ) -> None:
        super().__init__(config)
        graph.compile()
        self._graph = graph
        self._inputs = dict(inputs or {})
        self._task_input = _input_for_task(graph, self._inputs) if has_task else None
        known = {self._task_input, *self._inputs}
        missing = [
            name
            for name, graph_input in graph.inputs.items()
            if graph_input.default is NO_DEFAULT and name not in known
        ]
        if missing:
            besides = " besides the task" if has_task else ""
            raise DefinitionError(
                f"graph {graph.name!r} needs {', '.join(missing)}{besides}; "
                f"give --input {missing[0]}=..."
            )

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        return Workflow(
            task,
            self._graph,
            planning_path="",
            synthesis_path="",
            inputs=self._inputs | self._task_value(task),
            agents={
                node.id: AgentInfo(node.id, node.kind.value, node.id)
                for node in self._graph
                if node.kind in ("function", "llm")
            },
            metadata=lambda _: {"graph": self._graph.name},
        )

    def _task_value(self, task: str) -> dict[str, Any]:
        """Return the task by the name of its input; an untyped input gets the text itself."""
        name = self._task_input
        if name is None:
            return {}
        untyped = self._graph.inputs[name].annotation is Any
        return {name: task if untyped else _parse_value(self._graph, name, task)}


def load_orchestrator(
    target: str,
    settings: Mapping[str, Any],
    modules: Iterable[str] = (),
    inputs: Iterable[str] = (),
    *,
    has_task: bool = True,
) -> BaseOrchestrator:
    """
    Load a graph or an orchestrator, and apply the options.

    Args:
        target: As for `load_workflow`.
        settings: The options that the user set, by field name.
        modules: The modules whose functions a graph file may use.
        inputs: Inputs of a graph, each as `name=value`.
        has_task: Whether there is a task as well.

    Raises:
        DefinitionError: It cannot be loaded, or an option does not apply to it.
    """
    found = load_workflow(target, modules)
    kind, allowed = (
        ("the graph", _GRAPH_OPTIONS)
        if isinstance(found, Graph)
        else ("the orchestrator", _ORCHESTRATOR_OPTIONS)
    )
    if refused := [option_name(name) for name in settings if name not in allowed]:
        raise DefinitionError(
            f"{', '.join(refused)} cannot be used with {kind} {target}; set them in its code"
        )
    if isinstance(found, Graph):
        values = _parse_inputs(found, parse_assignments("--input", inputs))
        return GraphOrchestrator(found, OrchestratorConfig(**settings), values, has_task=has_task)
    if text := next(iter(inputs), ""):
        raise DefinitionError(f"--input {text} is for graphs; {target} is an orchestrator")
    found.config = found.config.model_copy(update=dict(settings))
    return found


def _parse_inputs(graph: Graph, texts: Mapping[str, str]) -> dict[str, Any]:
    """
    Parse the inputs of a graph, by name.

    Raises:
        DefinitionError: The graph has no such input.
    """
    for name in texts:
        if name not in graph.inputs:
            hint = did_you_mean(name, graph.inputs) or (
                f"; its inputs are {', '.join(graph.inputs)}"
                if graph.inputs
                else "; it has no inputs"
            )
            raise DefinitionError(f"graph {graph.name!r} has no input {name!r}{hint}")
    return {name: _parse_value(graph, name, text) for name, text in texts.items()}


def _parse_value(graph: Graph, name: str, text: str) -> Any:
    """Return the text if the input's type accepts it; otherwise its JSON value, if it is JSON."""
    accepts = value_check(graph.inputs[name].annotation)
    if accepts is not None and accepts(text):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _input_for_task(graph: Graph, values: Mapping[str, Any]) -> str | None:
    """Return the name of the input that gets the task; None if the graph has no inputs."""
    open_inputs = [name for name in graph.inputs if name not in values]
    required = [name for name in open_inputs if graph.inputs[name].default is NO_DEFAULT]
    if "task" in open_inputs:
        return "task"
    if len(required) == 1 or (not required and len(open_inputs) == 1):
        return required[0] if required else open_inputs[0]
    if not graph.inputs:
        warnings.warn(f"graph {graph.name!r} takes no task", DagorchWarning, stacklevel=2)
        return None
    if not open_inputs:
        raise DefinitionError(
            f"--input sets every input of graph {graph.name!r}; leave out the task, or the --input "
            "for it"
        )
    raise DefinitionError(
        f"graph {graph.name!r} has the inputs {', '.join(graph.inputs)}; set each with --input "
        "name=value, or give the name 'task' to the one for the task"
    )
