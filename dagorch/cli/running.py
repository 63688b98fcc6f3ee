"""`dagorch run`: all is checked, the workflow is run and shown, its outcome told and kept."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from dagorch.cli.display import display_for
from dagorch.cli.execute import Ended, execute
from dagorch.cli.exit_codes import Exit, exit_for, say_error
from dagorch.cli.loading import is_own
from dagorch.cli.output import Destination
from dagorch.cli.patterns import Settings, orchestrator_for
from dagorch.cli.provider_selection import choose
from dagorch.cli.report import print_answer, print_parts, print_table
from dagorch.cli.reporting import Reports
from dagorch.cli.user_workflow import OwnGraph, own_orchestrator
from dagorch.errors import DagorchError, DefinitionError
from dagorch.models.clean import one_line
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.task import TaskStatus
from dagorch.orchestrators import BaseOrchestrator
from dagorch.ports import Provider

__all__ = ["RunOptions", "run_workflow"]

_PICTURE = Path("dagorch-run.svg")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `dagorch run` was told."""

    pattern: str
    task: str
    """Where there is none, the pattern's name stands for it."""
    settings: Settings
    provider: str | None
    model: str | None
    base_url: str | None
    out: Path | None
    as_json: bool
    quiet: bool
    debug: bool
    report: tuple[Path, ...] = ()
    inputs: tuple[str, ...] = ()
    """Of a graph, each `name=value`."""
    allow: tuple[str, ...] = ()
    """Modules that a graph's file may name functions of."""
    has_task: bool = True


def run_workflow(options: RunOptions) -> int:
    """
    Run a workflow; give the exit code.

    Raises:
        DefinitionError: Something is wrong that could be found out before anything was paid for.
    """
    orchestrator, provider, note = _prepared(options)
    graph = orchestrator.graph(options.task)
    destination = Destination(options.out) if options.out is not None else None
    reports = Reports(options.report, destination.files if destination else ())
    silent = options.quiet or options.as_json
    if not silent:
        _say(note)
    title = f"{graph.name}: {one_line(options.task)}"
    display = display_for(graph.compile, title, _slots(orchestrator, provider), quiet=silent)
    ended = execute(orchestrator, provider, options.task, display, reports)
    return _tell(options, ended, destination, reports)


def _prepared(options: RunOptions) -> tuple[BaseOrchestrator, Provider, str]:
    """Make the orchestrator that is meant; what is to be closed after it; and what it runs on."""
    pattern, settings = options.pattern, options.settings
    own = None
    if is_own(pattern):
        own = own_orchestrator(
            pattern, settings, options.allow, options.inputs, has_task=options.has_task
        )
    if not isinstance(own, OwnGraph):
        _check_for_no_graph(options)
    (own or orchestrator_for(pattern, settings)).graph(options.task)  # wrong words first
    told = (options.provider, options.model, options.base_url)
    if own is not None and own.has_provider and not any(told):
        return own, own.provider, f"running on {own.provider.name} (the provider it was made with)"
    chosen = choose(*told)
    if settings.fallback_model is not None:
        chosen.router.find(settings.fallback_model)  # an unknown one is told at once
    if own is not None:
        own.use(chosen.provider, chosen.model)
        orchestrator = own
    else:
        settings = replace(settings, primary_model=chosen.model)
        orchestrator = orchestrator_for(pattern, settings, chosen.router)
    model = chosen.model or chosen.provider.default_model or "whatever model it serves"
    return (
        orchestrator,
        chosen.provider,
        f"running on {chosen.provider.name}, {model} ({chosen.why})",
    )


def _check_for_no_graph(options: RunOptions) -> None:
    """Refuse what only a graph has a use for, or can do without."""
    if not options.has_task:
        raise DefinitionError(f"{options.pattern} needs a TASK: what is to be done, in words")
    for option, values in (("--input", options.inputs), ("--allow", options.allow)):
        if values:
            raise DefinitionError(f"{option} {values[0]} is for graphs, not for {options.pattern}")


def _slots(orchestrator: BaseOrchestrator, provider: Provider) -> int:
    """Give how many steps can be under way at once."""
    config = orchestrator.config
    slots = config.max_parallel if config.parallel_execution else 1
    return min(slots, provider.max_concurrency or slots)


def _tell(
    options: RunOptions, ended: Ended, destination: Destination | None, reports: Reports
) -> int:
    """Keep and show what there is, and give the exit code."""
    result = ended.result
    code = _code(ended)
    if result is not None:
        for format, why in result.document_errors.items():
            _say(f"no document in {format}: {why}")
        kept, trouble = _keep(options, ended, result, destination)
        try:
            kept += reports.write(options.task, result, ended.error)
        except DagorchError as error:
            trouble = trouble or error
        _show(options, result, kept)
        if trouble is not None:
            code = say_error(trouble, debug=options.debug) if code == Exit.COMPLETED else code
    if ended.interrupted:
        _say("interrupted")
    elif ended.error is not None:
        say_error(ended.error, debug=options.debug)
    return code


def _code(ended: Ended) -> int:
    if ended.interrupted and ended.error is not None:
        return Exit.INTERRUPTED
    if ended.error is not None:
        return exit_for(ended.error)
    partial = ended.result is not None and ended.result.status == TaskStatus.PARTIAL
    return Exit.PARTIAL if partial else Exit.COMPLETED


def _keep(
    options: RunOptions,
    ended: Ended,
    result: OrchestratorResult,
    destination: Destination | None,
) -> tuple[list[Path], DagorchError | None]:
    """Write the files that are asked for, and the picture; what goes wrong loses nothing else."""
    kept: list[Path] = []
    trouble: DagorchError | None = None
    if destination is not None:
        try:
            failure = "" if ended.error is None else str(ended.error)
            kept += destination.write(options.task, result, failure)
        except DagorchError as error:
            trouble = error
    elif not options.quiet and not options.as_json and result.run is not None:
        from dagorch.exporters import write

        try:
            kept.append(write(result.run.graph, _PICTURE, result.run))
        except DagorchError as error:
            _say(f"no picture: {error}")
    return kept, trouble


def _show(options: RunOptions, result: OrchestratorResult, kept: list[Path]) -> None:
    if options.as_json:
        print(result.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    if result.result is not None:
        print_answer(console, result)
    else:
        print_parts(console, result)
    if options.quiet:
        return
    console.print()
    print_table(console, result)
    for path in (*kept, *(Path(document.path) for document in result.documents)):
        what = "picture of the run" if path.suffix == ".svg" else "kept"
        print(f"{'report of the run' if path in options.report else what}: {path}")


def _say(text: str) -> None:
    print(f"dagorch: {one_line(text)}", file=sys.stderr, flush=True)
