"""
The llama.cpp server of this process: started once, shared between providers, stopped.

It runs in a child process, so that a crash of the native library ends one request and not the
user's program. See docs/adr/0043-the-embedded-model-in-a-child-process.md.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import secrets
import subprocess
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dagorch.child_process.bounded import exit_reason, kill, start_function
from dagorch.errors import DefinitionError, ProviderConnectionError
from dagorch.http.secret import Secret

__all__ = ["LocalServer", "ServerSettings", "acquire", "is_runtime_installed", "release"]

_END_SECONDS = 1.0
"""How long the end of a process may come after that of its connections."""
_VARIABLES = ("CUDA_VISIBLE_DEVICES", "GGML_", "HIP_", "OMP_", "ROCR_", "VK_")
"""Which devices to use, and how."""


def is_runtime_installed() -> bool:
    """Return whether xllamacpp is installed, without importing it."""
    return importlib.util.find_spec("xllamacpp") is not None


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Providers with equal settings share a server."""

    path: Path
    alias: str
    slots: int
    threads: int
    context_tokens: int


class LocalServer:
    """
    A server that is starting, running or has ended.

    Raises:
        ProviderConnectionError: The machine permits no more processes.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self.key = Secret(secrets.token_urlsafe(32))
        """Whoever knows it may use the model."""
        self.owners: set[int] = set()
        self._address: Future[str] = Future()
        try:
            self._process = start_function(
                "dagorch.providers.local_child", "serve", variables=_VARIABLES
            )
        except OSError as error:
            raise ProviderConnectionError(
                f"local: cannot start a process for the model: {error.strerror}", service="local"
            ) from error
        threading.Thread(target=self._start, name="dagorch-local-model", daemon=True).start()

    @property
    def pid(self) -> int:
        """The id of the process, and of its process group."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended; true in a fork of the process that started it."""
        return self._process.poll() is not None

    def wait_for_address(self) -> str:
        """
        Wait until the server is ready and return its address; blocks.

        Raises:
            DefinitionError: The model could not be loaded.
            ProviderConnectionError: The process died.
        """
        return self._address.result()

    def wait_for_end(self) -> str:
        """Return why the process ended, or an empty text if it still runs after a second."""
        try:
            return exit_reason(self._process.wait(_END_SECONDS))
        except subprocess.TimeoutExpired:
            return ""

    def stop(self) -> None:
        """End the process, in whatever state it is; blocks for some milliseconds."""
        kill(self._process)
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def _start(self) -> None:
        """Send the settings and the key, which no other process can read from a pipe."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        settings = asdict(self._settings) | {
            "path": str(self._settings.path),
            "key": self.key.reveal(),
        }
        with stdout, suppress(OSError, ValueError):  # it died, or was stopped, at once
            stdin.write(json.dumps(settings).encode() + b"\n")
            stdin.flush()
            answer = json.loads(stdout.readline())
            if "address" in answer:
                self._address.set_result(answer["address"])
            else:
                self._address.set_exception(
                    DefinitionError(
                        f"the model file {self._settings.path} could not be loaded: "
                        f"{answer['error']}"
                    )
                )
            return
        self._address.set_exception(
            ProviderConnectionError(
                f"local: the process that loads {self._settings.path} died: {self.wait_for_end()}",
                service="local",
            )
        )


_lock = threading.Lock()
_servers: dict[ServerSettings, LocalServer] = {}


def acquire(settings: ServerSettings, owner: object) -> LocalServer:
    """Return the process's server with these settings; starts it if none runs."""
    with _lock:
        server = _servers.get(settings)
        if server is not None and server.has_ended:
            server.stop()  # closes its pipe
            server = None
        if server is None:
            server = _servers[settings] = LocalServer(settings)
        server.owners.add(id(owner))
        return server


def release(settings: ServerSettings, owner: object) -> LocalServer | None:
    """Remove an owner; returns a server without owners, which the caller must stop."""
    with _lock:
        server = _servers.get(settings)
        if server is None:
            return None
        server.owners.discard(id(owner))
        return None if server.owners else _servers.pop(settings)


@atexit.register
def _stop_all() -> None:
    with _lock:
        servers = list(_servers.values())
        _servers.clear()
    for server in servers:
        server.stop()


def _after_fork() -> None:
    """Forget the servers: they belong to the process that started them."""
    global _lock
    _lock = threading.Lock()  # another thread may have held it
    _servers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
