"""
The program of the child process that runs llama.cpp's server for `local_server.py`.

Standard input brings one line of JSON, the settings, and stays open as long as the server is
wanted. Standard output takes one line of JSON: the address, or why the model cannot be loaded.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

__all__ = ["serve"]

_HEALTH_TIMEOUT_SECONDS = 60.0


def serve() -> None:
    """Start the server, write where it listens, and end with standard input."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what a native library prints is not an answer
        server = None
        try:
            server = _create_server(json.loads(sys.stdin.buffer.readline()))
            address = str(server.listening_address)
            _wait_until_healthy(address)
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        else:
            answer = {"address": address}
        print(json.dumps(answer), file=answers)
    if "address" in answer:
        sys.stdin.buffer.read()
    os._exit(0)  # the destructor of a server takes up to a second


def _create_server(settings: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    # Without the key, the server answers /health and nothing else. No page is a permitted origin.
    params.api_keys = [settings["key"]]
    params.endpoint_slots = False
    params.endpoint_props = False
    params.endpoint_metrics = False
    params.cors_origins = ""
    params.cors_methods = ""
    params.cors_headers = ""
    params.cors_credentials = False
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["context_tokens"] * settings["slots"]
    # The threads wait for each other in a spin lock at every layer. With one per core, any other
    # work on the machine reduces 127 tokens/s to 2.
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
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
