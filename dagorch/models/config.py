"""The configs of orchestrators: one class per pattern, and a validation rule per field."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from os import PathLike, fspath
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, SkipValidation, field_validator

from dagorch.models.document import document_format
from dagorch.models.run_options import OnBudget
from dagorch.models.several import listed
from dagorch.models.strict import StrictModel

__all__ = [
    "BeltalowdaConfig", "DreamCascadeConfig", "DreamSwarmConfig", "OrchestratorConfig", "Rule",
    "SwarmConfig",
]  # fmt: skip

MAX_AGENTS: Final = 10_000
"""Agents in one tier; a typing error is reported before it fills the memory."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the value of a field must be, as text and as a check."""

    expected: str
    """As in `max_parallel=0 must be <expected>`."""
    accepts: Callable[[Any], bool]


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return math.isfinite(value)


def _is_list_of_names(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(name, str) and bool(name.strip()) for name in value)
        and len(set(value)) == len(value)
    )


def _whole(low: int, high: int | None = None) -> Rule:
    bound = f"of at least {low}" if high is None else f"from {low} to {high:,}"
    return Rule(
        f"a whole number {bound}",
        lambda value: (
            isinstance(value, int)
            and not isinstance(value, bool)
            and value >= low
            and (high is None or value <= high)
        ),
    )


def _or_none(rule: Rule, meaning: str) -> Rule:
    return Rule(
        f"{rule.expected}, or None for {meaning}",
        lambda value: value is None or rule.accepts(value),
    )


_AGENTS = _whole(1, MAX_AGENTS)
_SECONDS = Rule("a number of seconds above 0", lambda value: _number(value) and value > 0)
_DOLLARS = Rule("an amount of dollars of at least 0", lambda value: _number(value) and value >= 0)
_MODEL = Rule("the name of a model", lambda value: isinstance(value, str) and bool(value.strip()))
_DOMAINS = Rule("a list of names, each once", _is_list_of_names)
_FLAG = Rule("True or False", lambda value: isinstance(value, bool))

# Not validated on construction, so that `validate()` reports every wrong value at once.
Whole = SkipValidation[int]
Flag = SkipValidation[bool]
Model = SkipValidation[str | None]
_STEPS = Rule(
    "None, or a list of names, all different",
    lambda value: value is None or _is_list_of_names(value),
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
        or _MODEL.accepts(value)
        or (
            isinstance(value, Mapping)
            and bool(value)
            and all(_MODEL.accepts(name) for pair in value.items() for name in pair)
        )
    ),
)
_ON_BUDGET = Rule("'stop' or 'finish'", lambda value: value in ("stop", "finish"))
_TIER = _or_none(_MODEL, "primary_model")


