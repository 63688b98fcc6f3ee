"""The command in a process of its own, against servers that work and servers that fail."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dagorch.models.orchestration import OrchestratorResult
from dagorch.providers import SERVICES
from tests.servers import (
    Connection,
    Handler,
    ModelServer,
    Request,
    answer,
    closed_port,
    delta,
    hang_up,
    reply,
    silent,
    stream,
)

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 120.0
KEY = "sk-test-0123456789abcdef"
PLAN = '{"questions": ["How does it fly?", "What does it eat?", "Where does it live?"]}'
LEAK = re.compile(r"Traceback|RuntimeWarning|ResourceWarning|never awaited|sk-test")


@dataclass(frozen=True)
class CommandResult:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Return an environment without any key, in which warnings are printed."""
    hidden = {name for s in SERVICES.values() for name in (*s.key_env, s.base_url_env)}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        kept.pop(name, None)
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default", **more}


def start(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dagorch", *arguments],
        cwd=cwd,
        env=dict(env or environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def dagorch(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> CommandResult:
    process = start(*arguments, cwd=cwd, env=env)
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    return CommandResult(process.returncode, out, err)


def run(
    server: str, *options: str, cwd: Path, env: Mapping[str, str] | None = None
) -> CommandResult:
    options = ("--base-url", server, "--model", "m", *options)
    return dagorch("run", "cascade", "What about bees?", *options, cwd=cwd, env=env)


def prompt_of(seen: Request) -> str:
    return str(seen.json["messages"][-1]["content"])


def by_prompt(handlers: Mapping[str, Handler], otherwise: Handler) -> Handler:
    """Choose a handler by the text of the prompt."""

    async def handler(seen: Request, wire: Connection) -> None:
        prompt = prompt_of(seen)
        chosen = next((handler for text, handler in handlers.items() if text in prompt), otherwise)
        await chosen(seen, wire)

    return handler


def cascade(text: str = "Bees dance.", **handlers: Handler) -> Handler:
    """Return a service that plans, then always replies with `text`."""
    return by_prompt({"Split it into": answer(PLAN), **handlers}, answer(text))


# -- a service that works -------------------------------------------------------------------


def test_a_cascade_prints_the_answer_and_draws_the_run(tmp_path: Path) -> None:
    with ModelServer(cascade("Bees **dance**.")) as server:
        ended = run(server.url, "--picture", "run.svg", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.out == "Bees **dance**.\n"
    assert "belter_3      belter" in ended.err
    assert "dagorch: running on openai, m (--base-url)" in ended.err
    assert not LEAK.search(ended.err)
    assert len(server.requests) == 7
    root = ElementTree.parse(tmp_path / "run.svg").getroot()
    assert "camina_1" in {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}


def test_json_in_a_pipe_is_complete_and_the_only_output(tmp_path: Path) -> None:
    with ModelServer(cascade()) as server:
        ended = run(server.url, "--json", cwd=tmp_path)
    result = OrchestratorResult.model_validate_json(ended.out)
    assert (ended.code, result.status, result.result) == (0, "completed", "Bees dance.")
    assert result.metadata["questions"][0] == "How does it fly?"
    assert not ended.err


def test_control_codes_of_a_model_reach_no_terminal(tmp_path: Path) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07Bees \x1b[31mdance\x1b[0m.\x08"
    with ModelServer(cascade(hostile)) as server:
        ended = run(server.url, cwd=tmp_path)
    assert ended.code == 0
    assert ended.out.startswith("Bees dance.\n")
    assert "\x1b" not in ended.out + ended.err


def test_an_agent_that_fails_makes_the_run_partial(tmp_path: Path) -> None:
    bad = reply(400, {"error": {"message": "no such thing"}})
    with ModelServer(cascade(**{"What does it eat?": bad})) as server:
        ended = run(server.url, "--out", "kept", cwd=tmp_path)
    assert ended.code == 3
    assert ended.out.startswith("Bees dance.\n")
    assert "no such thing" in ended.err
    result = OrchestratorResult.model_validate_json((tmp_path / "kept/result.json").read_text())
    assert result.metadata["failed"] == ["belter_2", "drummer_2"]  # drummer_2 reads only belter_2


# -- services that fail ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (reply(401, {"error": {"message": "bad key"}}), "AuthenticationError"),
        (reply(404, {"error": {"message": "no model m"}}), "NotFoundError"),
        (reply(429, {"error": {"message": "slow down"}}, retry_after="60"), "RateLimitedError"),
        (reply(500, {"error": {"message": "oh no"}}), "OverloadedError"),
        (reply(200, b"<html><body>Sign in</body></html>", content_type="text/html"), "Malformed"),
        (reply(200, b"not json"), "MalformedReplyError"),
        (stream(delta("Bees "), cut=True), "ProviderConnectionError"),
        (hang_up, "ProviderConnectionError"),
        (silent, "TimeoutError"),
    ],
    ids=["401", "404", "429", "500", "html", "no-json", "cut", "hang-up", "silent"],
)
def test_a_failing_service_is_one_message_and_code_1(
    tmp_path: Path, handler: Handler, message: str
) -> None:
    with ModelServer(handler) as server:
        short = ("--timeout", "1.5")  # also ends the retries
        ended = run(server.url, *short, cwd=tmp_path, env=environment(OPENAI_API_KEY=KEY))
    assert ended.code == 1, ended.err
    last = ended.err.strip().splitlines()[-1]
    assert last.startswith("dagorch: error: ")
    assert message in last
    assert not LEAK.search(ended.out + ended.err)
    assert "11 node runs" in ended.err


def test_an_address_without_a_server_is_an_error_before_the_run(tmp_path: Path) -> None:
    with closed_port() as address:
        ended = run(address, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert f"nothing answers at {address}" in ended.err


def test_results_before_a_failure_are_printed_and_saved(tmp_path: Path) -> None:
    bad = reply(400, {"error": {"message": "too hard"}})
    handlers = {
        "How does it": answer("It flies."),
        "What does": answer("Nectar."),
        "Where does": bad,
    }
    handlers |= {"Based on the text": bad}
    with ModelServer(by_prompt({"Split it into": answer(PLAN), **handlers}, bad)) as server:
        ended = run(server.url, "--out", "kept", cwd=tmp_path)
    assert ended.code == 1
    assert ended.out == ""
    assert "It flies." in ended.err
    assert "Nectar." in ended.err
    assert "too hard" in ended.err
    assert "It flies." in (tmp_path / "kept/answer.md").read_text()
    assert "failed" in (tmp_path / "kept/graph.svg").read_text()


def test_a_key_is_never_shown_in_an_error(tmp_path: Path) -> None:
    echo = reply(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    env = environment(OPENAI_API_KEY=KEY)
    with ModelServer(echo) as server:
        options = ("--provider", "openai", "--base-url", server.url, "--debug", "--out", "kept")
        ended = dagorch("run", "cascade", "Why?", *options, cwd=tmp_path, env=env)
    assert ended.code == 1
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    kept = "".join(path.read_text() for path in (tmp_path / "kept").iterdir())
    assert KEY not in ended.out + ended.err + kept


def test_a_ceiling_that_the_first_call_would_break_is_code_4(tmp_path: Path) -> None:
    with ModelServer(cascade()) as server:
        options = ("--provider", "openai", "--model", "gpt-4", "--base-url", server.url)
        ended = dagorch("run", "cascade", "Why?", *options, "--max-cost", "0.000001", cwd=tmp_path)
    assert ended.code == 4, ended.err
    assert not server.requests
    assert not LEAK.search(ended.err)


def test_a_model_without_a_price_cannot_run_under_a_ceiling(tmp_path: Path) -> None:
    with ModelServer(cascade()) as server:
        ended = run(server.url, "--max-cost", "1", cwd=tmp_path)
        assert not server.requests
    assert ended.code == 2
    assert "price" in ended.err


def test_an_unwritable_out_is_an_error_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with ModelServer(cascade()) as server:
        ended = run(server.url, "--out", "file/answer.md", cwd=tmp_path)
        server.wait_until(lambda server: not server.open)
        assert not server.requests
    assert ended.code == 2
    assert "--out: cannot write 'file/answer.md'" in ended.err


# -- Ctrl-C ---------------------------------------------------------------------------------


def interrupt_after(tmp_path: Path, requests: int) -> CommandResult:
    """Press Ctrl-C after `requests` requests; all but the one for the plan still run."""
    held = stream(delta("Bees "), hold=True)
    done = answer("Nectar and pollen.", 10, 5)
    handler = by_prompt({"Split it into": answer(PLAN), "What does it eat?": done}, held)
    with ModelServer(handler) as server:
        options = ("--base-url", server.url, "--model", "m")
        process = start("run", "cascade", "What about bees?", *options, cwd=tmp_path)
        try:
            server.wait_until(lambda server: len(server.requests) >= requests)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=LIMIT_SECONDS)
        finally:
            process.kill()
        server.wait_until(lambda server: not server.open)
    return CommandResult(process.returncode, out, err)


def check_interrupted(ended: CommandResult) -> None:
    assert ended.code == 130, ended.err
    assert "interrupted" in ended.err
    assert "11 node runs" in ended.err
    assert not LEAK.search(ended.out + ended.err), ended.err


@pytest.mark.parametrize("requests", [1, 3, 5])
def test_ctrl_c_stops_the_run_and_prints_finished_results(tmp_path: Path, requests: int) -> None:
    ended = interrupt_after(tmp_path, requests)
    check_interrupted(ended)
    if requests == 5:  # the fifth is of the drummer that reads belter_2
        assert "Nectar and pollen." in ended.err


@pytest.mark.full
@pytest.mark.parametrize("trial", range(50))
def test_ctrl_c_at_any_moment(tmp_path: Path, trial: int) -> None:
    check_interrupted(interrupt_after(tmp_path, 1 + trial % 5))


def test_ctrl_c_during_start_up_prints_no_traceback(tmp_path: Path) -> None:
    process = start("run", "cascade", "x", "--provider", "scripted", cwd=tmp_path)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_SECONDS)
    # SIGINT: Python itself may not have started yet.
    assert process.returncode in (130, -signal.SIGINT), err


# -- terminals and pipes --------------------------------------------------------------------


def in_terminal(*arguments: str, cwd: Path, columns: int = 80, **more: str) -> tuple[int, str]:
    """Run in a terminal; return the exit code and everything written to it."""
    child, parent_end = pty.fork()
    if child == 0:
        os.chdir(cwd)
        env = environment(TERM="xterm-256color", COLUMNS=str(columns), LINES="24", **more)
        os.execve(sys.executable, [sys.executable, "-m", "dagorch", *arguments], env)
    written = b""
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        if not select.select([parent_end], [], [], 1.0)[0]:
            continue
        try:
            data = os.read(parent_end, 65_536)
        except OSError:  # on Linux, the other end is closed
            break
        if not data:
            break
        written += data
    os.close(parent_end)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), written.decode("utf-8", "replace")


def without_codes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_terminal_of_80_columns_is_redrawn_and_ends_with_the_table(tmp_path: Path) -> None:
    held = tmp_path / "run"
    held.mkdir()
    with ModelServer(cascade("Bees **dance**.")) as server:
        arguments = ("run", "cascade", "What about bees?", "--base-url", server.url, "--model", "m")
        code, written = in_terminal(*arguments, cwd=held)
    text = without_codes(written)
    assert code == 0, text
    assert "\x1b[" in written
    assert "dream cascade: What about bees?" in text
    assert "Bees dance." in text  # the Markdown is rendered
    table = text[text.rindex("node  ") :].splitlines()
    assert all(len(line) <= 80 for line in table)
    assert table[-1].startswith("11 node runs")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_no_color_is_honoured_in_a_terminal(tmp_path: Path) -> None:
    arguments = ("run", "cascade", "Why?", "--provider", "scripted")
    _, written = in_terminal(*arguments, cwd=tmp_path, NO_COLOR="1")
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[34][0-7](?:;[0-9;]*)?m", written)


def test_a_closed_output_pipe_prints_no_traceback(tmp_path: Path) -> None:
    process = start("graph", "cascade", "--belter-count", "3000", cwd=tmp_path)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    process.wait(LIMIT_SECONDS)
    err = process.stderr.read()
    process.stderr.close()
    assert "Traceback" not in err


def test_an_encoding_that_lacks_characters_is_not_an_error(tmp_path: Path) -> None:
    env = environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    with ModelServer(cascade("日本 ✓")) as server:
        ended = run(server.url, cwd=tmp_path, env=env)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("?? ?")


# -- drawing --------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["svg", "dot", "mmd", "png", "pdf", "graphml"])
def test_drawing_needs_no_dot_no_provider_and_no_home(tmp_path: Path, suffix: str) -> None:
    env = environment(PATH="/nonexistent", HOME="/nonexistent")
    ended = dagorch("graph", "cascade", "-o", f"c.{suffix}", cwd=tmp_path, env=env)
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / f"c.{suffix}").stat().st_size > 500


def test_a_graph_of_the_current_folder_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(
        "from dagorch import Graph, LLM\n"
        "graph = Graph('mine')\n"
        "graph.add(LLM('only_step', prompt='Hi'))\n"
    )
    ended = dagorch("graph", "flows:graph", cwd=tmp_path)
    assert ended.code == 0
    assert "only_step" in ended.out


def test_a_terminal_without_box_characters_gets_ascii(tmp_path: Path) -> None:
    env = environment(PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    ended = dagorch("show", "cascade", cwd=tmp_path, env=env)
    assert ended.code == 0, ended.err
    assert ended.out.isascii()
    assert "+-|-@ belter_2    LLM       < questions\n" in ended.out


# -- the embedded model ---------------------------------------------------------------------


@pytest.mark.local
def test_the_first_command_of_the_readme_runs_on_the_embedded_model(tmp_path: Path) -> None:
    small = ("--belter-count", "1", "--drummer-count", "1", "--out", "kept")
    ended = dagorch("run", "cascade", "How do bees find their way home?", *small, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "running on local, smollm2-135m-instruct (no service's key is set)" in ended.err
    result = OrchestratorResult.model_validate_json((tmp_path / "kept/result.json").read_text())
    assert result.metadata["tokens_used"] > 0
    assert str(result.result).strip()
    assert not LEAK.search(ended.err)
