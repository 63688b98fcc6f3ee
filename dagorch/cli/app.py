"""The commands and their options. What each does is in the files beside this one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from dagorch import __version__
from dagorch.cli import help_text
from dagorch.cli.exit_codes import Exit, say_error
from dagorch.models.clean import one_line

__all__ = ["app", "run_command"]

# Of patterns, and of several commands or one.
_STEPS: Final = typer.Option(
    help="Of sequential, or of each pass of iterative: names, with commas between. "
    "[default: research, analyze, synthesize]"
)
_CONDITION: Final = typer.Option(help="Of conditional: a question that is answered by yes or no.")
_TRUE_BRANCH: Final = typer.Option(
    metavar="<str>", help="What to do on yes, in words; again for a further step."
)
_FALSE_BRANCH: Final = typer.Option(
    metavar="<str>", help="What to do on no, in words; again for a further step."
)
_MAX_ITERATIONS: Final = typer.Option(help="Of iterative: the most passes. [default: 5]")
_UNTIL: Final = typer.Option(
    help="Of iterative: a question about the answer; yes ends it. [default: all passes]"
)
Agents = Annotated[
    int | None, typer.Option("--agents", help="Of swarm: agents that read. [default: 5]")
]
Domains = Annotated[
    str | None,
    typer.Option(
        help="Of swarm: where to search, with commas in between. "
        "[default: arxiv, github, news and wikipedia, or the folder alone]"
    ),
]
Folder = Annotated[
    Path | None, typer.Option(help="Of swarm: a folder of your own documents to search.")
]

Allow = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODULE",
        help="A module, or package, that a graph's file may name functions of; again for more.",
    ),
]

app = typer.Typer(
    name="dagorch",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run_command(arguments: Sequence[str]) -> int:
    """Carry out a command line and give its exit code; every error is told here."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal's encoding may lack what a model writes
            stream.reconfigure(errors="replace")
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return _carry_out(arguments)


def _carry_out(arguments: Sequence[str]) -> int:
    try:
        return int(app(list(arguments), prog_name="dagorch", standalone_mode=False) or 0)
    except typer.Abort:
        return say_error(KeyboardInterrupt(), debug=False)
    except (Exception, KeyboardInterrupt) as error:
        usage = getattr(error, "format_message", None)  # Typer's own: a wrong option, and so on
        if usage is None:
            return say_error(error, debug="--debug" in arguments)
        print(f"dagorch: error: {usage()}\nTry 'dagorch --help'.", file=sys.stderr)
        return Exit.USAGE


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"dagorch: warning: {one_line(str(message))}", file=sys.stderr)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"dagorch {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, help=help_text.ROOT_HELP)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Show help where no command is given."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(Exit.USAGE)


@app.command(help=help_text.RUN_HELP, short_help="Run a workflow and watch it.")
def run(
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN|FILE|MODULE:NAME", help="Which workflow.")
    ],
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="What is to be done, in words. Graphs can do without.",
            show_default=False,
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="NAME=VALUE", help="Of a graph: one of its inputs; again for more."
        ),
    ] = None,
    allow: Allow = None,
    provider: Annotated[
        str | None,
        typer.Option(
            help="A service, or 'local'. [default: the first whose key is set, else local]"
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The model of every call; its name finds the service, unless that is given. "
            "Or the path of a .gguf file."
        ),
    ] = None,
    fallback_model: Annotated[
        str | None,
        typer.Option(help="Asked where the model has failed for good; may be another service's."),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Address of any server that speaks OpenAI's protocol.")
    ] = None,
    belter_count: Annotated[
        int | None, typer.Option(help="Searches in parallel. [default: 3]")
    ] = None,
    drummer_count: Annotated[
        int | None, typer.Option(help="Analyses, each of its share of the searches. [default: 2]")
    ] = None,
    camina_count: Annotated[int | None, typer.Option(help="Syntheses. [default: 1]")] = None,
    steps: Annotated[str | None, _STEPS] = None,
    condition: Annotated[str | None, _CONDITION] = None,
    true_branch: Annotated[list[str] | None, _TRUE_BRANCH] = None,
    false_branch: Annotated[list[str] | None, _FALSE_BRANCH] = None,
    max_iterations: Annotated[int | None, _MAX_ITERATIONS] = None,
    until: Annotated[str | None, _UNTIL] = None,
    agents: Agents = None,
    domains: Domains = None,
    folder: Folder = None,
    max_parallel: Annotated[int | None, typer.Option(help="Steps at once. [default: 8]")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds for each step, retries included. [default: 300]")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="Dollars that the run never exceeds. [default: no ceiling]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Keep the outcome: a file named .md, .html, .pdf, .docx or .json, "
            "else a folder for all of it."
        ),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="<path>",
            help="Write how the run went: a page named .html, or its record named .json, of which "
            "'dagorch report' makes one; again for both.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the answer, and nothing else.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> int:
    """Hand the options of `dagorch run` on."""
    from dagorch.cli.patterns import Settings
    from dagorch.cli.running import RunOptions, run_workflow

    settings = Settings(
        belter_count,
        drummer_count,
        camina_count,
        max_parallel,
        timeout,
        max_cost,
        fallback_model=fallback_model,
        steps=steps,
        condition=condition,
        true_branch=tuple(true_branch) if true_branch else None,
        false_branch=tuple(false_branch) if false_branch else None,
        max_iterations=max_iterations,
        until=until,
        num_agents=agents,
        domains=domains,
        folder=folder,
    )
    told = (provider, model, base_url, out, as_json, quiet, debug, tuple(report or ()))
    own = (tuple(inputs or ()), tuple(allow or ()), task is not None)
    said = (" ".join(inputs or ()) or pattern) if task is None else task
    return run_workflow(RunOptions(pattern, said, settings, *told, *own))


