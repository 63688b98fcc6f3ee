"""`--report` and `dagorch report`: the record of a run (.json), and its page (.html)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from dagorch.cli.output import Written, check_option, write_each
from dagorch.errors import DagorchError, DefinitionError, RunError, asks_to_stop, did_you_mean
from dagorch.exporters import Recorder, RunRecord, read_record, to_html_report, write_record
from dagorch.models.events import Event
from dagorch.models.orchestration import OrchestratorResult
from dagorch.private_files import private_write

__all__ = ["RunReports", "convert_record"]

_SUFFIXES: Final = (".html", ".json")


class RunReports:
    """
    The report files of a run.

    Args:
        paths: Files named .html (the page) or .json (the record).
        taken: Files that the run writes for other reasons.

    Raises:
        DefinitionError: A path has another suffix, cannot be written, or is taken.
    """

    def __init__(self, paths: Sequence[Path], taken: Sequence[Path] = ()) -> None:
        self._paths = paths
        self._recorder = Recorder()
        for path in paths:
            _check_suffix(path, "--report")
            check_option(path, "--report", taken)

    @property
    def listeners(self) -> tuple[Callable[[Event], None], ...]:
        """The event listeners that the run needs for these reports."""
        return (self._recorder,) if self._paths else ()

    def write(self, task: str, result: OrchestratorResult, error: BaseException | None) -> Written:
        """Write the files."""
        if not self._paths:
            return Written([], [])
        try:
            record = self._recorder.record(result, task=task, error=error)
        except BaseException as cause:  # the answer must survive any failure of its report
            if asks_to_stop(cause):
                raise
            failure = RunError(f"cannot make the report: {type(cause).__name__}: {cause}")
            failure.__cause__ = cause
            return Written([], [failure])
        return write_each(self._paths, lambda path: _write(record, path))


def convert_record(source: Path, out: Path | None) -> Path:
    """
    Make the page of a saved record and return its path.

    Args:
        source: The record.
        out: The page; None puts it beside the record.

    Raises:
        DefinitionError: The record cannot be read or shown, or the page cannot be written.
    """
    record = read_record(source)
    page = source.with_suffix(".html") if out is None else out
    _check_suffix(page, "--out")
    try:
        _write(record, page, named=out is not None)
    except DagorchError:
        raise
    except Exception as cause:  # every part of the record is valid, but they do not match
        raise DefinitionError(
            f"cannot make a page of {str(source)!r}: the file was changed after dagorch wrote "
            f"it: {type(cause).__name__}: {cause}"
        ) from cause
    return page


def _check_suffix(path: Path, option: str) -> None:
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise DefinitionError(
            f"{option} {str(path)!r}: use a name that ends in .html, for a page, or .json, for "
            f"the record{did_you_mean(suffix, _SUFFIXES)}"
        )


def _write(record: RunRecord, path: Path, *, named: bool = True) -> None:
    if path.suffix.lower() == ".json":
        write_record(record, path)
    else:
        private_write(path, to_html_report(record).encode("utf-8"), named=named)
