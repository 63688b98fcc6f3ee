"""The llama.cpp server inside this process: started once, shared, stopped; it asks it nothing."""

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

__all__ = ["LocalServer", "ServerSettings", "claim", "release", "runtime_is_there"]

_HEALTH_SECONDS = 60.0


def runtime_is_there() -> bool:
    """Whether xllamacpp is installed; it is not imported."""
    return importlib.util.find_spec("xllamacpp") is not None


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What makes two servers the same one."""

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
        # Not a daemon: a process that ends while the model loads waits for it, where
        # killing the thread inside llama.cpp would crash.
        threading.Thread(target=self._start, name="dagorch-local-model").start()

    def address(self) -> str:
        """
        Wait until the server answers and give its address; blocks.

        Raises:
            DefinitionError: The model could not be loaded.
        """
        return self._address.result()

    def _start(self) -> None:
        try:
            self._server = _make(self._settings)
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
        """Whether it tried to start and could not."""
        return self._address.done() and self._address.exception() is not None

    def stop(self) -> None:
        """Wait for the start to end, then free the port and the memory; blocks up to a second."""
        self._address.exception()
        self._server = None  # the last reference: llama.cpp stops in its destructor


_lock = threading.Lock()
_servers: dict[ServerSettings, LocalServer] = {}


def claim(settings: ServerSettings, owner: object) -> LocalServer:
    """Give the process's server with these settings, started now if there is none."""
    with _lock:
        server = _servers.get(settings)
        if server is None or server.failed:
            server = _servers[settings] = LocalServer(settings)
        server.owners.add(id(owner))
        return server


def release(settings: ServerSettings, owner: object) -> LocalServer | None:
    """Take a claim back; gives the server if nobody claims it any more, for the caller to stop."""
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


def _make(settings: ServerSettings) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(settings.path)
    params.model_alias = {settings.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = settings.slots
    params.n_ctx = settings.context_tokens * settings.slots
    # A thread per core spins for the others at every layer: with any other work on the
    # machine, 127 tokens/s become 2.
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.threads
    params.ui = False
    params.offline = True
    params.verbosity = 0
    return xllamacpp.Server(params)


def _wait_until_healthy(address: str) -> None:
    """Return when `/health` says 200; the port opens before the model is ready."""
    parts = urlsplit(address)
    deadline = time.monotonic() + _HEALTH_SECONDS
    while True:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ready after {_HEALTH_SECONDS:g} s")
        time.sleep(0.05)
