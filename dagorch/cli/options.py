"""The options of the commands: each is declared once, as a field of an options class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from dagorch.errors import DefinitionError
from dagorch.models.clean import one_line
from dagorch.models.well_formed import is_well_formed, well_formed

__all__ = [
    "Allow",
    "Debug",
    "PatternOptions",
    "RunLimits",
    "RunOptions",
    "Target",
    "check_text",
    "expand_options",
    "option_name",
    "parse_assignments",
    "set_options",
]

T = TypeVar("T")

Target = Annotated[
    str,
    typer.Argument(metavar="PATTERN|FILE|MODULE:NAME", help="A pattern, or a graph of your own."),
]
_ALLOW_HELP = "A module or package whose functions a graph file may use; repeatable."
Allow = Annotated[list[str] | None, typer.Option(metavar="MODULE", help=_ALLOW_HELP)]
_DEBUG_HELP = "Show the traceback of an error."
Debug = Annotated[bool, typer.Option("--debug", help=_DEBUG_HELP)]


def _option(help: str, *names: str, metavar: str | None = None, default: Any = None) -> Any:
    """Declare a field with its option; without names, the option has the name of the field."""
    option = typer.Option(*names, help=help, metavar=metavar)
    return field(default=default, metadata={"option": option, "names": names})


@dataclass(frozen=True, slots=True)
class PatternOptions:
    """The options of one or several patterns; None is the pattern's default."""

    belter_count: int | None = _option("cascade: parallel searches. [default: 3]")
    drummer_count: int | None = _option(
        "cascade: analyses, each of a share of the searches. [default: 2]"
    )
    camina_count: int | None = _option("cascade: syntheses. [default: 1]")
    num_agents: int | None = _option("swarm: agents that read. [default: 5]", "--agents")
    domains: str | None = _option(
        "swarm: sources to search, separated by commas. "
        "[default: arxiv, github, news, wikipedia; with --folder, the folder only]"
    )
    folder: Path | None = _option("swarm: a folder with documents of your own to search.")
    steps: str | None = _option(
        "sequential, and each pass of iterative: step names, separated by commas. "
        "[default: research, analyze, synthesize]"
    )
    condition: str | None = _option("conditional: a question with the answer yes or no.")
    true_branch: list[str] | None = _option(
        "conditional: a step to take on yes; repeatable.", metavar="<str>"
    )
    false_branch: list[str] | None = _option(
        "conditional: a step to take on no; repeatable.", metavar="<str>"
    )
    max_iterations: int | None = _option("iterative: the largest number of passes. [default: 5]")
    until: str | None = _option(
        "iterative: a question about the answer; yes ends the loop. [default: all passes]"
    )


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The options that bound a run, for every pattern; None is the config's default."""

    max_parallel: int | None = _option("Steps that run at the same time. [default: 16]")
    timeout_seconds: float | None = _option(
        "Seconds for each step with its retries. [default: 300]", "--timeout"
    )
    max_cost: float | None = _option("Dollars that the run never exceeds. [default: no ceiling]")
    on_budget: str | None = _option(
        "When a call does not fit under --max-cost: 'stop', or 'finish' with what is paid for. "
        "[default: stop]"
    )
    fallback_model: str | None = _option(
        "The model to ask when --model fails; it may be of another service."
    )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The other options of `dagorch run`."""

    provider: str | None = _option(
        "A service, or 'local'. [default: the first with a key, otherwise local]"
    )
    model: str | None = _option(
        "The model of every call, or the path of a .gguf file. "
        "Without --provider, its name selects the service."
    )
    base_url: str | None = _option("The address of a server with OpenAI's protocol.")
    inputs: list[str] | None = _option(
        "An input of a graph; repeatable.", "--input", metavar="NAME=VALUE"
    )
    answers: list[str] | None = _option(
        "The answer to a question of a graph; repeatable. [default: ask in the terminal]",
        "--answer",
        metavar="NAME=VALUE",
    )
    allow: list[str] | None = _option(_ALLOW_HELP, metavar="MODULE")
    out: Path | None = _option(
        "Save the result: to a .md, .html, .pdf, .docx or .json file, or everything to a folder."
    )
    picture: Path | None = _option(
        "Draw the graph as it ran: a .svg, .png or .pdf, or its source as .dot, .mmd or .graphml."
    )
    report: list[Path] | None = _option(
        "Write a report of the run: a .html page, or a .json record, from which "
        "'dagorch report' makes the page; repeatable.",
        metavar="<path>",
    )
    as_json: bool = _option("Print only the result, as JSON.", "--json", default=False)
    quiet: bool = _option("Print only the answer.", "--quiet", "-q", default=False)
    debug: bool = _option(_DEBUG_HELP, "--debug", default=False)


def set_options(*groups: PatternOptions | RunLimits) -> dict[str, Any]:
    """
    Return the options that the user set, by field name.

    Raises:
        DefinitionError: A text is not valid UTF-8.

    Example:
        >>> set_options(RunLimits(max_cost=0.5), PatternOptions(true_branch=[]))
        {'max_cost': 0.5}
    """
    values = {
        option.name: getattr(group, option.name) for group in groups for option in fields(group)
    }
    chosen = {name: value for name, value in values.items() if value is not None and value != []}
    for name, value in chosen.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                check_text(option_name(name), text)
    return chosen


def check_text(option: str, text: str) -> None:
    """
    Check the text of an option; bytes that are not UTF-8 arrive as lone surrogates.

    Raises:
        DefinitionError: The text cannot be sent.
    """
    if not is_well_formed(text):
        raise DefinitionError(f"{option} {one_line(well_formed(text))!r:.60} is not valid UTF-8")


def parse_assignments(option: str, texts: Iterable[str]) -> dict[str, str]:
    """
    Split each `name=value` of a repeatable option.

    Raises:
        DefinitionError: One has another form or is not valid UTF-8, or two have the same name.

    Example:
        >>> parse_assignments("--input", ["tone=dry", "sum=1+1=2"])
        {'tone': 'dry', 'sum': '1+1=2'}
    """
    values: dict[str, str] = {}
    for text in texts:
        check_text(option, text)
        name, equals, value = text.partition("=")
        if not (equals and name):
            raise DefinitionError(f"{option} {text!r} does not have the form name=value")
        if name in values:
            raise DefinitionError(f"{option} {name} is given twice; give it once")
        values[name] = value
    return values


def option_name(field_name: str) -> str:
    """
    Return the option of a field, as the user writes it.

    Example:
        >>> option_name("num_agents"), option_name("max_cost")
        ('--agents', '--max-cost')
    """
    names = {
        option.name: option.metadata["names"]
        for group in (PatternOptions, RunLimits)
        for option in fields(group)
    }
    return next(iter(names.get(field_name, ())), "--" + field_name.replace("_", "-"))


def expand_options(command: Callable[..., T]) -> Callable[..., T]:
    """
    Give a command the fields of its options classes as parameters, which Typer reads.

    Args:
        command: A function; each parameter whose type is a dataclass is replaced by the fields
            of that class.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[tuple[str, Any, Any]] = []
    for name, parameter in signature(command).parameters.items():
        if name not in groups:
            parameters.append((name, hints[name], parameter.default))
            continue
        types = get_type_hints(groups[name])
        for option in fields(groups[name]):
            hint: Any = Annotated[types[option.name], option.metadata["option"]]
            parameters.append((option.name, hint, option.default))

    @wraps(command)
    def expanded(**values: Any) -> T:
        made = {
            name: group(**{option.name: values.pop(option.name) for option in fields(group)})
            for name, group in groups.items()
        }
        return command(**values, **made)

    signed: Any = expanded
    signed.__signature__ = Signature(
        [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=hint)
            for name, hint, default in parameters
        ]
    )
    signed.__annotations__ = {name: hint for name, hint, _ in parameters}
    return expanded
