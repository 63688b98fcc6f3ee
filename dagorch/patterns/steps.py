"""A chain of steps that each read all earlier ones; a function or a model performs a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dagorch.graph.graph import Graph
from dagorch.models.policy import Policy
from dagorch.models.ref import Ref, Refs
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.signature import ParameterSpec
from dagorch.nodes.template import as_text
from dagorch.patterns import step_prompts as prompts
from dagorch.patterns.partition import join_texts
from dagorch.patterns.subtasks import node_ids
from dagorch.patterns.token_limits import LARGE, TokenLimits

__all__ = ["DEFAULT_SETTINGS", "ModelSettings", "Step", "StepLLM", "add_steps"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The model of the steps that have no function, and its limits."""

    model: str = ""
    """The model's name for the router or provider of the run."""
    limits: TokenLimits = LARGE

    def options(self, prompt: str, *, is_answer: bool = False) -> dict[str, Any]:
        """Return the arguments of an LLM node for this model."""
        return self.limits.options(prompt, self.model, is_answer=is_answer)


DEFAULT_SETTINGS: Final = ModelSettings()


@dataclass(frozen=True, slots=True)
class Step:
    """The name of a step, and what performs it."""

    name: str
    """Unique; also the instruction for a model, unless there is another."""
    function: Callable[..., Any] | None = None
    """Called with `results`, the outputs of earlier steps by name. None: a model does the step."""
    instruction: str = ""
    """The instruction for a model, if the name is not enough."""


@dataclass(frozen=True, slots=True)
class StepLLM(LLM[str]):
    """
    An LLM node that reads `results`, a dict of earlier outputs by step name.

    They are written in its prompt as text, cut to fit; empty outputs are left out.
    """

    read_bytes: int = field(default=LARGE.read_bytes, kw_only=True)

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Return the inputs of the prompt, of which `results` is a dict."""
        return tuple(
            ParameterSpec("results", dict[str, Any]) if spec.name == "results" else spec
            for spec in LLM.parameters(self)
        )

    def opening(self, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the first messages, with the earlier outputs filled in."""
        texts = {
            name: as_text(value, f"the result of {name!r}")
            for name, value in inputs["results"].items()
        }
        paragraphs = [f"{name}: {text}" for name, text in texts.items() if text.strip()]
        text = f"{join_texts(paragraphs, self.read_bytes)}\n\n" if paragraphs else ""
        return LLM.opening(self, {**inputs, "results": text})


def add_steps(
    graph: Graph,
    steps: Sequence[Step],
    settings: ModelSettings,
    policy: Policy,
    *,
    results: Mapping[str, Ref[Any]] | None = None,
    after: Refs = (),
    prompt: str = prompts.LAST,
) -> list[Ref[Any]]:
    """
    Add a chain of steps to a graph that has an input `task`, and return their refs.

    Args:
        graph: The graph to extend.
        steps: At least one. Their names become node ids, with a suffix if an id is taken.
        settings: The model of steps without a function.
        policy: The policy of every step.
        results: Further values that all steps read, by name.
        after: What the first step waits for.
        prompt: The prompt of a last step done by a model, with `{task}`, `{results}` and `{step}`.

    Example:
        >>> graph = Graph("essay")
        >>> task = graph.input("task", str)
        >>> steps = [Step("draft"), Step("polish")]
        >>> draft, final = add_steps(graph, steps, ModelSettings(), Policy())
        >>> list(graph.nx.predecessors("polish"))
        ['draft']
    """
    known = dict(results or {})
    ids = node_ids(step.name for step in steps)
    refs: list[Ref[Any]] = []
    for step in steps:
        id = _free_id(graph, ids[step.name])
        inputs: dict[str, Any] = {"results": dict(known)}
        node: Function | StepLLM
        if step.function is not None:
            node = Function(id, step.function, policy=policy)
        else:
            is_last = step is steps[-1]
            options = settings.options(prompt if is_last else prompts.STEP, is_answer=is_last)
            node = StepLLM(id, policy=policy, read_bytes=settings.limits.read_bytes, **options)
            if any(spec.name == "step" for spec in node.parameters()):
                inputs["step"] = step.instruction or step.name
        refs.append(graph.add(node, after=after, **inputs))
        known[step.name] = refs[-1]
        after = ()  # later steps wait for the first, because they read it
    return refs


def _free_id(graph: Graph, id: str) -> str:
    number, free = 1, id
    while free in graph or free in graph.inputs:
        number += 1
        free = f"{id}-{number}"
    return free
