"""What an orchestrator may be told: a class per pattern, each field with the rule it must keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from os import PathLike, fspath
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, SkipValidation

from dagorch.models.document import document_format
from dagorch.models.strict import StrictModel

__all__ = [
    "BeltalowdaConfig", "DreamCascadeConfig", "DreamSwarmConfig", "OrchestratorConfig", "Rule",
    "SwarmConfig",
]  # fmt: skip

MAX_AGENTS: Final = 10_000
"""Of one tier: enough for any use, and a slip of the finger is told before it fills the memory."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field's value must be, in words and as a test."""

    wanted: str
    """As in `max_parallel=0 must be <wanted>`."""
    holds: Callable[[Any], bool]


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return math.isfinite(value)


def _whole(least: int, most: int | None = None) -> Rule:
    bound = f"of at least {least}" if most is None else f"from {least} to {most:,}"
    return Rule(
        f"a whole number {bound}",
        lambda value: (
            isinstance(value, int)
            and not isinstance(value, bool)
            and value >= least
            and (most is None or value <= most)
        ),
    )


def _or_none(rule: Rule, meaning: str) -> Rule:
    return Rule(
        f"{rule.wanted}, or None for {meaning}", lambda value: value is None or rule.holds(value)
    )


_AGENTS = _whole(1, MAX_AGENTS)
_SECONDS = Rule("a number of seconds above 0", lambda value: _number(value) and value > 0)
_DOLLARS = Rule("an amount of dollars of at least 0", lambda value: _number(value) and value >= 0)
_MODEL = Rule("the name of a model", lambda value: isinstance(value, str) and bool(value.strip()))
_DOMAINS = Rule(
    "a list of names, each once",
    lambda value: (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(name, str) and name.strip() for name in value)
        and len(set(value)) == len(value)
    ),
)
_SWITCH = Rule("True or False", lambda value: isinstance(value, bool))

# Not checked when it is made, so that a bad value is told by `validate()`, with all others.
Whole = SkipValidation[int]
Switch = SkipValidation[bool]
Model = SkipValidation[str | None]
_STEPS = Rule(
    "None, or a list of names, all different",
    lambda value: (
        value is None
        or (
            isinstance(value, list | tuple)
            and bool(value)
            and all(isinstance(name, str) and bool(name.strip()) for name in value)
            and len(set(value)) == len(value)
        )
    ),
)
_FORMATS = Rule(
    "a list of formats, each once: markdown, html, pdf, docx",
    lambda value: (
        isinstance(value, list | tuple)
        and bool(value)
        and all(document_format(name) is not None for name in value)
        and len({document_format(name) for name in value}) == len(value)
    ),
)
_FOLDER = Rule(
    "the path of a folder",
    lambda value: (
        isinstance(value, str | PathLike)
        and isinstance(fspath(value), str)
        and bool(str(value).strip())
        and "\0" not in str(value)
    ),
)
_CHEAPER = Rule(
    "the name of a model, a dict of one for each model, or None",
    lambda value: (
        value is None
        or _MODEL.holds(value)
        or (
            isinstance(value, Mapping)
            and bool(value)
            and all(_MODEL.holds(name) for pair in value.items() for name in pair)
        )
    ),
)
_TIER = _or_none(_MODEL, "primary_model")


