"""Ctrl-C during a run: the process ends at once and releases everything."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

QUICK: Final = 4
FULL: Final = 50

# Prints "ready" when nodes run, and after Ctrl-C everything that was not released.
SCRIPT: Final = """
import atexit, sys, threading
import anyio
from dagorch import LLM, Context, Graph
from dagorch.runner.loop_state import shared
from dagorch.testing import ScriptedProvider

backend, method = sys.argv[1:]
provider = ScriptedProvider("slow words", latency_seconds=120, max_concurrency=3)
graph = Graph("slow")
graph.input("question", str, default="why?")
cleaned = []

async def nap(number: int) -> int:
    try:
        await anyio.sleep(120)
    finally:
        cleaned.append(number)
    return number

async def asks(context: Context) -> str:
    return (await context.acomplete([{"role": "user", "content": "x"}])).content

def asks_in_a_thread(context: Context) -> str:
    return context.complete([{"role": "user", "content": "x"}]).content

naps = [graph.function(nap, id=f"nap{n}", number=n) for n in range(4)]
for number in range(4):
    graph.add(LLM(f"llm{number}", prompt="{question}"))
graph.function(asks)
graph.function(asks_in_a_thread)
graph.merge("join", naps)

def left():
    names = sorted(t.name for t in threading.enumerate() if t.name == "dagorch-call")
    print("left", len(cleaned), provider.active, names, flush=True)

atexit.register(left)

announced = []

async def announce(event):
    if provider.active == 3 and not announced:
        announced.append(1)
        print("ready", flush=True)

async def main():
    options = {"provider": provider, "on_event": announce}
    if method == "run":
        await graph.run(**options)
    elif method == "start":
        async with graph.start(**options) as handle:
            await handle.result()
    elif method == "stream":
        async with graph.stream(**options) as events:
            async for event in events:
                pass
    raise AssertionError("the run ended by itself")

if method == "sync":
    graph.run_sync(provider=provider, on_event=announce)
else:
    anyio.run(main, backend=backend)
"""

MODES: Final = [
    ("asyncio", "run"),
    ("trio", "run"),
    ("asyncio", "sync"),
    ("asyncio", "start"),
    ("trio", "start"),
    ("asyncio", "stream"),
    ("trio", "stream"),
]


def interrupt(script: Path, mode: tuple[str, str], wait_seconds: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(script), *mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line == "ready\n", (mode, line, process.stderr and process.stderr.read())
            time.sleep(wait_seconds)  # interrupts at a random moment
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)  # without the interrupt, 120 s
        except BaseException:
            process.kill()
            raise
    assert process.returncode in (-signal.SIGINT, 130), (mode, out, err)
    assert err.rstrip().endswith("KeyboardInterrupt"), (mode, err)
    assert out == "left 4 0 []\n", (mode, out, err)
    assert "never retrieved" not in err
    assert "never awaited" not in err
    assert "was destroyed" not in err


def trials(folder: Path, numbers: range) -> None:
    script = folder / "slow.py"
    script.write_text(SCRIPT, "utf-8")
    rng = random.Random(numbers.start)
    for number in numbers:
        interrupt(script, MODES[number % len(MODES)], rng.random() * 0.05)


def test_ctrl_c_ends_a_run_immediately(tmp_path: Path) -> None:
    trials(tmp_path, range(QUICK))


@pytest.mark.full
def test_ctrl_c_ends_a_run_immediately_fifty_times(tmp_path: Path) -> None:
    trials(tmp_path, range(QUICK, QUICK + FULL))
