"""The llama.cpp server inside this process: started once, shared between providers, stopped."""

from __future__ import annotations

import atexit
import http.client
import importlib.util
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dagorch.errors import DefinitionError

__all__ = ["LocalServer", "ServerSettings", "acquire", "is_runtime_installed", "release"]

_HEALTH_TIMEOUT_SECONDS = 60.0


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
    """A server that is starting, running or stopped."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._server: Any = None
        self._address: Future[str] = Future()
        self.owners: set[int] = set()
        # Not a daemon thread: a process that ends during loading must wait, because killing the
        # thread inside llama.cpp would crash.
        threading.Thread(target=self._start, name="dagorch-local-model").start()

    def wait_for_address(self) -> str:
        """
        Wait until the server is ready and return its address; blocks.

        Raises:
            DefinitionError: The model could not be loaded.
        """
        return self._address.result()

    def _start(self) -> None:
        try:
            self._server = _create_server(self._settings)
            address = str(self._server.listening_address)
            _wait_until_healthy(address)
        except Exception as error:
            self._server = None
            failure = DefinitionError(
                f"the model file {self._settings.path} could not be loaded: {error}"
            )
            failure.__cause__ = error
            self._address.set_exception(failure)
        else:
            self._address.set_result(address)

    @property
    def failed(self) -> bool:
        """Whether the start failed."""
        return self._address.done() and self._address.exception() is not None

    def stop(self) -> None:
        """Wait for the start to end, then free port and memory; blocks for up to a second."""
        self._address.exception()
        self._server = None  # the last reference: llama.cpp stops in its destructor


_lock = threading.Lock()
_servers: dict[ServerSettings, LocalServer] = {}


def acquire(settings: ServerSettings, owner: object) -> LocalServer:
    """Return the process's server with these settings; starts it if there is none."""
    with _lock:
        server = _servers.get(settings)
        if server is None or server.failed:
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


def _create_server(settings: ServerSettings) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(settings.path)
    params.model_alias = {settings.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = settings.slots
    params.n_ctx = settings.context_tokens * settings.slots
    # The threads wait for each other in a spin lock at every layer. With one per core, any other
    # work on the machine reduces 127 tokens/s to 2.
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.threads
    params.ui = False
    params.offline = True
    params.verbosity = 0
    return xllamacpp.Server(params)


def _wait_until_healthy(address: str) -> None:
    """Poll `/health` until it answers 200; the port opens before the model is ready."""
    parts = urlsplit(address)
    deadline = time.monotonic() + _HEALTH_TIMEOUT_SECONDS
    while True:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ready after {_HEALTH_TIMEOUT_SECONDS:g} s")
        time.sleep(0.05)
