"""The embedded model itself: loading, calls, cancellation, sharing and stopping."""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from dagorch import LLM, Graph
from dagorch.errors import (
    ContextTooLongError,
    DefinitionError,
    NotFoundError,
    ProviderConnectionError,
)
from dagorch.models.llm import LLMRequest, LLMResponse, Message
from dagorch.providers import LocalProvider, local_server
from dagorch.providers.local_model import MODEL_NAME
from dagorch.providers.local_server import LocalServer
from tests.processes import wait_until_dead

pytestmark = [pytest.mark.anyio, pytest.mark.local]

EMPTY: Mapping[str, str] = {}
HI = [{"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}, "sure": {"type": "boolean"}},
    "required": ["colour", "sure"],
}


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalProvider]:
    """Keep one server for all tests of this file; each test has its own provider."""
    keeper = LocalProvider(context_tokens=1_024)
    keeper.complete(HI, max_tokens=1)
    yield keeper
    anyio.run(keeper.aclose)
    assert not local_server._servers


@pytest.fixture
def local(shared: LocalProvider) -> LocalProvider:
    return LocalProvider(context_tokens=1_024)


async def test_an_answer_costs_nothing(local: LocalProvider) -> None:
    async with local:
        response = await local.acomplete(HI, max_tokens=8, temperature=0.0)
    assert response.content
    assert response.model == MODEL_NAME == local.default_model
    assert 0 < response.usage.output_tokens <= 8
    assert response.usage.input_tokens > 0
    assert (response.cost, response.usage.estimated) == (0.0, False)
    request = LLMRequest((Message("user", "Hi"),))
    assert (local.worst_case_usd(request), local.max_concurrency) == (Decimal(0), 4)


async def test_its_json_fits_the_schema(local: LocalProvider) -> None:
    async with local:
        response = await local.acomplete(HI, json_schema=SCHEMA, temperature=0.0)
    answer = json.loads(response.content)
    assert answer["colour"] in ("red", "green")
    assert isinstance(answer["sure"], bool)


async def test_four_at_once(local: LocalProvider) -> None:
    contents: list[str] = []

    async def ask() -> None:
        response = await local.acomplete(HI, max_tokens=8, temperature=0.0)
        contents.append(response.content)

    async with local, anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(ask)
    assert len(contents) == 4
    assert all(contents)


async def test_cancelling_frees_the_slot(local: LocalProvider) -> None:
    async with local:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                started = anyio.Event()
                request = LLMRequest((Message("user", "Count to a thousand."),), max_tokens=900)
                group.start_soon(local.exchange, request, lambda _, e=started: e.set())
                await started.wait()
            group.cancel_scope.cancel()
        # Four answers of 900 tokens would hold the four slots for minutes.
        with anyio.fail_after(10):
            await local.acomplete(HI, max_tokens=1)


async def test_a_prompt_that_is_too_long(local: LocalProvider) -> None:
    async with local:
        with pytest.raises(ContextTooLongError, match="1024 tokens"):
            await local.acomplete([{"role": "user", "content": "hello " * 2_000}])


async def test_another_model_is_refused(local: LocalProvider) -> None:
    with pytest.raises(NotFoundError, match="has only 'smollm2-135m-instruct'"):
        await local.acomplete(HI, model="grok-3")


async def test_a_closed_provider_loads_again(tmp_path: Path) -> None:
    local = LocalProvider(slots=1, context_tokens=256)
    for _ in range(2):
        async with local:
            await local.acomplete(HI, max_tokens=1)
        assert all(settings.slots != 1 for settings in local_server._servers)


