"""The commands and their arguments; `options.py` has the options, other modules do the work."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, TextIO

import typer

from dagorch import __version__
from dagorch.cli import help_text
from dagorch.cli.exit_codes import ExitCode, print_error
from dagorch.cli.options import (
    Allow,
    Debug,
    PatternOptions,
    RunLimits,
    RunOptions,
    Target,
    expand_options,
    set_options,
)
from dagorch.cli.streams import note, prepare_streams, print_err, print_out

__all__ = ["app", "run_command"]

app = typer.Typer(
    name="dagorch",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_get_command = cache(typer.main.get_command)  # which takes longer than most commands


def run_command(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; errors are printed, never raised."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            prepare_streams()
            code = _invoke(arguments)
            print_out(end="")  # what Typer printed is written
            return code
        except (Exception, KeyboardInterrupt) as error:
            usage_message = getattr(error, "format_message", None)  # of Typer's own errors
            if usage_message is None:
                return print_error(error, debug="--debug" in arguments)
            print_err(f"dagorch: error: {usage_message()}\nTry 'dagorch --help'.")
            return ExitCode.USAGE


def _invoke(arguments: Sequence[str]) -> int:
    # Typer's own `app(...)` would turn an interrupt into exit code 130, whatever the signal.
    command = _get_command(app)
    try:
        with command.make_context("dagorch", list(arguments)) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as error:
        return error.exit_code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    note(f"warning: {message}")


def _print_version(requested: bool) -> None:
    if requested:
        print_out(f"dagorch {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, help=help_text.ROOT_HELP)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print_out(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


@app.command(help=help_text.RUN_HELP, short_help="Run a workflow and watch it.")
@expand_options
def run(
    target: Target,
    options: RunOptions,
    limits: RunLimits,
    pattern: PatternOptions,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="What to do, in words. A graph may do without.",
            show_default=False,
        ),
    ] = None,
) -> int:
    from dagorch.cli.running import run_workflow

    return run_workflow(target, task, set_options(limits, pattern), options)


@app.command(help=help_text.GRAPH_HELP, short_help="Draw a workflow before it runs.")
@expand_options
def graph(
    target: Target,
    pattern: PatternOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A picture named .svg, .png or .pdf; the drawing's source, named .dot, .mmd "
            "(Mermaid) or .graphml; or the graph itself, named .yaml or .json.",
        ),
    ] = None,
    allow: Allow = None,
    debug: Debug = False,
) -> None:
    from dagorch.cli.drawing import draw_graph

    draw_graph(target, set_options(pattern), out, allow or ())


@app.command(help=help_text.SHOW_HELP, short_help="Show a workflow as text, before it runs.")
@expand_options
def show(
    target: Target, pattern: PatternOptions, allow: Allow = None, debug: Debug = False
) -> None:
    from dagorch.cli.drawing import print_graph

    print_graph(target, set_options(pattern), allow or ())


@app.command(help=help_text.VALIDATE_HELP, short_help="Check a graph file.")
def validate(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A .yaml or .json file.")
    ] = None,
    allow: Allow = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of graph files instead.")
    ] = False,
    debug: Debug = False,
) -> None:
    from dagorch.cli.validating import print_schema, validate_file

    if schema:
        print_schema()
    else:
        validate_file(file, allow or ())


@app.command(short_help="Make the report page of a run from its record.")
def report(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="A file that --report wrote as .json.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The page. [default: beside the record, named .html]"),
    ] = None,
    debug: Debug = False,
) -> None:
    """Make the report page of a run from its record. Nothing runs."""
    from dagorch.cli.run_report import convert_record

    print_out(f"report of the run: {convert_record(record, out)}")


@app.command(short_help="List what a workflow can run on here.")
def providers() -> None:
    """List the providers: which are ready, and what the others need."""
    from dagorch.cli.listing import list_providers

    list_providers()


_NEW = typer.Typer()
app.add_typer(_NEW, name="new", short_help="Start a project.", help="Start a project.")


@_NEW.command(short_help="A workflow of your own, with its test.")
def orchestrator(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The project's name, such as second-opinion.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder. [default: one with the project's name, here]"),
    ] = None,
) -> None:
    """Write a small project: an orchestrator of three methods that runs and passes its test."""
    from dagorch.cli.new import new_orchestrator

    new_orchestrator(name, out)
