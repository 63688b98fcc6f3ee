"""The Conditional as an orchestrator: a condition and branches to the pattern's graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dagorch.errors import DefinitionError, RunError, did_you_mean
from dagorch.models.config import OrchestratorConfig
from dagorch.nodes.deciding import YES_OR_NO
from dagorch.nodes.function import Context
from dagorch.orchestrators.base import BaseOrchestrator
from dagorch.orchestrators.handlers import (
    AnyHandler,
    Handler,
    described,
    node_function,
    only_calls_again,
    step_function,
)
from dagorch.orchestrators.models import asked
from dagorch.orchestrators.workflow import Agent, Workflow
from dagorch.patterns.conditional import Decision, conditional_graph
from dagorch.patterns.steps import Step

__all__ = ["ConditionalOrchestrator"]


class ConditionalOrchestrator(BaseOrchestrator):
    """
    A condition that picks one branch; only that one runs, and its last step gives the result.

    `result.metadata["selected_branch"]` is `"true"`, `"false"` or the label.

    Args:
        config: An `OrchestratorConfig`; None is the default one.
        provider: Answers questions and steps that are words, and `self.provider`'s calls.
        condition: A function of the context, sync or async, whose outcome counts as true or
            false; or a question, which the model answers with yes or no.
        true_branch: What to do if it is true: a handler, called as a step's is; words, which a
            model is told to do; or a list of these, one after the other.
        false_branch: What to do otherwise.
        selector: Instead of a condition: a function of the context that gives a label of
            `branches`; or a question, which the model answers with one.
        branches: What to do, by label.
        providers: Further ones by name, for models that are not the provider's.

    Raises:
        DefinitionError: Something of this is missing, or goes with the other way.

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
                f"{type(self).__name__} takes condition=, true_branch= and false_branch=, "
                "or else selector= and branches="
            )
        self._what = "selector" if by_label else "condition"
        chosen = selector if by_label else condition
        if chosen is None or (isinstance(chosen, str) and not chosen.strip()):
            raise DefinitionError(
                f"{self._what}= is missing; give a function of the context, or a question"
            )
        self._question = chosen.strip() if isinstance(chosen, str) else ""
        self._condition = None if isinstance(chosen, str) else Handler(chosen, f"{self._what}=")
        given = {"true": true_branch, "false": false_branch} if not by_label else branches
        self._branches = _branches_of(given, "{}_branch=" if not by_label else "branches[{!r}]")

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        told = {**context, "task": task}
        primary = self.config.primary_model or ""
        branches = {
            label: [
                Step(name, says=doing)
                if isinstance(doing, str)
                else Step(name, step_function(doing, name, told, self.provider))
                for name, doing in steps.items()
            ]
            for label, steps in self._branches.items()
        }
        graph, refs = conditional_graph(
            self._decision(told), branches, task, asked(self._router, primary), self._policy
        )
        agents = {
            ref.id: Agent(ref.id, label, step.name, {"branch": label})
            for label, chain in refs.items()
            for ref, step in zip(chain, branches[label], strict=True)
        }
        return Workflow(
            task,
            graph,
            planning=None,
            synthesis=graph.outputs[0].id,
            agents=agents,
            models=(primary,) if primary else (),
            facts=lambda result: {
                "orchestrator": type(self).__name__,
                "selected_branch": result.values.get("branch"),
            },
        )

    def _decision(self, context: Mapping[str, Any]) -> Decision:
        policy, handler = only_calls_again(self._policy), self._condition
        if handler is None:
            words = tuple((label, label) for label in self._branches)
            labels = YES_OR_NO if self._what == "condition" else words
            return Decision(self._what, None, self._question, labels, policy=self._policy)
        name = f"{self._what} {described(handler.function)}"

        def call(_told: Mapping[str, Any]) -> Any:
            return handler.call(self._what, {**context, "results": {}})

        def end(_run: Context[Any], _told: Mapping[str, Any], outcome: Any) -> str:
            if self._what == "condition":
                return "true" if outcome else "false"
            return self._label(name, outcome)

        work = node_function(call, self.provider, is_async=handler.is_async, end=end)
        return Decision(name, work, policy=policy)

    def _label(self, selector: str, picked: Any) -> str:
        labels = list(self._branches)
        if isinstance(picked, str) and picked in labels:
            return picked
        near = did_you_mean(picked, labels) if isinstance(picked, str) else ""
        error = RunError(
            f"{selector} picked {picked!r:.60}, which is no branch{near}; "
            f"the branches are {', '.join(map(repr, labels))}"
        )
        error.retryable = False
        raise error


def _branches_of(given: Any, option: str) -> dict[str, dict[str, Handler | str]]:
    """Read what was given for each label: handlers and words, by the name of their step."""
    if not isinstance(given, Mapping) or not given:
        raise DefinitionError("branches= is missing; give a dict of label to what is to be done")
    read: dict[str, dict[str, Handler | str]] = {}
    for label, doing in given.items():
        what = option.format(label)
        if not isinstance(label, str) or not label:
            raise DefinitionError(f"branches= has the label {label!r:.60}; a label is a text")
        several = isinstance(doing, Sequence) and not isinstance(doing, str)
        steps = list(doing) if several else [doing]
        if not steps or doing is None:
            raise DefinitionError(
                f"{what} is missing; give a handler, words for a model, or a list of these"
            )
        read[label] = {
            f"{label}_{number}" if len(steps) > 1 else label: _doing(step, what)
            for number, step in enumerate(steps, 1)
        }
    return read


def _doing(step: Any, what: str) -> Handler | str:
    if not isinstance(step, str):
        return Handler(step, what)
    if not step.strip():
        raise DefinitionError(f"{what} has an empty text; say what a model is to do")
    return step.strip()