async def test_a_broken_model_file_cannot_be_loaded(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and then nothing")
    local = LocalProvider(broken)
    for _ in range(2):
        with pytest.raises(DefinitionError, match="could not be loaded"):
            await local.acomplete(HI)
    await local.aclose()


def loaded_server(local: LocalProvider) -> LocalServer:
    assert local._loaded is not None
    return local._loaded.server


def send(
    server: LocalServer, method: str, path: str, body: str = "", headers: Mapping[str, str] = EMPTY
) -> tuple[int, dict[str, str], str]:
    """Send a request as another program of this machine, or a page, may do."""
    host, _, port = server.wait_for_address().removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        connection.request(method, path, body, {"content-type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def test_without_the_key_the_server_says_that_it_runs_and_nothing_else(
    shared: LocalProvider,
) -> None:
    server = loaded_server(shared)
    body = json.dumps({"prompt": "Hi", "messages": HI, "max_tokens": 1})
    reads = ["/props", "/slots", "/metrics", "/models", "/v1/models", "/lora-adapters", "/api/tags"]
    writes = [
        "/completion", "/completions", "/v1/completions", "/chat/completions", "/infill",
        "/v1/chat/completions", "/v1/messages", "/v1/responses", "/embedding", "/v1/embeddings",
        "/tokenize", "/detokenize", "/apply-template", "/slots/0?action=save", "/lora-adapters",
        "/props", "/rerank", "/api/show", "/v1/messages/count_tokens",
    ]  # fmt: skip
    for authorization in ("", "Bearer ", "Bearer wrong"):
        headers = {"authorization": authorization} if authorization else {}
        answers = {path: send(server, "GET", path, headers=headers)[0] for path in reads}
        answers |= {path: send(server, "POST", path, body, headers)[0] for path in writes}
        assert set(answers.values()) == {401}, answers
    assert send(server, "GET", "/health")[2] == '{"status":"ok"}'
    assert send(server, "GET", "/")[0] == 404


def test_slots_are_off_even_with_the_key(shared: LocalProvider) -> None:
    server = loaded_server(shared)
    headers = {"authorization": f"Bearer {server.key.reveal()}"}
    assert send(server, "GET", "/v1/models", headers=headers)[0] == 200
    for path in ("/slots", "/metrics"):
        assert send(server, "GET", path, headers=headers)[0] == 501


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
def test_no_page_may_read_an_answer(origin: str, shared: LocalProvider) -> None:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    for method, path in (("OPTIONS", "/v1/chat/completions"), ("GET", "/health")):
        answer = send(loaded_server(shared), method, path, headers=headers)[1]
        assert answer.get("Access-Control-Allow-Origin", "") == ""
        assert answer.get("Access-Control-Allow-Methods", "") == ""
        assert answer.get("Access-Control-Allow-Credentials", "false") == "false"


async def test_the_key_is_shown_nowhere(
    local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with local:
        await local.acomplete(HI, max_tokens=1)
        server = loaded_server(local)
        key = server.key.reveal()
        with pytest.raises(ContextTooLongError) as caught:
            await local.acomplete([{"role": "user", "content": "hello " * 2_000}])
        shown = f"{caplog.text} {caught.value} {local!r} {vars(local)} {vars(server)}"
        shown += command_lines_and_environments(server.pid)
    assert len(key) >= 43
    assert key not in shown


def command_lines_and_environments(pid: int) -> str:
    """Return what /proc shows of the server's processes; empty without /proc."""
    if not Path("/proc/self/task").is_dir():
        return ""
    files = [
        Path(f"/proc/{one}/{name}")
        for one in process_and_its_children(pid)
        for name in ("cmdline", "environ")
    ]
    return " ".join(file.read_bytes().decode() for file in files)


def process_and_its_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def test_each_start_has_another_key_and_no_key_of_the_user(
    monkeypatch: pytest.MonkeyPatch, shared: LocalProvider
) -> None:
    monkeypatch.setenv("XAI_API_KEY", "xai-secret-of-the-user")
    local = LocalProvider(slots=1, context_tokens=256)
    local.complete(HI, max_tokens=1)
    server = loaded_server(local)
    assert server.key.digest != loaded_server(shared).key.digest
    assert "xai-secret" not in command_lines_and_environments(server.pid)
    anyio.run(local.aclose)


AS_ANOTHER_USER = """
import http.client, json, os, sys
pids, port, cache = json.loads(sys.argv[1])
"localhost".encode("idna")  # loads the codec, which another user may not read later
os.setgroups([]); os.setgid(65534); os.setuid(65534)
opened = []
for pid in pids:
    for name in ("environ", "mem", "fd", "fd/0", "maps", "cwd"):
        path = f"/proc/{pid}/{name}"
        try:
            (os.listdir if os.path.isdir(path) else open)(path)
        except PermissionError:
            continue
        except FileNotFoundError:  # os.path.isdir could not look either
            continue
        opened.append(path)
    opened += [text for text in [open(f"/proc/{pid}/cmdline").read()] if "key" in text]
for name in (cache, cache + "/model.gguf"):
    try:
        (os.listdir if name == cache else open)(name)
        opened.append(name)
    except PermissionError:
        pass
body = json.dumps({"prompt": "Hi", "messages": [{"role": "user", "content": "Hi"}]})
statuses = set()
for method, path in (
    ("POST", "/completion"), ("POST", "/v1/chat/completions"), ("GET", "/slots"), ("GET", "/props"),
):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"content-type": "application/json"})
    statuses.add(connection.getresponse().status)
print(json.dumps([os.getuid(), opened, sorted(statuses)]))
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs root, for another uid"
)
def test_another_user_can_neither_read_a_prompt_nor_use_the_model(
    shared: LocalProvider, tmp_path: Path
) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    cache = tmp_path / "cache"
    cache.mkdir(0o700)
    (cache / "model.gguf").touch(0o600)
    server = loaded_server(shared)
    port = int(server.wait_for_address().rpartition(":")[2])
    facts = json.dumps([process_and_its_children(server.pid), port, str(cache)])
    done = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER_USER, facts],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert not done.stderr
    assert json.loads(done.stdout) == [65_534, [], [401]]


def nested_grammar(server: LocalServer) -> None:
    """Send a grammar whose depth overflows the stack of llama.cpp's parser."""
    body = json.dumps({"prompt": "Hi", "n_predict": 1, "grammar": "root ::= " + "(" * 200_000})
    headers = {"authorization": f"Bearer {server.key.reveal()}"}
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        send(server, "POST", "/completion", body, headers)


def kill_model(server: LocalServer) -> None:
    os.kill(process_and_its_children(server.pid)[-1], signal.SIGSEGV)


def kill_launcher(server: LocalServer) -> None:
    os.kill(server.pid, signal.SIGKILL)


linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")


@linux
async def test_after_a_crash_the_next_request_starts_it_again() -> None:
    first, second = (LocalProvider(slots=1, context_tokens=256) for _ in range(2))
    async with first, second:
        await first.acomplete(HI, max_tokens=1)
        await second.acomplete(HI, max_tokens=1)
        for crash in (nested_grammar, kill_model, kill_launcher):
            old = loaded_server(first)
            assert old is loaded_server(second)
            crash(old)
            assert old.wait_for_end().startswith("it was killed by SIG")
            await first.acomplete(HI, max_tokens=1)
            await second.acomplete(HI, max_tokens=1)
            assert loaded_server(first).pid != old.pid
        new = loaded_server(first)
    assert new.has_ended
    assert first._settings not in local_server._servers


class CrashesOnce(LocalProvider):
    """Its server crashes at the first text of an answer."""

    crashed = False

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        def crash(text: str) -> None:
            on_text(text)
            if not self.crashed:
                self.crashed = True
                kill_model(loaded_server(self))

        return await super().exchange(request, crash)


@linux
async def test_a_crash_during_a_request_is_an_error_that_the_run_retries() -> None:
    local = CrashesOnce(slots=1, context_tokens=1_024)
    request = LLMRequest((Message("user", "Count to a thousand."),), max_tokens=900)
    async with local:
        with pytest.raises(ProviderConnectionError, match=r"died: .*SIGSEGV.*starts it") as caught:
            await local.exchange(request, lambda _: None)
        assert caught.value.retryable
        assert caught.value.answer_begun
        local.crashed = False
        graph = Graph("counts")
        graph.add(LLM("counts", prompt="Count to a thousand.", max_tokens=20))
        result = await graph.run(provider=local)
    assert result.output
    assert local.crashed


@linux
async def test_a_crash_while_loading_is_retried_and_not_a_wrong_file() -> None:
    local = LocalProvider(slots=1, context_tokens=256)

    def crash(*args: object, **options: object) -> subprocess.Popen[bytes]:
        process = start_function(*args, **options)
        process.kill()
        return process

    start_function = local_server.start_function
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_server, "start_function", crash)
        with pytest.raises(ProviderConnectionError, match="died: it was killed by SIGKILL"):
            await local.acomplete(HI, max_tokens=1)
    async with local:
        assert (await local.acomplete(HI, max_tokens=1)).usage.output_tokens == 1


ENDINGS = {
    "exit": "sys.exit()",
    "crash": "os.kill(os.getpid(), signal.SIGKILL)",
    "ctrl-c": "signal.raise_signal(signal.SIGINT)",
    "fork": "os.fork() and os._exit(0); time.sleep(600)",
}


@linux
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_server_ends_with_the_process_that_started_it(ending: str) -> None:
    script = (
        "import os, signal, sys, time\n"
        "from dagorch.providers import LocalProvider\n"
        "local = LocalProvider(slots=1, context_tokens=256)\n"
        f"local.complete({HI!r}, max_tokens=1)\n"
        "server = local._loaded.server\n"
        "children = open(f'/proc/{server.pid}/task/{server.pid}/children').read()\n"
        "print(os.getpid(), server.pid, children, flush=True)\n"
        f"{ENDINGS[ending]}\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            _, launcher, model = map(int, process.stdout.readline().split())
            wait_until_dead(model)
            wait_until_dead(launcher)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@linux
def test_a_fork_starts_a_server_of_its_own_and_leaves_ours() -> None:
    script = (
        "import os\n"
        "from dagorch.providers import LocalProvider\n"
        "local = LocalProvider(slots=1, context_tokens=256)\n"
        "def ask():\n"
        f"    local.complete({HI!r}, max_tokens=1)\n"
        "    return local._loaded.server.pid\n"
        "ours = ask()\n"
        "if not os.fork():\n"
        "    assert ask() != ours\n"
        "    raise SystemExit\n"
        "assert os.wait()[1] == 0\n"
        "assert ask() == ours\n"
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_process_that_never_closes_it_ends_cleanly() -> None:
    script = (
        "from dagorch.providers import LocalProvider\n"
        "local = LocalProvider(slots=1, context_tokens=256)\n"
        f"print(local.complete({HI!r}, max_tokens=1).usage.output_tokens)\n"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)