class OrchestratorConfig(StrictModel):
    """
    The config of every orchestrator.

    A wrong field name fails at once. A wrong value is reported by `validate()`, which every
    orchestrator calls before it runs.

    Example:
        >>> OrchestratorConfig(max_parallel=0, max_retries=2).validate()
        ['max_parallel=0 must be a whole number of at least 1']
    """

    model_config = ConfigDict(ser_json_inf_nan="strings")

    num_agents: Annotated[Whole, _AGENTS] = 5
    """
    If set: `context["num_agents"]` for `decompose_task` of your own orchestrator.

    For a Sequential it must equal the number of steps.
    """
    primary_model: Annotated[Model, _or_none(_MODEL, "the provider's own default")] = None
    """The model of every call that does not name one."""
    fallback_model: Annotated[Model, _or_none(_MODEL, "no other model")] = None
    """Used after a step's own model has failed, with the same number of attempts."""
    max_retries: Annotated[Whole, _whole(0)] = 3
    """Retries of each step after the first attempt; 3 means at most 4 attempts."""
    timeout_seconds: Annotated[SkipValidation[float | None], _or_none(_SECONDS, "no limit")] = 300.0
    """The limit of each step with its retries: planning, each subtask, synthesis."""
    enable_streaming: Annotated[Flag, _FLAG] = True
    """Whether `stream_callback` is called."""
    stream_engine_events: Annotated[Flag, _FLAG] = False
    """True also sends the events of the engine to `stream_callback`: tokens, retries, nodes."""
    enable_cost_tracking: Annotated[Flag, _FLAG] = True
    """False removes dollars from results. Ceilings still apply, and `.run` has every bill."""
    enable_document_generation: Annotated[Flag, _FLAG] = False
    """True also writes each result as documents, listed in `.documents`."""
    output_formats: Annotated[SkipValidation[list[str]], _FORMATS] = Field(
        default_factory=lambda: ["markdown"]
    )
    """`markdown`, `html`, `pdf`, `docx`; the last two need `dagorch[documents]`."""
    output_dir: Annotated[SkipValidation[str | PathLike[str]], _FOLDER] = "reports"
    """The folder of the documents, created if missing. Existing files are never overwritten."""
    parallel_execution: Annotated[Flag, _FLAG] = True
    """False runs one step at a time."""
    max_parallel: Annotated[Whole, _whole(1)] = 16
    """The most steps that run at the same time."""
    max_cost: Annotated[SkipValidation[float | None], _or_none(_DOLLARS, "no ceiling")] = None
    """The ceiling of a workflow in dollars."""
    max_tokens: Annotated[SkipValidation[int | None], _or_none(_whole(0), "no ceiling")] = None
    """The ceiling of a workflow in input and output tokens together."""
    downgrade: Annotated[SkipValidation[str | dict[str, str] | None], _CHEAPER] = None
    """A cheaper model to use before a ceiling ends the workflow, or one for each model."""
    on_budget: Annotated[SkipValidation[OnBudget], _ON_BUDGET] = "stop"
    """
    When a call does not fit under a ceiling: `stop` raises a `BudgetExceededError`.

    `finish` skips every further paid call, and returns a partial result of the rest.
    """
    steps: Annotated[SkipValidation[list[str] | None], _STEPS] = None
    """The steps of a Sequential, or of an Iterative's pass. Your own read `context["steps"]`."""

    @field_validator("output_formats", "steps", "domains", mode="before", check_fields=False)
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return listed(value)

    def validate(self) -> list[str]:  # type: ignore[override]  # pydantic's old name for model_validate
        """Return one message per wrong value; an empty list if there are none."""
        problems = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            for rule in field.metadata:
                if isinstance(rule, Rule) and not rule.accepts(value):
                    problems.append(f"{name}={value!r:.60} must be {rule.expected}")
        has_ceiling = self.max_cost is not None or self.max_tokens is not None
        if self.downgrade and _CHEAPER.accepts(self.downgrade) and not has_ceiling:
            problems.append("downgrade does nothing without a ceiling; set max_cost or max_tokens")
        if self.on_budget == "finish" and not has_ceiling:
            problems.append("on_budget does nothing without a ceiling; set max_cost or max_tokens")
        return problems


class DreamCascadeConfig(OrchestratorConfig):
    """
    The config of a Dream Cascade: the number of agents in each tier, and their models.

    Example:
        >>> DreamCascadeConfig(belter_count=4, drumer_count=2)
        Traceback (most recent call last):
        ...
        dagorch.errors.DefinitionError: ... no field 'drumer_count'; did you mean 'drummer_count'?
    """

    belter_count: Annotated[Whole, _AGENTS] = 3
    """Agents that search, in parallel."""
    drummer_count: Annotated[Whole, _AGENTS] = 2
    """Agents that analyse, each its share of the searches."""
    camina_count: Annotated[Whole, _AGENTS] = 1
    """Agents that synthesise; their answers are merged if there is more than one."""
    belter_model: Annotated[Model, _TIER] = None
    drummer_model: Annotated[Model, _TIER] = None
    camina_model: Annotated[Model, _TIER] = None


BeltalowdaConfig = DreamCascadeConfig
"""The older name."""


class DreamSwarmConfig(OrchestratorConfig):
    """
    The config of a Dream Swarm: the number of agents, and the domains they search.

    Example:
        >>> DreamSwarmConfig(num_agents=3, domains=["arxiv", "arxiv"]).validate()
        ["domains=['arxiv', 'arxiv'] must be a list of names, each once"]
    """

    num_agents: Annotated[Whole, _AGENTS] = 5
    """Agents that read and cite; the agents of a domain share its findings."""
    domains: Annotated[SkipValidation[list[str]], _DOMAINS] = Field(
        default_factory=lambda: ["arxiv", "github", "news", "wikipedia"]
    )
    """Names of sources, assigned round robin. If unset, those of the orchestrator's `sources`."""
    findings_per_agent: Annotated[Whole, _whole(1, 100)] = 5
    """The most findings that an agent reads from each of its domains."""


SwarmConfig = DreamSwarmConfig
"""The older name."""
