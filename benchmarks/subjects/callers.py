"""
Callers of the model service: dagorch, bare httpx, and the official SDK of each dialect.

All request the same stream. `httpx` does the least that a Python program can do: it posts the same
bytes with one client and reads the answer without parsing it. `httpx, parsed` also parses the
events as JSON. dagorch and the SDKs return the text and its token counts.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.measure import Run
from benchmarks.service import ANSWER, INPUT_TOKENS, WORDS
from benchmarks.subjects import missing_import
from dagorch.providers import AnthropicProvider, GeminiProvider, HttpProvider, OpenAIProvider

KEY = "sk-0123456789abcdef"
PROMPT = "Count to twenty in words."
MESSAGES = [{"role": "user", "content": PROMPT}]
MAX_TOKENS = 100

Open = Callable[[str], AbstractAsyncContextManager[Run]]
"""Opens a caller for the address of a service, and returns a run of one call."""


@dataclass(frozen=True)
class Caller:
    """
    A client of the service.

    Attributes:
        name: The name in the tables.
        open: Returns a run of one call, which raises if the answer is unexpected.
        requires: The names that must be importable, as `module:name`.
    """

    name: str
    open: Open
    requires: tuple[str, ...] = ()

    def missing(self) -> str | None:
        """Return why a required name cannot be imported, None if all can."""
        return missing_import(self.requires)


@dataclass(frozen=True)
class Dialect:
    """A protocol of model services, and its callers."""

    name: str
    provider: type[HttpProvider]
    model: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    sdk: Caller

    @property
    def callers(self) -> tuple[Caller, ...]:
        """Return all callers, dagorch first."""
        return (
            Caller("dagorch", self._dagorch),
            Caller("httpx", self._httpx(parse=False)),
            Caller("httpx, parsed", self._httpx(parse=True)),
            self.sdk,
        )

    @asynccontextmanager
    async def _dagorch(self, url: str) -> AsyncIterator[Run]:
        async with self.provider(url, api_key=KEY, default_model=self.model) as provider:

            async def ask() -> None:
                response = await provider.acomplete(MESSAGES, max_tokens=MAX_TOKENS)
                usage = response.usage
                expect(response.content, usage.input_tokens, usage.output_tokens)

            yield ask

    def _httpx(self, *, parse: bool) -> Open:
        @asynccontextmanager
        async def opened(url: str) -> AsyncIterator[Run]:
            body = json.dumps(self.body).encode()
            whole_url = url + self.path

            async def ask() -> None:
                async with client.stream(
                    "POST", whole_url, content=body, headers=self.headers
                ) as reply:
                    answer = await reply.aread()
                for line in answer.decode().splitlines() if parse else ():
                    if line.startswith("data: {"):
                        json.loads(line[len("data: ") :])

            async with httpx.AsyncClient() as client:
                yield ask

        return opened


def expect(text: str, input_tokens: int, output_tokens: int) -> None:
    """
    Compare an answer with the one that the service sends.

    Raises:
        ValueError: They differ.
    """
    found = (text, input_tokens, output_tokens)
    if found != (ANSWER, INPUT_TOKENS, len(WORDS)):
        raise ValueError(f"unexpected answer: {found}")


@asynccontextmanager
async def _openai_sdk(url: str) -> AsyncIterator[Run]:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(api_key=KEY, base_url=url) as client:

        async def ask() -> None:
            texts, usage = [], None
            stream = await client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": PROMPT}],
                max_tokens=MAX_TOKENS,
                stream=True,
                stream_options={"include_usage": True},
            )
            async for chunk in stream:
                texts += [choice.delta.content or "" for choice in chunk.choices]
                usage = chunk.usage or usage
            assert usage is not None
            expect("".join(texts), usage.prompt_tokens, usage.completion_tokens)

        yield ask


@asynccontextmanager
async def _anthropic_sdk(url: str) -> AsyncIterator[Run]:
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(api_key=KEY, base_url=url) as client:

        async def ask() -> None:
            texts, input_tokens, output_tokens = [], 0, 0
            stream = await client.messages.create(
                model="claude-haiku-4-5",
                messages=[{"role": "user", "content": PROMPT}],
                max_tokens=MAX_TOKENS,
                stream=True,
            )
            async for event in stream:
                if event.type == "message_start":
                    input_tokens = event.message.usage.input_tokens
                elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                    texts.append(event.delta.text)
                elif event.type == "message_delta":
                    output_tokens = event.usage.output_tokens
            expect("".join(texts), input_tokens, output_tokens)

        yield ask


@asynccontextmanager
async def _gemini_sdk(url: str) -> AsyncIterator[Run]:
    from google import genai

    client = genai.Client(api_key=KEY, http_options={"base_url": url}).aio

    async def ask() -> None:
        texts, usage = [], None
        stream = await client.models.generate_content_stream(
            model="gemini-2.5-flash",
            contents=PROMPT,
            config={"max_output_tokens": MAX_TOKENS},
        )
        async for chunk in stream:
            texts.append(chunk.text or "")
            usage = chunk.usage_metadata or usage
        assert usage is not None
        expect("".join(texts), usage.prompt_token_count or 0, usage.candidates_token_count or 0)

    try:
        yield ask
    finally:
        await client.aclose()


_JSON = {"content-type": "application/json", "user-agent": "bare"}

OPENAI = Dialect(
    "OpenAI's dialect",
    OpenAIProvider,
    "gpt-4o-mini",
    "/chat/completions",
    {**_JSON, "authorization": f"Bearer {KEY}"},
    {
        "model": "gpt-4o-mini",
        "messages": MESSAGES,
        "max_tokens": MAX_TOKENS,
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    Caller("openai SDK", _openai_sdk, ("openai:AsyncOpenAI",)),
)
ANTHROPIC = Dialect(
    "Anthropic's dialect",
    AnthropicProvider,
    "claude-haiku-4-5",
    "/v1/messages",
    {**_JSON, "x-api-key": KEY, "anthropic-version": "2023-06-01"},
    {
        "model": "claude-haiku-4-5",
        "messages": MESSAGES,
        "max_tokens": MAX_TOKENS,
        "stream": True,
    },
    Caller("anthropic SDK", _anthropic_sdk, ("anthropic:AsyncAnthropic",)),
)
GEMINI = Dialect(
    "Gemini's dialect",
    GeminiProvider,
    "gemini-2.5-flash",
    "/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    {**_JSON, "x-goog-api-key": KEY},
    {
        "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
        "generationConfig": {"maxOutputTokens": MAX_TOKENS},
    },
    Caller("google-genai SDK", _gemini_sdk, ("google.genai:Client",)),
)
