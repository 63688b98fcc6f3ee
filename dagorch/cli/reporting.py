"""`--report` and `dagorch report`: a run's record and its page, into files told by their ending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from dagorch.cli.output import try_file
from dagorch.errors import DagorchError, DefinitionError, RunError, did_you_mean
from dagorch.exporters import Recorder, RunRecord, read_record, to_html_report, write_record
from dagorch.models.events import Event
from dagorch.models.orchestration import OrchestratorResult

__all__ = ["Reports", "report_of"]

_ENDINGS: Final = (".html", ".json")


class Reports:
    """
    The files that a run is to be recorded in.

    Args:
        paths: Each named .html, for the page, or .json, for the record.
        taken: What is written beside them, which none may be.

    Raises:
        DefinitionError: One has another ending, cannot be written, or is taken.
    """

    def __init__(self, paths: Sequence[Path], taken: Sequence[Path] = ()) -> None:
        self._paths = paths
        self._recorder = Recorder()
        for path in paths:
            _check(path, "--report")
            try_file(path, "--report")
            if path.resolve() in map(Path.resolve, taken):
                raise DefinitionError(
                    f"--report {str(path)!r}: --out writes a file of that name; name another"
                )

    @property
    def listeners(self) -> tuple[Callable[[Event], None], ...]:
        """What must listen to the run."""
        return (self._recorder,) if self._paths else ()

    def write(
        self, task: str, result: OrchestratorResult, error: BaseException | None
    ) -> list[Path]:
        """
        Write the files; give their paths.

        Raises:
            RunError: One could not be written; the others are there all the same.
        """
        if not self._paths:
            return []
        try:
            record = self._recorder.record(result, task=task, error=error)
        except Exception as trouble:  # a report is a copy: whatever stops it, the answer stands
            raise _unmade("the report", trouble) from trouble
        failure: RunError | None = None
        for path in self._paths:
            try:
                _write(record, path)
            except DagorchError as trouble:  # it could be written before the run
                failure = failure or RunError(str(trouble))
            except Exception as trouble:
                failure = failure or _unmade(repr(str(path)), trouble)
        if failure is not None:
            raise failure
        return list(self._paths)


def report_of(source: Path, out: Path | None) -> Path:
    """
    Make the page of a saved record; give its path.

    Args:
        source: The record.
        out: The page; None puts it beside the record.

    Raises:
        DefinitionError: The record cannot be read, or no page be made of it or written.
    """
    record = read_record(source)
    page = source.with_suffix(".html") if out is None else out
    _check(page, "--out")
    try:
        return _write(record, page)
    except DagorchError:
        raise
    except Exception as trouble:  # the record's parts are whole, but do not belong together
        raise DefinitionError(
            f"no page can be made of {str(source)!r}, which has been changed since dagorch wrote "
            f"it: {type(trouble).__name__}: {trouble}"
        ) from trouble


def _unmade(what: str, why: Exception) -> RunError:
    return RunError(f"cannot make {what}: {type(why).__name__}: {why}")


def _check(path: Path, option: str) -> None:
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise DefinitionError(
            f"{option} {str(path)!r}: name a file .html, for a page, or .json, for the record"
            f"{did_you_mean(ending, _ENDINGS)}"
        )


def _write(record: RunRecord, path: Path) -> Path:
    if path.suffix.lower() == ".json":
        return write_record(record, path)
    try:
        path.write_text(to_html_report(record), "utf-8")
    except OSError as error:
        raise DefinitionError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path