class OrchestratorConfig(StrictModel):
    """
    What every orchestrator may be told.

    A wrong field name fails at once; a wrong value is reported by `validate()`, which every
    orchestrator asks before anything runs.

    Example:
        >>> OrchestratorConfig(max_parallel=0, max_retries=2).validate()
        ['max_parallel=0 must be a whole number of at least 1']
    """

    model_config = ConfigDict(ser_json_inf_nan="strings")

    num_agents: Annotated[Whole, _AGENTS] = 5
    """
    Where you set it: of your own pattern `context["num_agents"]` of `decompose_task`.

    Of a Sequential it must be the number of steps.
    """
    primary_model: Annotated[Model, _or_none(_MODEL, "the provider's own default")] = None
    """The model of every call that names none."""
    fallback_model: Annotated[Model, _or_none(_MODEL, "no other model")] = None
    """Answers where a step's own model has failed for good, with as many tries."""
    max_retries: Annotated[Whole, _whole(0)] = 3
    """Further tries of each step after its first; 3 is at most 4 attempts."""
    timeout_seconds: Annotated[SkipValidation[float | None], _or_none(_SECONDS, "no limit")] = 300.0
    """Of each step with its retries: the planning, each subtask, the synthesis."""
    enable_streaming: Annotated[Switch, _SWITCH] = True
    """Whether `stream_callback` is told anything."""
    enable_cost_tracking: Annotated[Switch, _SWITCH] = True
    """False: results tell no dollars. Ceilings hold all the same, and `.run` has every bill."""
    enable_document_generation: Annotated[Switch, _SWITCH] = False
    """True: each workflow's outcome is also written as documents, listed in `.documents`."""
    output_formats: Annotated[SkipValidation[list[str]], _FORMATS] = Field(
        default_factory=lambda: ["markdown"]
    )
    """Of documents: `markdown`, `html`, `pdf`, `docx`; the last two need `dagorch[documents]`."""
    output_dir: Annotated[SkipValidation[str | PathLike[str]], _FOLDER] = "reports"
    """Where documents go; made if it is not there. No file in it is replaced."""
    parallel_execution: Annotated[Switch, _SWITCH] = True
    """False: one step at a time."""
    max_parallel: Annotated[Whole, _whole(1)] = 8
    """Steps at once."""
    max_cost: Annotated[SkipValidation[float | None], _or_none(_DOLLARS, "no ceiling")] = None
    """Dollars that a workflow never exceeds."""
    max_tokens: Annotated[SkipValidation[int | None], _or_none(_whole(0), "no ceiling")] = None
    """The same in tokens of input and output together."""
    downgrade: Annotated[SkipValidation[str | dict[str, str] | None], _CHEAPER] = None
    """A cheaper model to ask before a ceiling ends the workflow, or one for each model."""
    steps: Annotated[SkipValidation[list[str] | None], _STEPS] = None
    """Of a Sequential, in order; also of an Iterative's pass. Your own have `context["steps"]`."""

    def validate(self) -> list[str]:  # type: ignore[override]  # pydantic's old name for model_validate
        """Give what is wrong, a message a field; empty when all is well."""
        found = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            for rule in field.metadata:
                if isinstance(rule, Rule) and not rule.holds(value):
                    found.append(f"{name}={value!r:.60} must be {rule.wanted}")
        has_ceiling = self.max_cost is not None or self.max_tokens is not None
        if self.downgrade and _CHEAPER.holds(self.downgrade) and not has_ceiling:
            found.append("downgrade does nothing without a ceiling; set max_cost or max_tokens")
        return found


class DreamCascadeConfig(OrchestratorConfig):
    """
    What a Dream Cascade may be told: how many agents each tier has, and which model each uses.

    Example:
        >>> DreamCascadeConfig(belter_count=4, drumer_count=2)
        Traceback (most recent call last):
        ...
        dagorch.errors.DefinitionError: ... no field 'drumer_count'; did you mean 'drummer_count'?
    """

    belter_count: Annotated[Whole, _AGENTS] = 3
    """Searches in parallel."""
    drummer_count: Annotated[Whole, _AGENTS] = 2
    """Analyses, each of its share of the searches."""
    camina_count: Annotated[Whole, _AGENTS] = 1
    """Syntheses, merged if there is more than one."""
    belter_model: Annotated[Model, _TIER] = None
    drummer_model: Annotated[Model, _TIER] = None
    camina_model: Annotated[Model, _TIER] = None


BeltalowdaConfig = DreamCascadeConfig
"""The older name."""


class DreamSwarmConfig(OrchestratorConfig):
    """
    What a Dream Swarm may be told: how many agents, and where they search.

    Example:
        >>> DreamSwarmConfig(num_agents=3, domains=["arxiv", "arxiv"]).validate()
        ["domains=['arxiv', 'arxiv'] must be a list of names, each once"]
    """

    num_agents: Annotated[Whole, _AGENTS] = 5
    """Agents that read and cite; a domain's agents share what it gives."""
    domains: Annotated[SkipValidation[list[str]], _DOMAINS] = Field(
        default_factory=lambda: ["arxiv", "github", "news", "wikipedia"]
    )
    """Names of sources, dealt round robin. Left unset: those that are given, if any are."""
    findings_per_agent: Annotated[Whole, _whole(1, 100)] = 5
    """That an agent reads of each of its domains, at most."""


SwarmConfig = DreamSwarmConfig
"""The older name."""
