"""The options of the commands: each is declared once, as a field of an options class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer

__all__ = [
    "Allow",
    "Debug",
    "PatternOptions",
    "RunLimits",
    "RunOptions",
    "Target",
    "expand_options",
    "option_name",
    "set_options",
]

T = TypeVar("T")

Target = Annotated[
    str,
    typer.Argument(metavar="PATTERN|FILE|MODULE:NAME", help="A pattern, or a graph of your own."),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODULE",
        help="A module or package whose functions a graph file may use; repeatable.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@dataclass(frozen=True, slots=True)
class PatternOptions:
    """The options of one or several patterns; None is the pattern's default."""

    belter_count: Annotated[
        int | None, typer.Option(help="cascade: parallel searches. [default: 3]")
    ] = None
    drummer_count: Annotated[
        int | None,
        typer.Option(help="cascade: analyses, each of a share of the searches. [default: 2]"),
    ] = None
    camina_count: Annotated[int | None, typer.Option(help="cascade: syntheses. [default: 1]")] = (
        None
    )
    num_agents: Annotated[
        int | None, typer.Option("--agents", help="swarm: agents that read. [default: 5]")
    ] = None
    domains: Annotated[
        str | None,
        typer.Option(
            help="swarm: sources to search, separated by commas. "
            "[default: arxiv, github, news, wikipedia; with --folder, the folder only]"
        ),
    ] = None
    folder: Annotated[
        Path | None, typer.Option(help="swarm: a folder with documents of your own to search.")
    ] = None
    steps: Annotated[
        str | None,
        typer.Option(
            help="sequential, and each pass of iterative: step names, separated by commas. "
            "[default: research, analyze, synthesize]"
        ),
    ] = None
    condition: Annotated[
        str | None, typer.Option(help="conditional: a question with the answer yes or no.")
    ] = None
    true_branch: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="conditional: a step to take on yes; repeatable."),
    ] = None
    false_branch: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="conditional: a step to take on no; repeatable."),
    ] = None
    max_iterations: Annotated[
        int | None, typer.Option(help="iterative: the largest number of passes. [default: 5]")
    ] = None
    until: Annotated[
        str | None,
        typer.Option(
            help="iterative: a question about the answer; yes ends the loop. [default: all passes]"
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The options that bound a run, for every pattern; None is the config's default."""

    max_parallel: Annotated[
        int | None, typer.Option(help="Steps that run at the same time. [default: 8]")
    ] = None
    timeout_seconds: Annotated[
        float | None,
        typer.Option("--timeout", help="Seconds for each step with its retries. [default: 300]"),
    ] = None
    max_cost: Annotated[
        float | None,
        typer.Option(help="Dollars that the run never exceeds. [default: no ceiling]"),
    ] = None
    fallback_model: Annotated[
        str | None,
        typer.Option(help="The model to ask when --model fails; it may be of another service."),
    ] = None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The other options of `dagorch run`."""

    provider: Annotated[
        str | None,
        typer.Option(
            help="A service, or 'local'. [default: the first with a key, otherwise local]"
        ),
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            help="The model of every call, or the path of a .gguf file. "
            "Without --provider, its name selects the service."
        ),
    ] = None
    base_url: Annotated[
        str | None, typer.Option(help="The address of a server with OpenAI's protocol.")
    ] = None
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=VALUE", help="An input of a graph; repeatable."),
    ] = None
    allow: Allow = None
    out: Annotated[
        Path | None,
        typer.Option(
            help="Save the result: to a .md, .html, .pdf, .docx or .json file, "
            "or everything to a folder."
        ),
    ] = None
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="<path>",
            help="Write a report of the run: a .html page, or a .json record, from which "
            "'dagorch report' makes the page; repeatable.",
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the answer.")] = False
    debug: Debug = False


def set_options(*groups: PatternOptions | RunLimits) -> dict[str, Any]:
    """
    Return the options that the user set, by field name.

    Example:
        >>> set_options(RunLimits(max_cost=0.5), PatternOptions(true_branch=[]))
        {'max_cost': 0.5}
    """
    values = {field.name: getattr(group, field.name) for group in groups for field in fields(group)}
    return {name: value for name, value in values.items() if value is not None and value != []}


def option_name(field_name: str) -> str:
    """
    Return the option of a field, as the user writes it.

    Example:
        >>> option_name("num_agents"), option_name("max_cost")
        ('--agents', '--max-cost')
    """
    for group in (PatternOptions, RunLimits):
        hint = get_type_hints(group, include_extras=True).get(field_name)
        if hint is not None:
            option = get_args(hint)[1]
            # Inside Annotated, Typer keeps the first name of an option as its default.
            for name in (option.default, *option.param_decls):
                if isinstance(name, str):
                    return name
    return "--" + field_name.replace("_", "-")


def expand_options(command: Callable[..., T]) -> Callable[..., T]:
    """
    Give a command the fields of its options classes as parameters, which Typer reads.

    Args:
        command: A function; each parameter whose type is a dataclass is replaced by the fields
            of that class.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = []
    for parameter in signature(command).parameters.values():
        group = groups.get(parameter.name)
        if group is None:
            parameters.append((parameter.name, hints[parameter.name], parameter.default))
        else:
            types = get_type_hints(group, include_extras=True)
            parameters += [
                (field.name, types[field.name], field.default) for field in fields(group)
            ]

    @wraps(command)
    def expanded(**values: Any) -> T:
        made = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
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
