"""The documents of a workflow: checked before it starts, written after it ends."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from anyio import to_thread

from dagorch.errors import DefinitionError
from dagorch.models.config import OrchestratorConfig
from dagorch.models.orchestration import OrchestratorResult
from dagorch.private_files import private_folder

__all__ = ["prepare_documents", "write_documents_of"]


async def prepare_documents(config: OrchestratorConfig) -> None:
    """
    Check that the documents of a config can be written, and create their folder.

    Raises:
        DefinitionError: A package is missing, or the folder cannot be created.
    """
    if not config.enable_document_generation:
        return
    from dagorch.exporters.documents import check_installed

    check_installed(config.output_formats)
    folder = Path(config.output_dir)
    try:
        await to_thread.run_sync(private_folder, folder)
    except OSError as error:
        raise DefinitionError(
            f"output_dir={str(folder)!r} cannot be created: {error.strerror or error}"
        ) from error


async def write_documents_of(
    config: OrchestratorConfig, outcome: OrchestratorResult, failure: BaseException | None = None
) -> OrchestratorResult:
    """
    Write the documents of an outcome in a worker thread, and return it with their list.

    They are also written after a failure if any agent has a result.
    """
    if not config.enable_document_generation:
        return outcome
    if failure is not None and not any(agent.content for agent in outcome.agent_results):
        return outcome
    from dagorch.exporters.documents import write_documents

    write = partial(
        write_documents,
        outcome,
        config.output_dir,
        config.output_formats,
        failure="" if failure is None else str(failure),
    )
    return await to_thread.run_sync(write)
