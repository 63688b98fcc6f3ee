"""Steps one after the other, each reading all before it; a function does one, or else a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dagorch.graph.graph import Graph
from dagorch.models.policy import Policy
from dagorch.models.ref import Ref
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.signature import ParameterSpec
from dagorch.nodes.template import as_text
from dagorch.patterns import step_prompts as prompts
from dagorch.patterns.partition import joined
from dagorch.patterns.subtasks import node_ids
from dagorch.patterns.token_limits import LARGE, TokenLimits

__all__ = ["DEFAULT_SETTINGS", "AskStep", "ModelSettings", "Step", "add_steps"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The model that does what no function does, and how much it can take."""

    model: str = ""
    """As a run's router or provider knows it."""
    room: TokenLimits = LARGE

    def asking(self, prompt: str, *, answers: bool = False) -> dict[str, Any]:
        """Give what every LLM node of a pattern is made with."""
        room = self.room
        return {
            "prompt": prompt,
            "model": self.model,
            "max_tokens": room.answer_tokens if answers else room.write_tokens,
            "temperature": room.temperature,
            "extra": room.extra or None,
        }


DEFAULT_SETTINGS: Final = ModelSettings()


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it is called, and what does it."""

    name: str
    """Also what a model is told to do; must differ from the others'."""
    work: Callable[..., Any] | None = None
    """
    A node's function, called with `names` of the steps before it and what they gave.

    That is a keyword each, `told_1` and on, in the order of the names. None: a model is asked.
    """
    says: str = ""
    """What a model is told to do, where its name does not say it."""


@dataclass(frozen=True, slots=True)
class AskStep(LLM[str]):
    """
    An LLM step that reads what others gave, put together as far as the room goes.

    Its prompt has `{told}` where that stands; what is empty leaves no trace.
    """

    names: tuple[str, ...] = field(default=(), kw_only=True)
    """Of those it reads, the inputs `told_1` and on."""
    read_bytes: int = field(default=LARGE.read_bytes, kw_only=True)

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The inputs of its prompt, with a `told_1`, ... for the one `told`."""
        told = (ParameterSpec(f"told_{n}", Any) for n in range(1, len(self.names) + 1))
        return (*(spec for spec in LLM.parameters(self) if spec.name != "told"), *told)

    def opening(self, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The turns, with what was told filled in."""
        texts = {name: as_text(inputs[f"told_{n}"]) for n, name in enumerate(self.names, 1)}
        spoken = [f"{name}: {text}" for name, text in texts.items() if text.strip()]
        told = f"{joined(spoken, self.read_bytes)}\n\n" if spoken else ""
        return LLM.opening(self, {**inputs, "told": told})


def add_steps(
    graph: Graph,
    steps: Sequence[Step],
    asked: ModelSettings,
    policy: Policy,
    *,
    told: Mapping[str, Ref[Any]] | None = None,
    after: Any = (),
    prompt: str = prompts.LAST,
) -> list[Ref[Any]]:
    """
    Add steps to a graph that has an input `task`, in a chain; give their refs.

    Args:
        graph: Where to.
        steps: At least one. Their names become node ids, as far as those are free.
        asked: The model of steps without a function.
        policy: Of every step.
        told: What the first step and all others read besides, by name.
        after: What the first step waits for.
        prompt: What a model that does the last step is told; it has `{task}`, `{told}` and
            `{step}`.

    Example:
        >>> graph = Graph("essay")
        >>> task = graph.input("task", str)
        >>> steps = [Step("draft"), Step("polish")]
        >>> draft, final = add_steps(graph, steps, ModelSettings(), Policy())
        >>> graph.node(final.id).names
        ('draft',)
    """
    known = dict(told or {})
    ids = node_ids(step.name for step in steps)
    refs: list[Ref[Any]] = []
    for step in steps:
        id = _free(graph, ids[step.name])
        inputs: dict[str, Any] = {f"told_{n}": ref for n, ref in enumerate(known.values(), 1)}
        node: Function | AskStep
        if step.work is not None:
            node = Function(id, step.work, policy=policy)
            inputs["names"] = tuple(known)
        else:
            is_last = step is steps[-1]
            node = AskStep(
                id,
                policy=policy,
                names=tuple(known),
                read_bytes=asked.room.read_bytes,
                **asked.asking(prompt if is_last else prompts.STEP, answers=is_last),
            )
            if any(spec.name == "step" for spec in node.parameters()):
                inputs["step"] = step.says or step.name
        refs.append(graph.add(node, after=after, **inputs))
        known[step.name] = refs[-1]
        after = ()  # the others wait for the first, whose value they read
    return refs


def _free(graph: Graph, id: str) -> str:
    """Give the id, or one like it where the graph has it for something of its own."""
    number, free = 1, id
    while free in graph or free in graph.inputs:
        number += 1
        free = f"{id}-{number}"
    return free
