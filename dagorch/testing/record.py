"""Recording and replay of the requests and responses of a provider."""

from __future__ import annotations

import builtins
import difflib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from dagorch import errors
from dagorch.errors import DefinitionError, ProviderError
from dagorch.http.scrub import Scrubber
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.rates import RateLimits
from dagorch.models.usage import Usage
from dagorch.ports import Provider, RateLimited, ReplyListener, TokenBounded
from dagorch.private_files import private_append, private_write
from dagorch.providers.base import BaseProvider

__all__ = ["RecordingProvider", "ReplayProvider"]

_REQUEST: Final = TypeAdapter(LLMRequest)
_RESPONSE: Final = TypeAdapter(LLMResponse)
_PLAIN_ATTRIBUTES: Final = (
    "service",
    "model",
    "status",
    "request_id",
    "retry_after_seconds",
    "answer_begun",
)
_MODEL_ATTRIBUTES: Final[Mapping[str, TypeAdapter[Any]]] = {
    "rate_limits": TypeAdapter(RateLimits | None),
    "usage": TypeAdapter(Usage | None),
}
"""The attributes of an error that are models."""


def _plain(request: LLMRequest, scrub: Scrubber) -> dict[str, Any]:
    """Return a request as plain JSON without keys, to be recorded and compared."""
    plain: dict[str, Any] = scrub(_REQUEST.dump_python(request, mode="json", exclude_defaults=True))
    return plain


class RecordingProvider(BaseProvider):
    """
    Forwards each request to another provider, and records it as a line of JSON.

    An existing file is replaced. Keys are removed: the texts in `secrets`, text that looks like a
    key, and the value of every field of `extra` with such a name (`Authorization`, `api_key`, ...).
    Failures are recorded too, cancelled requests are not.

    Args:
        inner: The provider that answers.
        path: The file to write; only you may read a new one.
        secrets: Texts to remove.

    Raises:
        DefinitionError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> from dagorch.testing import ReplayProvider, ScriptedProvider
        >>> question = [{"role": "user", "content": "France's capital?"}]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/capitals.jsonl"
        ...     recorded = RecordingProvider(ScriptedProvider("Paris."), path).complete(question)
        ...     replayed = ReplayProvider(path).complete(question)
        >>> replayed == recorded
        True
    """

    def __init__(self, inner: Provider, path: str | Path, *, secrets: Iterable[str] = ()) -> None:
        limits = inner.limits if isinstance(inner, RateLimited) else None
        super().__init__(inner.name, inner.default_model, inner.max_concurrency, limits)
        self._inner = inner
        self._path = Path(path)
        self._scrub = Scrubber(secrets)
        head = {
            "name": inner.name,
            "default_model": inner.default_model,
            "max_concurrency": inner.max_concurrency,
        }
        line = json.dumps({"provider": head}) + "\n"
        private_write(self._path, line.encode("utf-8"), named=True)

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """Forward a request, and record the outcome."""
        share = (
            {"has_share": True} if isinstance(on_text, ReplyListener) and on_text.has_share else {}
        )
        try:
            response = await self._inner.exchange(request, on_text)
        except Exception as error:
            self._write(request, {**share, "error": _error_to_json(error)})
            raise
        plain = _RESPONSE.dump_python(response, mode="json", exclude_defaults=True)
        self._write(request, {**share, "response": plain})
        return response

    def _write(self, request: LLMRequest, outcome: dict[str, Any]) -> None:
        worst = self._inner.worst_case_usd(request)
        line = {
            "request": _plain(request, self._scrub),
            "worst_case_usd": None if worst is None else str(worst),
            "max_output_tokens": self.max_output_tokens(request.model),
            **self._scrub(outcome),
        }
        with private_append(self._path) as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Return the worst case of the other provider."""
        return self._inner.worst_case_usd(request)

    def bounds(self, request: LLMRequest) -> tuple[int, int | None]:
        inner = self._inner
        return inner.bounds(request) if isinstance(inner, TokenBounded) else super().bounds(request)

    def max_output_tokens(self, model: str = "") -> int | None:
        inner = self._inner
        return inner.max_output_tokens(model) if isinstance(inner, TokenBounded) else None

    async def aclose(self) -> None:
        """Close the other provider."""
        await self._inner.aclose()


class ReplayProvider(BaseProvider):
    """
    Answers from a file that `RecordingProvider` wrote, without any connection.

    A request is found by its content. Equal requests get the recorded outcomes in their order. A
    `max_tokens` that was a share of the run's ceiling does not count, since shares depend on time.

    Args:
        path: The file to read.
        secrets: The texts that were removed from the recording, if requests contain any.

    Raises:
        DefinitionError: The file does not exist, or is not a recording.
    """

    def __init__(self, path: str | Path, *, secrets: Iterable[str] = ()) -> None:
        self._path = Path(path)
        try:
            lines = [json.loads(line) for line in self._path.read_text("utf-8").splitlines()]
            head = lines[0]["provider"]
            exchanges = [(_key_of(line), line) for line in lines[1:]]
            super().__init__(head["name"], head["default_model"], head["max_concurrency"])
        except OSError as error:
            raise DefinitionError(f"the recording {str(path)!r} cannot be read: {error}") from error
        except (ValueError, LookupError, TypeError) as error:
            raise DefinitionError(
                f"{str(path)!r} is not a recording of RecordingProvider"
            ) from error
        self._scrub = Scrubber(secrets)
        self._recorded: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        for number, (key, line) in enumerate(exchanges, start=2):
            self._recorded[key].append((number, line))
        self._used: dict[str, int] = defaultdict(int)

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Return the recorded response, with its text in one piece.

        Raises:
            DefinitionError: The request was not recorded, or fewer times. The message names the
                most similar one.
            Exception: The recorded error.
        """
        key = self._key(request)
        recorded = self._recorded.get(key)
        if recorded is None:
            raise DefinitionError(
                f"{self._path.name}: this request was not recorded; {self._nearest(key)}"
            )
        used = self._used[key]
        if used == len(recorded):
            raise DefinitionError(
                f"{self._path.name}: this request was recorded {used} times, but "
                f"is sent once more: {request.messages[-1].content[:200]!r}"
            )
        self._used[key] += 1
        line = recorded[used][1]
        if "error" in line:
            raise _error_from_json(line["error"])
        response = _RESPONSE.validate_python(line["response"])
        on_text(response.content)
        return response

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """Return the recorded worst case; for an unknown request, the highest of all."""
        lines = self._recorded.get(self._key(request))
        known = lines or [line for several in self._recorded.values() for line in several]
        worst = [line["worst_case_usd"] for _, line in known]
        return max(map(Decimal, worst)) if worst and None not in worst else None

    def max_output_tokens(self, model: str = "") -> int | None:
        """Return the recorded bound of the model."""
        for several in self._recorded.values():
            for _, line in several:
                if line["request"].get("model", "") == model:
                    most: int | None = line.get("max_output_tokens")
                    return most
        return None

    def _key(self, request: LLMRequest) -> str:
        """Return the key of a request in the recording."""
        plain = _plain(request, self._scrub)
        key = _canonical(plain)
        shared = _canonical(_without_limit(plain))
        return shared if key not in self._recorded and shared in self._recorded else key

    def _nearest(self, key: str) -> str:
        """Describe the most similar recorded request, and the first difference."""
        if not self._recorded:
            return "the recording is empty"
        matcher = difflib.SequenceMatcher(b=key, autojunk=False)

        def similarity(other: str) -> float:
            matcher.set_seq1(other)
            return matcher.quick_ratio()

        nearest = max(self._recorded, key=similarity)
        number = self._recorded[nearest][0][0]
        place, recorded, sent = _difference(json.loads(nearest), json.loads(key), "")
        return (
            f"the most similar is line {number}, where {place} is {recorded!r:.200} "
            f"and not {sent!r:.200}"
        )


