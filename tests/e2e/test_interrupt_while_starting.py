"""Ctrl-C while something blocks in a thread before the first request: the process ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Final

import pytest

PREAMBLE: Final = """
import sys, threading
import anyio
from dagorch import LLM, Graph, ProviderFactory

graph = Graph("starts")
llm = LLM("asks", prompt="Hello")

def block(*_args):
    print("ready", flush=True)
    threading.Event().wait()

@graph.function
async def ticks():
    # asyncio misses a signal that comes just before it waits, until something wakes it.
    while True:
        await anyio.sleep(0.01)

def run(**options):
    if sys.argv[1] == "run_sync":
        graph.run_sync(**options)
    else:
        anyio.run(lambda: graph.run(**options), backend=sys.argv[1])
"""
PROGRAMS: Final = {
    "http client": """
provider = ProviderFactory.get_provider("openai", api_key="key", base_url="http://127.0.0.1:9")
import dagorch.providers.http_client
dagorch.providers.http_client._find_proxy = block
graph.add(llm)
run(provider=provider)
""",
    "local model": """
from dagorch.providers import local
local.local_server.is_runtime_installed = lambda: True
local.find_model = lambda *_args: None
provider = local.LocalProvider()
local.find_model = block
graph.add(llm)
run(provider=provider)
""",
    "provider of the user": """
class Provider:
    complete = staticmethod(lambda messages: block())

graph.add(llm)
run(provider=Provider())
""",
    "source": """
from dagorch.sources import Arxiv
import dagorch.sources.http
dagorch.sources.http._prepare = block
graph.function(lambda: Arxiv().search("bees", 1), id="searches")
run()
""",
}


@pytest.mark.parametrize("door", ["run_sync", "asyncio", "trio"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_first_ctrl_c_ends_the_process(program: str, door: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + PROGRAMS[program], door],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)  # the thread itself waits forever
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
