"""Events in the user's logging, whose configuration stays unchanged."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
import structlog

from dagorch import LLM, Event, EventType, Graph, Policy, Retry, RunError
from dagorch.errors import OverloadedError
from dagorch.exporters import LogLines
from dagorch.testing import ScriptedProvider, run_virtual

Line = dict[str, Any]


class KeepingLogger:
    """A structlog logger that keeps its lines, without global configuration."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.logger = structlog.wrap_logger(
            structlog.PrintLogger(), processors=[structlog.stdlib.add_log_level, self._keep]
        )

    def _keep(self, logger: Any, name: str, line: Line) -> Line:
        self.lines.append(dict(line))
        raise structlog.DropEvent


def asking(*listeners: Any, reply: Any) -> None:
    graph = Graph("asking")
    graph.add(LLM("ask", prompt="the prompt", policy=Policy(retry=Retry(attempts=2))))
    run_virtual(lambda: graph.run(provider=ScriptedProvider(reply), on_event=listeners))


def test_each_line_has_run_node_attempt_and_level() -> None:
    keeping = KeepingLogger()
    seen: list[Event] = []
    asking(
        seen.append,
        LogLines(keeping.logger),
        reply=[OverloadedError("busy", status=503), "the reply"],
    )
    assert [(line["level"], line["event"]) for line in keeping.lines] == [
        ("info", "run_started"),
        ("debug", "node_ready"),
        ("debug", "node_started"),
        ("debug", "exchange_ended"),
        ("warning", "attempt_failed"),
        ("warning", "node_retrying"),
        ("debug", "node_started"),
        ("debug", "exchange_ended"),
        ("info", "node_completed"),
        ("info", "run_completed"),
    ]
    run = seen[0].run_id
    assert {line["run"] for line in keeping.lines} == {run}
    assert [line.get("node") for line in keeping.lines] == [None, *["ask"] * 8, None]
    attempts = [line.get("attempt") for line in keeping.lines]
    assert attempts == [None, None, 1, 1, 1, 1, 2, 2, None, None]
    assert keeping.lines[4]["error"] == "OverloadedError: busy"
    assert keeping.lines[5]["delay_seconds"] > 0
    assert keeping.lines[-1]["seconds"] == round(seen[-1].seconds, 6)


def test_neither_prompt_nor_reply_is_logged() -> None:
    keeping = KeepingLogger()
    asking(LogLines(keeping.logger), reply="the reply")
    assert "the prompt" not in str(keeping.lines)
    assert "the reply" not in str(keeping.lines)


def test_a_question_to_a_person_is_not_logged() -> None:
    keeping = KeepingLogger()
    data = {"question": "private?"}
    LogLines(keeping.logger)(Event(1, 0.0, EventType.NODE_PARKED, "r", "ask", data=data))
    assert keeping.lines == [
        {"level": "info", "event": "node_parked", "run": "r", "node": "ask", "seconds": 0.0}
    ]


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (EventType.NODE_FAILED, "error"),
        (EventType.RUN_FAILED, "error"),
        (EventType.RUN_CANCELLED, "warning"),
        (EventType.NODE_BLOCKED, "warning"),
        (EventType.NODE_CANCELLED, "info"),
        (EventType.NODE_SKIPPED, "debug"),
    ],
)
def test_failures_have_higher_levels(kind: EventType, level: str) -> None:
    keeping = KeepingLogger()
    LogLines(keeping.logger)(Event(1, 0.0, kind, "r"))
    assert [line["level"] for line in keeping.lines] == [level]


def test_without_structlog_configuration_lines_go_to_the_standard_library(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert not structlog.is_configured()
    with caplog.at_level(logging.INFO, "dagorch"), pytest.raises(RunError):
        asking(LogLines(), reply=[ValueError("100 %s\n\x1b[31m")] * 2)
    assert {record.name for record in caplog.records} == {"dagorch"}
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors[0].startswith("event='node_failed' run=")
    assert "error='ValueError: 100 %s'" in errors[0]
    assert "DEBUG" not in {record.levelname for record in caplog.records}


def test_with_structlog_configuration_lines_follow_it() -> None:
    keeping = KeepingLogger()
    structlog.configure(processors=[structlog.stdlib.add_log_level, keeping._keep])
    try:
        asking(LogLines(), reply="yes")
    finally:
        structlog.reset_defaults()
    assert keeping.lines[-1]["event"] == "run_completed"


PROBE = """
import logging, sys

def states():
    import structlog
    root, own = logging.getLogger(), logging.getLogger("dagorch")
    return (
        [type(handler) for handler in root.handlers], root.level, own.handlers, own.level,
        own.propagate, logging.root.manager.disable, structlog.is_configured(),
        repr(structlog.get_config()),
    )

SET_UP
import dagorch
assert ("structlog" in sys.modules) is USED
before = states()
from dagorch import Graph
from dagorch.exporters import LogLines, TraceSpans

graph = Graph("quiet")

@graph.function
async def work() -> int:
    return 1

def broken(event):
    raise ValueError("listener")

graph.run_sync(on_event=[LogLines(), TraceSpans(), broken])
assert states() == before
"""
NO_SET_UP = "pass"
USER_SET_UP = """
import structlog
logging.basicConfig(level=logging.ERROR, format="mine %(message)s")
structlog.configure(
    processors=[structlog.stdlib.add_log_level, structlog.processors.JSONRenderer(sort_keys=True)],
    logger_factory=structlog.PrintLoggerFactory(sys.stdout),
)
"""


def probe(set_up: str, used: bool) -> subprocess.CompletedProcess[str]:
    code = PROBE.replace("SET_UP", set_up).replace("USED", str(used))
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )


def test_importing_and_running_configures_nothing() -> None:
    done = probe(NO_SET_UP, used=False)
    assert done.stdout == ""
    # Without handlers, the standard library writes warnings to standard error.
    (line,) = done.stderr.splitlines()
    assert line.startswith("event='listener failed'")


def test_lines_follow_the_users_configuration() -> None:
    done = probe(USER_SET_UP, used=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(line.startswith("{") for line in lines)
    assert '"event": "node_completed", "kind": "function", "level": "info", "node": "work"' in (
        done.stdout
    )
    assert sum('"event": "listener failed"' in line for line in lines) == 1
