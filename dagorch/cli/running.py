"""`dagorch run`: check everything, run the workflow, show it, then print and save its result."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from rich.console import Console

from dagorch.cli.display import display_for
from dagorch.cli.execute import Outcome, execute
from dagorch.cli.exit_codes import ExitCode, exit_code_for, print_error
from dagorch.cli.loading import is_user_workflow
from dagorch.cli.options import RunOptions, check_text
from dagorch.cli.output import Destination, RunPicture, Written
from dagorch.cli.patterns import make_orchestrator
from dagorch.cli.provider_selection import select_provider
from dagorch.cli.questions import Questions
from dagorch.cli.run_report import RunReports
from dagorch.cli.stop_signals import Interrupted, RunStop
from dagorch.cli.streams import note, print_err, print_out
from dagorch.cli.summary import agent_results_text, answer_text, table_text
from dagorch.cli.tracing import trace_listeners
from dagorch.cli.user_workflow import GraphOrchestrator, load_orchestrator
from dagorch.errors import DagorchError, DefinitionError, RunError
from dagorch.models.clean import escape_controls, one_line
from dagorch.models.orchestration import OrchestratorResult
from dagorch.models.task import TaskStatus
from dagorch.orchestrators import BaseOrchestrator
from dagorch.orchestrators.base import check_task
from dagorch.ports import Provider
from dagorch.providers import Router

__all__ = ["run_workflow"]


def run_workflow(
    target: str, task: str | None, settings: Mapping[str, Any], options: RunOptions
) -> int:
    """
    Run a workflow and return the exit code.

    Args:
        target: A pattern, a graph file, or `module:name`.
        task: None for a graph that takes its inputs from options alone.
        settings: The options of the pattern and the limits that the user set, by field name.
        options: The other options.

    Raises:
        DefinitionError: Something is wrong; nothing was paid for.
    """
    with redirect_stdout(sys.stderr):  # standard output is for the answer
        orchestrator = _make_orchestrator(target, task, settings, options)
    title = task if task is not None else " ".join(options.inputs or ()) or target
    check_task(title)  # before the provider, which may need a key
    provider, origin = _connect_provider(orchestrator, options, settings.get("fallback_model"))
    with redirect_stdout(sys.stderr):
        workflow = orchestrator.prepare_workflow(title)
    questions = Questions(workflow.graph, options.answers or ())
    outputs = _Outputs(options)
    silent = options.quiet or options.as_json
    if not silent:
        note(f"running on {origin}")
    display = display_for(
        workflow.graph.compile,
        f"{workflow.graph.name}: {one_line(title)}",
        _max_slots(orchestrator, provider),
        quiet=silent,
    )
    listeners = [*outputs.reports.listeners, *trace_listeners()]
    stop = RunStop(lambda: note("interrupted: saving; press Ctrl-C again to leave at once"))
    with stop.handling_signals():
        outcome = execute(orchestrator, workflow, provider, display, listeners, stop, questions)
        return _finish(title, options, outcome, outputs, stop)


class _Outputs:
    """The files that the options ask for: checked when made, written after the run."""

    def __init__(self, options: RunOptions) -> None:
        self.destination = Destination(options.out) if options.out is not None else None
        taken = list(self.destination.files) if self.destination is not None else []
        self.picture: RunPicture | None = None
        if options.picture is not None:
            self.picture = RunPicture(options.picture, taken)
            taken.append(options.picture)
        self.reports = RunReports(options.report or (), taken)

    def write(
        self, task: str, result: OrchestratorResult, error: BaseException | None
    ) -> tuple[dict[Path, str], list[RunError]]:
        """Write the files; return the label of each one, and the errors of the others."""
        written: list[tuple[str, Written]] = []
        if self.destination is not None:
            failure = "" if error is None else f"{error}"
            written.append(("saved", self.destination.write(task, result, failure)))
        if self.picture is not None:
            written.append(("picture of the run", self.picture.write(result)))
        written.append(("report of the run", self.reports.write(task, result, error)))
        saved = {path: label for label, files in written for path in files.paths}
        return saved, [failed for _, files in written for failed in files.errors]


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
    for option, text in zip(("--provider", "--model", "--base-url"), selectors, strict=True):
        check_text(option, text or "")
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
    task: str, options: RunOptions, outcome: Outcome, outputs: _Outputs, stop: RunStop
) -> int:
    """Print and save what there is, the answer first, and return the exit code."""
    result = outcome.result
    code = _exit_code(outcome, stop)
    if result is not None:
        failures: list[DagorchError] = []
        try:
            _print_result(options, result)
        except RunError as error:
            failures.append(error)
        saved, errors = outputs.write(task, result, outcome.error)
        failures += errors
        if not (options.quiet or options.as_json):
            _print_details(result, outcome.error, saved)
        for format, reason in result.document_errors.items():
            note(f"no document in {format}: {reason}")
        for failure in failures:
            failure_code = print_error(failure, debug=options.debug)
            code = failure_code if code == ExitCode.COMPLETED else code
    if stop.number:
        note("interrupted")
    elif outcome.error is not None:
        print_error(outcome.error, debug=options.debug)
    elif code == ExitCode.BUDGET and result is not None:
        note(f"partial: {result.run.budget_error}")
    return code


def _exit_code(outcome: Outcome, stop: RunStop) -> int:
    if outcome.error is not None:
        return exit_code_for(Interrupted(stop.number) if stop.number else outcome.error)
    result = outcome.result
    if result is not None and result.run is not None and result.run.budget_error is not None:
        return ExitCode.BUDGET
    partial = result is not None and result.status == TaskStatus.PARTIAL
    return ExitCode.PARTIAL if partial else ExitCode.COMPLETED


def _print_result(options: RunOptions, result: OrchestratorResult) -> None:
    """Print the answer, or the whole result, on standard output: nothing else goes there."""
    if options.as_json:
        print_out(escape_controls(result.model_dump_json(indent=2)))
    elif result.result is not None or result.status == TaskStatus.COMPLETED:
        print_out(answer_text(Console(highlight=False), result))
    else:
        print_err(agent_results_text(Console(stderr=True, highlight=False), result), end="")


def _print_details(
    result: OrchestratorResult, error: BaseException | None, saved: Mapping[Path, str]
) -> None:
    """Print the table of the run and its files on standard error."""
    print_err("")
    print_err(table_text(Console(stderr=True, highlight=False), result, error), end="")
    documents = {Path(document.path): "saved" for document in result.documents}
    for path, what in {**saved, **documents}.items():
        print_err(f"{what}: {path}")
