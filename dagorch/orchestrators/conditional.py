"""The orchestrator of a Conditional."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dagorch.errors import DefinitionError, RunError, did_you_mean
from dagorch.models.config import OrchestratorConfig
from dagorch.nodes.choice import YES_OR_NO
from dagorch.nodes.function import Context
from dagorch.nodes.signature import function_name
from dagorch.orchestrators.builtin import BuiltinOrchestrator
from dagorch.orchestrators.handlers import (
    AnyHandler,
    Handler,
    node_function,
    retry_only_dagorch_errors,
    step_function,
)
from dagorch.orchestrators.model_lookup import model_settings
from dagorch.orchestrators.workflow import AgentInfo, Workflow
from dagorch.patterns.conditional import Decision, conditional_graph
from dagorch.patterns.steps import Step

__all__ = ["ConditionalOrchestrator"]


class ConditionalOrchestrator(BuiltinOrchestrator):
    """
    Run the one branch that a condition picks; the result is the output of its last step.

    `result.metadata["selected_branch"]` is `"true"`, `"false"` or the label.

    Args:
        config: An `OrchestratorConfig`; None is the default.
        provider: Serves the questions, the steps without a handler, and `self.provider`.
        condition: A sync or async function of the context, whose return value counts as true or
            false; or a question that the model answers with yes or no.
        true_branch: The steps if it is true: a handler, as for a Sequential; an instruction for
            the model; or a list of these.
        false_branch: The steps otherwise.
        selector: Instead of a condition: a function of the context that returns a label of
            `branches`, or a question that the model answers with a label.
        branches: The steps of each label.
        providers: Further providers by name, for models of other services.

    Raises:
        DefinitionError: An option is missing, or both sets of options are used.

    Example:
        >>> import anyio
        >>> greeting = ConditionalOrchestrator(
        ...     condition=lambda context: context["hour"] < 12,
        ...     true_branch=lambda context: "Good morning",
        ...     false_branch=lambda context: "Good day",
        ... )
        >>> result = anyio.run(greeting.execute_workflow, "Greet", {"hour": 9})
        >>> result.result, result.metadata["selected_branch"]
        ('Good morning', 'true')
    """

    unused_fields: ClassVar[frozenset[str]] = frozenset(
        {"max_parallel", "num_agents", "parallel_execution", "steps"}
    )

    def __init__(
        self,
        config: OrchestratorConfig | None = None,
        provider: Any = None,
        *,
        condition: AnyHandler | str | None = None,
        true_branch: Any = None,
        false_branch: Any = None,
        selector: AnyHandler | str | None = None,
        branches: Mapping[str, Any] | None = None,
        providers: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(config, provider, providers=providers)
        by_label = selector is not None or branches is not None
        if by_label == any(x is not None for x in (condition, true_branch, false_branch)):
            raise DefinitionError(
                f"{type(self).__name__} takes either condition=, true_branch= and false_branch=, "
                "or selector= and branches="
            )
        self._option = "selector" if by_label else "condition"
        decider = selector if by_label else condition
        if decider is None or (isinstance(decider, str) and not decider.strip()):
            raise DefinitionError(
                f"{self._option}= is missing; pass a function of the context, or a question"
            )
        self._question = decider.strip() if isinstance(decider, str) else ""
        self._condition = (
            None
            if isinstance(decider, str)
            else Handler(decider, f"{self._option}=", has_step=False)
        )
        self._branches = (
            _validated_branches(branches, "branches[{!r}]")
            if by_label
            else _validated_branches({"true": true_branch, "false": false_branch}, "{}_branch=")
        )

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        full_context = {**context, "task": task}
        primary = self.config.primary_model or ""
        branches = {
            label: [
                self._step(name, full_context, step)
                if isinstance(step, str)
                else Step(name, step_function(step, name, full_context, self.provider))
                for name, step in steps.items()
            ]
            for label, steps in self._branches.items()
        }
        graph, refs = conditional_graph(
            self._decision(full_context),
            branches,
            task,
            model_settings(self._router, primary, context),
            self._policy,
        )
        agents = {
            ref.id: AgentInfo(ref.id, label, step.name, {"branch": label})
            for label, chain in refs.items()
            for ref, step in zip(chain, branches[label], strict=True)
        }
        return Workflow(
            task,
            graph,
            planning_path=None,
            synthesis_path=graph.outputs[0].id,
            agents=agents,
            models=(primary,) if primary else (),
            metadata=lambda result: {
                "orchestrator": type(self).__name__,
                "selected_branch": result.values.get("branch"),
            },
        )

    def _decision(self, context: Mapping[str, Any]) -> Decision:
        policy, handler = retry_only_dagorch_errors(self._policy), self._condition
        if handler is None:
            words = tuple((label, label) for label in self._branches)
            labels = YES_OR_NO if self._option == "condition" else words
            return Decision(self._option, None, self._question, labels, policy=self._policy)
        name = f"{self._option} {function_name(handler.function)}"

        def call(_results: Mapping[str, Any]) -> Any:
            return handler.call(self._option, {**context, "results": {}})

        def finish(_run: Context[Any], _results: Mapping[str, Any], outcome: Any) -> str:
            if self._option == "condition":
                return "true" if outcome else "false"
            return self._label(name, outcome)

        function = node_function(call, self.provider, is_async=handler.is_async, finish=finish)
        return Decision(name, function, policy=policy)

    def _label(self, selector: str, picked: Any) -> str:
        labels = list(self._branches)
        if isinstance(picked, str) and picked in labels:
            return picked
        suggestion = did_you_mean(picked, labels) if isinstance(picked, str) else ""
        error = RunError(
            f"{selector} picked {picked!r:.60}, which is not a branch{suggestion}; "
            f"the branches are {', '.join(map(repr, labels))}"
        )
        error.retryable = False
        raise error


def _validated_branches(branches: Any, option: str) -> dict[str, dict[str, Handler | str]]:
    """Return the steps of each label by step name: handlers, and instructions for a model."""
    if not isinstance(branches, Mapping) or not branches:
        raise DefinitionError("branches= is missing; pass a dict of label to steps")
    validated: dict[str, dict[str, Handler | str]] = {}
    for label, branch in branches.items():
        place = option.format(label)
        if not isinstance(label, str) or not label:
            raise DefinitionError(
                f"branches= has the label {label!r:.60}; a label is a non-empty string"
            )
        is_list = isinstance(branch, Sequence) and not isinstance(branch, str)
        steps = list(branch) if is_list else [branch]
        if not steps or branch is None:
            raise DefinitionError(
                f"{place} is missing; pass a handler, an instruction for a model, or a list of them"
            )
        validated[label] = {
            f"{label}_{number}" if len(steps) > 1 else label: _validated_step(step, place)
            for number, step in enumerate(steps, 1)
        }
    return validated


def _validated_step(step: Any, option: str) -> Handler | str:
    if not isinstance(step, str):
        return Handler(step, option)
    if not step.strip():
        raise DefinitionError(f"{option} has an empty instruction; write what the model should do")
    return step.strip()
