"""
A small model inside this process, with no key and no cost: the embedded server and its client.

The client is the very one for remote services; only where the model comes from is told here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import anyio

from dagorch.errors import DefinitionError, NotFoundError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.providers import local_server
from dagorch.providers.base import BaseProvider
from dagorch.providers.http_client import Timeouts
from dagorch.providers.local_model import (
    MODEL_NAME,
    SMOLLM2,
    cache_dir,
    fetch_model,
    find_model,
    installer,
)
from dagorch.providers.openai import OpenAIProvider

__all__ = ["LocalProvider", "local_missing"]

_INSTALL = 'pip install "dagorch[local]"'
_DEFAULT_MAX_TOKENS = 1_024
"""A small model does not know when to stop, and the context's end is minutes away."""


def local_missing() -> str:
    """Say what to do before the local model can be used; empty if it is ready or can be fetched."""
    if not local_server.runtime_is_there():
        return _INSTALL
    if find_model() is None and installer() is None:
        return f"put {SMOLLM2.file} into {cache_dir()}"
    return ""


class LocalProvider(BaseProvider):
    """
    SmolLM2-135M, or any GGUF file, run by llama.cpp in this process.

    It is loaded at the first request, in a second, and stays: providers with equal settings
    share one server, which stops when each of them was closed, and at the latest when the
    process ends. Where the model's file is not on this machine yet it is fetched, once.

    It proves that a workflow works. It is no researcher.

    Args:
        model_path: A GGUF file; None takes the embedded model.
        slots: Requests worked on at once, sharing the threads; 260 MB with 4, 350 MB with 8.
        threads: None takes one less than there are cores, at least 1.
        context_tokens: Of each slot, the prompt's and the answer's together.
        report: Takes lines of progress of a download; None shows them on standard error.

    Raises:
        DefinitionError: The file does not exist or is no GGUF file, or xllamacpp is missing.
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
        if not local_server.runtime_is_there():
            raise DefinitionError(f"the local model needs xllamacpp: {_INSTALL}")
        for name, value in (("threads", threads), ("context_tokens", context_tokens)):
            if value is not None and value < 1:
                raise DefinitionError(f"{name} is {value}; give at least 1")
        self._path = find_model(model_path)
        alias = MODEL_NAME if model_path is None else Path(model_path).stem
        super().__init__("local", alias, slots)
        self._slots = slots
        self._threads = threads or max(1, (os.cpu_count() or 1) - 1)
        self._context_tokens = context_tokens
        self._report = report
        self._loading = threading.Lock()
        self._settings: local_server.ServerSettings | None = None
        self._client: OpenAIProvider | None = None

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Answer, after loading the model if this is the first request.

        A request without `max_tokens` gets at most 1,024.

        Raises:
            DefinitionError: The file cannot be loaded.
            NotFoundError: The request names another model.
            ContextTooLongError: The request has more tokens than `context_tokens`.
        """
        if request.model not in ("", self.default_model):
            raise NotFoundError(
                f"local: there is no model {request.model!r} here, only {self.default_model!r}; "
                "give LocalProvider the path of another GGUF file",
                service="local",
                model=request.model,
                status=404,
            )
        client = await self._connected()
        bounded = replace(request, max_tokens=request.max_tokens or _DEFAULT_MAX_TOKENS)
        return await client.exchange(bounded, on_text)

    async def _connected(self) -> OpenAIProvider:
        # A thread waits for the model, so a cancelled call leaves at once and the next finds it.
        client = self._client
        if client is None:
            client = await anyio.to_thread.run_sync(self._load, abandon_on_cancel=True)
        return client

    def _load(self) -> OpenAIProvider:
        """Find or fetch the file, start or find its server, and make the client; blocks."""
        with self._loading:
            if self._client is None:
                path = self._path or find_model() or fetch_model(self._report)
                self._settings = local_server.ServerSettings(
                    path.resolve(),
                    self.default_model,
                    self._slots,
                    self._threads,
                    self._context_tokens,
                )
                self._client = OpenAIProvider(
                    f"{local_server.claim(self._settings, self).address()}/v1",
                    name="local",
                    default_model=self.default_model,
                    max_concurrency=self.max_concurrency,
                    free=True,
                    # Waiting for a slot that another provider's request holds is silence, too.
                    timeouts=Timeouts(first_byte_seconds=600.0),
                )
            return self._client

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Nothing: it is your own machine."""
        return Decimal(0)

    def max_output_tokens(self, model: str = "") -> int | None:
        """What its context holds."""
        return self._context_tokens

    async def aclose(self) -> None:
        """Close this event loop's connections, and the server if no other provider uses it."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        if self._settings is not None:
            server = local_server.release(self._settings, self)
            if server is not None:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(server.stop)