@app.command(help=help_text.GRAPH_HELP, short_help="Draw a workflow before it runs.")
def graph(
    target: Annotated[
        str,
        typer.Argument(metavar="PATTERN|FILE|MODULE:NAME", help="A pattern, or your own graph."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A file named .svg, .png, .pdf, .dot, .mmd (Mermaid) or .graphml; "
            "or .yaml or .json, for the graph itself.",
        ),
    ] = None,
    belter_count: Annotated[int | None, typer.Option(help="Of cascade. [default: 3]")] = None,
    drummer_count: Annotated[int | None, typer.Option(help="Of cascade. [default: 2]")] = None,
    camina_count: Annotated[int | None, typer.Option(help="Of cascade. [default: 1]")] = None,
    steps: Annotated[str | None, _STEPS] = None,
    max_iterations: Annotated[int | None, _MAX_ITERATIONS] = None,
    until: Annotated[str | None, _UNTIL] = None,
    agents: Agents = None,
    domains: Domains = None,
    folder: Folder = None,
    allow: Allow = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Hand the options of `dagorch graph` on."""
    from dagorch.cli.drawing import draw
    from dagorch.cli.patterns import Settings

    settings = Settings(
        belter_count,
        drummer_count,
        camina_count,
        steps=steps,
        max_iterations=max_iterations,
        until=until,
        num_agents=agents,
        domains=domains,
        folder=folder,
    )
    draw(target, settings, out, allow or ())


@app.command(help=help_text.SHOW_HELP, short_help="Show a workflow as text, before it runs.")
def show(
    target: Annotated[
        str,
        typer.Argument(metavar="PATTERN|FILE|MODULE:NAME", help="A pattern, or your own graph."),
    ],
    belter_count: Annotated[int | None, typer.Option(help="Of cascade. [default: 3]")] = None,
    drummer_count: Annotated[int | None, typer.Option(help="Of cascade. [default: 2]")] = None,
    camina_count: Annotated[int | None, typer.Option(help="Of cascade. [default: 1]")] = None,
    steps: Annotated[str | None, _STEPS] = None,
    max_iterations: Annotated[int | None, _MAX_ITERATIONS] = None,
    until: Annotated[str | None, _UNTIL] = None,
    agents: Agents = None,
    domains: Domains = None,
    folder: Folder = None,
    allow: Allow = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Hand the options of `dagorch show` on."""
    from dagorch.cli.drawing import show
    from dagorch.cli.patterns import Settings

    settings = Settings(
        belter_count,
        drummer_count,
        camina_count,
        steps=steps,
        max_iterations=max_iterations,
        until=until,
        num_agents=agents,
        domains=domains,
        folder=folder,
    )
    show(target, settings, allow or ())


@app.command(help=help_text.VALIDATE_HELP, short_help="Check a graph's file.")
def validate(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A .yaml or .json file.")
    ] = None,
    allow: Allow = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the format's JSON Schema instead.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Hand the options of `dagorch validate` on."""
    from dagorch.cli.validating import print_schema, validate_file

    if schema:
        print_schema()
    else:
        validate_file(file, allow or ())


@app.command("report", short_help="Make the page of a run from its record.")
def report_command(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="From --report run.json.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The page; by default beside the record, named .html."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Make the page of a run from its record; nothing is run."""
    from dagorch.cli.reporting import report_of

    print(f"report of the run: {report_of(record, out)}")


@app.command(short_help="Show what a workflow can run on here.")
def providers() -> None:
    """Show what a workflow can run on here, and what is missing for the rest."""
    from dagorch.cli.listing import list_providers

    list_providers()


_NEW = typer.Typer()
app.add_typer(_NEW, name="new", short_help="Begin a project.", help="Begin a project.")


@_NEW.command(short_help="A workflow of your own, and its test.")
def orchestrator(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Of the project, as in second-opinion.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder; by default one of that name here.")
    ] = None,
) -> None:
    """Write a small project: an orchestrator of three methods that runs and passes its test."""
    from dagorch.cli.new import new_orchestrator

    new_orchestrator(name, out)
