"""`import dagorch.compat` makes the old import lines work, and shadows nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LINES = """
from orchestration import (
    AgentResult, AgentType, BaseOrchestrator, BeltalowdaConfig, BeltalowdaOrchestrator,
    ConditionalOrchestrator, CostTracker, DreamCascadeConfig, DreamCascadeOrchestrator,
    DreamSwarmConfig, DreamSwarmOrchestrator, EventType, IterativeOrchestrator,
    OrchestratorConfig, OrchestratorResult, ProgressTracker, SequentialOrchestrator, StreamEvent,
    SubTask, SwarmConfig, SwarmOrchestrator, TaskStatus, calculate_progress, format_cost,
    format_duration, retry_async,
)
from llm_providers import ProviderFactory
from orchestration.models import SubTask as S
from orchestration.utils import ProgressTracker as P, retry_async
from orchestration.streaming import StreamEvent as E
from orchestration.config import DreamCascadeConfig as C
from orchestration.base import BaseOrchestrator as B
from llm_providers.factory import ProviderFactory as F
from orchestration.sequential_orchestrator import SequentialOrchestrator as Q
from orchestration.conditional_orchestrator import ConditionalOrchestrator as D
from orchestration.iterative_orchestrator import IterativeOrchestrator as I
from orchestration.dream_cascade_orchestrator import DreamCascadeOrchestrator as W
from orchestration.dream_swarm_orchestrator import DreamSwarmOrchestrator as Z
import orchestration.orchestrators
import dagorch
assert S is SubTask is dagorch.SubTask and F is ProviderFactory is dagorch.ProviderFactory
assert orchestration.orchestrators.BaseOrchestrator is B is dagorch.BaseOrchestrator
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "always", "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_old_lines_work(tmp_path: Path) -> None:
    done = python(f"import dagorch.compat\n{LINES}\nprint('fine')", tmp_path)
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_every_name_can_be_imported_with_a_star(tmp_path: Path) -> None:
    code = "import dagorch.compat\nfrom orchestration import *\nprint(SubTask, Graph)"
    assert "SubTask" in python(code, tmp_path).stdout


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from orchestration import SubTsk", "SubTsk"),
        ("import orchestration.nothing", "No module named 'orchestration.nothing'"),
    ],
)
def test_other_names_are_not_invented(line: str, message: str, tmp_path: Path) -> None:
    assert message in python(f"import dagorch.compat\n{line}", tmp_path).stderr


def test_a_real_module_of_that_name_wins_and_a_warning_says_so(tmp_path: Path) -> None:
    (tmp_path / "orchestration.py").write_text("mine = 1\n", "utf-8")
    code = "import dagorch.compat\nimport orchestration\nprint(orchestration.mine)"
    done = python(code, tmp_path)
    assert done.stdout == "1\n"
    assert "there is a module 'orchestration' at" in done.stderr
    assert "llm_providers" not in done.stderr


def test_without_it_there_are_no_such_modules(tmp_path: Path) -> None:
    assert (
        "No module named 'orchestration'"
        in python("import dagorch, orchestration", tmp_path).stderr
    )
