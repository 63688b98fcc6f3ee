"""`dagorch run`: check everything, run the workflow, show it, then print and save its result."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from dagorch.cli.display import display_for
from dagorch.cli.execute import Outcome, execute
from dagorch.cli.exit_codes import ExitCode, exit_code_for, print_error
from dagorch.cli.loading import is_user_workflow
from dagorch.cli.options import RunOptions
from dagorch.cli.output import Destination
from dagorch.cli.patterns import make_orchestrator
from dagorch.cli.provider_selection import select_provider
from dagorch.cli.run_report import RunReports
from dagorch.cli.summary import print_agent_results, print_answer, print_table
from dagorch.cli.tracing import trace_listeners
from dagorch.cli.user_workflow import GraphOrchestrator, load_orchestrator
from dagorch.errors import DagorchError, DefinitionError
from dagorch.models.clean import one_line
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.task import TaskStatus
from dagorch.orchestrators import BaseOrchestrator
from dagorch.orchestrators.base import check_task
from dagorch.ports import Provider
from dagorch.providers import Router

__all__ = ["run_workflow"]

_PICTURE = Path("dagorch-run.svg")


def run_workflow(
    target: str, task: str | None, settings: Mapping[str, Any], options: RunOptions
) -> int:
    """
    Run a workflow and return the exit code.

    Args:
        target: A pattern, a graph file, or `module:name`.
        task: None for a graph whose inputs say it all.
        settings: The options of the pattern and the limits that the user set, by field name.
        options: The other options.

    Raises:
        DefinitionError: Something is wrong; nothing was paid for.
    """
    orchestrator = _make_orchestrator(target, task, settings, options)
    title = task if task is not None else " ".join(options.inputs or ()) or target
    check_task(title)  # before the provider, which may need a key
    provider, origin = _connect_provider(orchestrator, options, settings.get("fallback_model"))
    workflow = orchestrator.prepare_workflow(title)
    destination = Destination(options.out) if options.out is not None else None
    reports = RunReports(options.report or (), destination.files if destination else ())
    silent = options.quiet or options.as_json
    if not silent:
        _note(f"running on {origin}")
    display = display_for(
        workflow.graph.compile,
        f"{workflow.graph.name}: {one_line(title)}",
        _max_slots(orchestrator, provider),
        quiet=silent,
    )
    listeners = [*reports.listeners, *trace_listeners()]
    outcome = execute(orchestrator, workflow, provider, display, listeners)
    return _finish(title, options, outcome, destination, reports)


def _make_orchestrator(
    target: str, task: str | None, settings: Mapping[str, Any], options: RunOptions
) -> BaseOrchestrator:
    """Make the orchestrator, and refuse options that do not apply to it."""
    orchestrator = (
        load_orchestrator(
            target, settings, options.allow or (), options.inputs or (), has_task=task is not None
        )
        if is_user_workflow(target)
        else make_orchestrator(target, settings)
    )
    if isinstance(orchestrator, GraphOrchestrator):
        return orchestrator
    if task is None:
        raise DefinitionError(f"{target} needs a TASK: what to do, in words")
    for option, values in (("--input", options.inputs), ("--allow", options.allow)):
        if values:
            raise DefinitionError(f"{option} {values[0]} is for graphs, not for {target}")
    return orchestrator


def _connect_provider(
    orchestrator: BaseOrchestrator, options: RunOptions, fallback_model: str | None
) -> tuple[Provider, str]:
    """Give the orchestrator its provider; return that and a text about its origin."""
    selectors = (options.provider, options.model, options.base_url)
    if orchestrator.has_provider and not any(selectors):
        provider: Provider = orchestrator.provider
        return provider, f"{provider.name} (the provider it was made with)"
    selection = select_provider(*selectors)
    provider = selection.provider
    if fallback_model is not None:
        Router(provider).find(fallback_model)  # an unknown model is an error before the run
    orchestrator.use(provider, selection.model)
    model = selection.model or provider.default_model or "the model that it serves"
    return provider, f"{provider.name}, {model} ({selection.reason})"


def _max_slots(orchestrator: BaseOrchestrator, provider: Provider) -> int:
    config = orchestrator.config
    slots = config.max_parallel if config.parallel_execution else 1
    return min(slots, provider.max_concurrency or slots)


def _finish(
    task: str,
    options: RunOptions,
    outcome: Outcome,
    destination: Destination | None,
    reports: RunReports,
) -> int:
    """Save and print what there is, and return the exit code."""
    result = outcome.result
    code = _exit_code(outcome)
    if result is not None:
        for format, reason in result.document_errors.items():
            _note(f"no document in {format}: {reason}")
        saved, failure = _save(task, options, outcome, result, destination)
        try:
            saved += reports.write(task, result, outcome.error)
        except DagorchError as error:
            failure = failure or error
        _print_result(options, result, saved)
        if failure is not None:
            failure_code = print_error(failure, debug=options.debug)
            code = failure_code if code == ExitCode.COMPLETED else code
    if outcome.interrupted:
        _note("interrupted")
    elif outcome.error is not None:
        print_error(outcome.error, debug=options.debug)
    elif code == ExitCode.BUDGET and result is not None:
        _note(f"partial: {result.run.budget_error}")
    return code


def _exit_code(outcome: Outcome) -> int:
    if outcome.interrupted and outcome.error is not None:
        return ExitCode.INTERRUPTED
    if outcome.error is not None:
        return exit_code_for(outcome.error)
    result = outcome.result
    if result is not None and result.run is not None and result.run.budget_error is not None:
        return ExitCode.BUDGET
    partial = result is not None and result.status == TaskStatus.PARTIAL
    return ExitCode.PARTIAL if partial else ExitCode.COMPLETED


def _save(
    task: str,
    options: RunOptions,
    outcome: Outcome,
    result: OrchestratorResult,
    destination: Destination | None,
) -> tuple[list[Path], DagorchError | None]:
    """Write the files of `--out`, else the picture; return their paths and the first failure."""
    if destination is not None:
        try:
            reason = "" if outcome.error is None else str(outcome.error)
            return destination.write(task, result, reason), None
        except DagorchError as error:
            return [], error
    if not options.quiet and not options.as_json and result.run is not None:
        from dagorch.exporters import write

        try:
            return [write(result.run.graph, _PICTURE, result.run)], None
        except DagorchError as error:
            _note(f"no picture: {error}")
    return [], None


def _print_result(options: RunOptions, result: OrchestratorResult, saved: list[Path]) -> None:
    if options.as_json:
        print(result.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    if result.result is not None:
        print_answer(console, result)
    else:
        print_agent_results(console, result)
    if options.quiet:
        return
    console.print()
    print_table(console, result)
    for path in (*saved, *(Path(document.path) for document in result.documents)):
        if path in (options.report or ()):
            what = "report of the run"
        else:
            what = "picture of the run" if path.suffix == ".svg" else "saved"
        print(f"{what}: {path}")


def _note(text: str) -> None:
    print(f"dagorch: {one_line(text)}", file=sys.stderr, flush=True)
