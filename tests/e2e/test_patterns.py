"""The smaller patterns on the command line, in their own process, with a loopback server."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from dagorch.models.orchestration import OrchestratorResult
from tests.e2e.test_cli import LEAK, CommandResult, by_prompt, dagorch, prompt_of
from tests.servers import ModelServer, answer, reply


def pattern(name: str, *options: str, cwd: Path) -> tuple[CommandResult, ModelServer]:
    """Run a pattern on a service that always replies yes."""
    with ModelServer(answer("Yes. Bees dance.")) as server:
        where = ("--base-url", server.url, "--model", "m")
        ended = dagorch("run", name, "What about bees?", *where, *options, cwd=cwd)
    return ended, server


@pytest.mark.parametrize(
    ("name", "options", "calls", "last"),
    [
        ("sequential", ("--steps", "find,tell"), 2, "the last step of the task: tell."),
        ("conditional", (), 3, "Write the answer, using the notes"),
        ("iterative", ("--max-iterations", "3"), 3, "better than any answer above"),
        ("iterative", ("--until", "Is it short?"), 2, "Is it short? Reply with one of"),
    ],
)
def test_each_pattern_ends_with_answer_table_and_picture(
    tmp_path: Path, name: str, options: tuple[str, ...], calls: int, last: str
) -> None:
    ended, server = pattern(name, *options, "--out", "kept", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("Yes. Bees dance.\n")
    assert len(server.requests) == calls
    assert last in prompt_of(server.requests[-1])
    assert not LEAK.search(ended.out + ended.err)
    result = OrchestratorResult.model_validate_json((tmp_path / "kept/result.json").read_text())
    assert result.status == "completed"
    assert "Yes. Bees dance." in (tmp_path / "kept/answer.md").read_text()
    ElementTree.parse(tmp_path / "kept/graph.svg")


def test_a_failed_step_is_code_1_and_finished_results_are_on_standard_error(tmp_path: Path) -> None:
    bad = reply(400, {"error": {"message": "too hard"}})
    with ModelServer(by_prompt({"step of the task: find": answer("Nectar.")}, bad)) as server:
        where = ("--base-url", server.url, "--model", "m", "--steps", "find,tell")
        ended = dagorch("run", "sequential", "What about bees?", *where, cwd=tmp_path)
    assert ended.code == 1
    assert ended.out == ""
    assert "-- find --\nNectar.\n" in ended.err
    assert ended.err.strip().splitlines()[-1].startswith("dagorch: error: node 'tell' failed: Bad")