def _key_of(line: Mapping[str, Any]) -> str:
    """Return the key of a recorded line."""
    request = line["request"]
    return _canonical(_without_limit(request) if line.get("has_share") else request)


def _without_limit(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != "max_tokens"}


def _canonical(plain: Mapping[str, Any]) -> str:
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)


def _difference(left: Any, right: Any, place: str) -> tuple[str, Any, Any]:
    """Return the first place where two JSON values differ, and both values there."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted(left.keys() | right.keys()):
            if left.get(name) != right.get(name):
                return _difference(
                    left.get(name), right.get(name), f"{place}.{name}" if place else name
                )
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            if one != other:
                return _difference(one, other, f"{place}[{number}]")
    return place, left, right


def _error_to_json(error: Exception) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if isinstance(error, ProviderError):
        attributes = {name: getattr(error, name) for name in _PLAIN_ATTRIBUTES}
        attributes |= {
            name: kind.dump_python(getattr(error, name), mode="json")
            for name, kind in _MODEL_ATTRIBUTES.items()
        }
    return {"type": type(error).__name__, "message": str(error), "facts": attributes}


def _error_from_json(plain: Mapping[str, Any]) -> Exception:
    """Recreate a recorded error; one of an unknown class becomes a plain `ProviderError`."""
    name, message = plain["type"], plain["message"]
    kind = getattr(errors, name, None) or getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, ProviderError):
        attributes = {
            name: _MODEL_ATTRIBUTES[name].validate_python(value)
            if name in _MODEL_ATTRIBUTES
            else value
            for name, value in plain["facts"].items()
        }
        return kind(message, **attributes)
    if isinstance(kind, type) and issubclass(kind, Exception):
        return kind(message)
    return ProviderError(f"{name}: {message}")
