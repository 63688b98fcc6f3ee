"""A user's own graph or orchestrator, named `module:name`, made ready for `dagorch run`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

from dagorch.cli.loading import load
from dagorch.cli.patterns import Settings
from dagorch.errors import DagorchWarning, DefinitionError
from dagorch.graph.graph import NO_DEFAULT, Graph
from dagorch.models.config import OrchestratorConfig
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
    """

    unused_fields: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, own: Graph, config: OrchestratorConfig) -> None:
        super().__init__(config)
        self._own = own
        self._input = _input_for_task(own)

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        own = self._own
        own.compile()
        return Workflow(
            task,
            own,
            planning="",
            synthesis="",
            inputs={} if self._input is None else {self._input: task},
            agents={
                node.id: Agent(node.id, node.kind.value, node.id)
                for node in own
                if node.kind in ("function", "llm")
            },
            facts=lambda _: {"graph": own.name},
        )


def own_orchestrator(target: str, settings: Settings) -> BaseOrchestrator:
    """
    Load a graph or an orchestrator, and set what the options say.

    Raises:
        DefinitionError: There is none, or an option is of no use to it.
    """
    found = load(target)
    known = _OF_GRAPHS if isinstance(found, Graph) else _OF_ORCHESTRATORS
    given = settings.given()
    alien = ["--" + name.replace("_", "-") for name in given if name not in known]
    if alien:
        raise DefinitionError(
            f"{', '.join(alien).replace('-seconds', '')}: "
            f"{'the graph' if isinstance(found, Graph) else 'the orchestrator'} {target} "
            "says that for itself"
        )
    if isinstance(found, Graph):
        return OwnGraph(found, OrchestratorConfig(**given))
    found.config = found.config.model_copy(update=given)
    return found


def _input_for_task(own: Graph) -> str | None:
    """Give the name of the input that the task is for; None where there are no inputs."""
    inputs = own.inputs
    needed = [name for name, spec in inputs.items() if spec.default is NO_DEFAULT]
    if "task" in inputs:
        chosen = "task"
    elif len(needed) == 1 or (not needed and len(inputs) == 1):
        chosen = needed[0] if needed else next(iter(inputs))
    elif not inputs:
        warnings.warn(f"graph {own.name!r} takes no task", DagorchWarning, stacklevel=2)
        return None
    else:
        raise DefinitionError(
            f"graph {own.name!r} has the inputs {', '.join(inputs)}; call the one that gets the "
            "task 'task'"
        )
    if missing := [name for name in needed if name != chosen]:
        raise DefinitionError(
            f"graph {own.name!r} needs {', '.join(missing)} beside the task; give them defaults, "
            "or run it from Python"
        )
    return chosen
