"""Record what a provider is asked and answers, and play it back; nothing about how graphs run."""

from __future__ import annotations

import builtins
import difflib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from dagorch import errors
from dagorch.errors import DefinitionError, ProviderError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.models.rates import RateLimits
from dagorch.models.usage import Usage
from dagorch.ports import Provider, RateLimited, TokenBounded
from dagorch.providers.base import BaseProvider

__all__ = ["RecordingProvider", "ReplayProvider"]

_REQUEST: Final = TypeAdapter(LLMRequest)
_RESPONSE: Final = TypeAdapter(LLMResponse)
_HIDDEN: Final = "***"
_SECRET_NAME: Final = re.compile(
    r"authorization|api[-_]?key|token$|secret|password|cookie", re.IGNORECASE
)
_KEY: Final = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|hf|pplx|key)[-_][A-Za-z0-9_-]{16,}"
    r"|\bAIza[A-Za-z0-9_-]{20,}|\bBearer\s+[A-Za-z0-9._~+/=-]{8,}"
)
_FACTS: Final = (
    "service",
    "model",
    "status",
    "request_id",
    "retry_after_seconds",
    "answer_begun",
)
_RECORDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "rate_limits": TypeAdapter(RateLimits | None),
    "usage": TypeAdapter(Usage | None),
}
"""Facts of an error that are records themselves."""


class _Scrubber:
    """Takes keys out of plain JSON: those given, what looks like one, fields named like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [secret for secret in secrets if secret]

    def __call__(self, value: Any, name: str = "") -> Any:
        if isinstance(value, Mapping):
            return {key: self(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self(inner, name) for inner in value]
        if not isinstance(value, str):
            return value
        if _SECRET_NAME.search(name):
            return _HIDDEN
        for secret in self._secrets:
            value = value.replace(secret, _HIDDEN)
        return _KEY.sub(_HIDDEN, value)

    def request(self, request: LLMRequest) -> dict[str, Any]:
        """A request as plain JSON without keys: what is kept, and what is compared."""
        plain: dict[str, Any] = self(
            _REQUEST.dump_python(request, mode="json", exclude_defaults=True)
        )
        return plain


class RecordingProvider(BaseProvider):
    """
    Passes every exchange on to another provider and writes it down, a line of JSON each.

    The file is begun anew. Keys are left out: those in `secrets`, whatever looks like one, and
    the value of each field of `extra` that is named like one (`Authorization`, `api_key`, ...).
    Failures are written down as well as answers; a cancelled exchange is not.

    Args:
        inner: Who really answers.
        path: The file.
        secrets: Texts that must not be written.

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
        self._scrub = _Scrubber(secrets)
        head = {
            "name": inner.name,
            "default_model": inner.default_model,
            "max_concurrency": inner.max_concurrency,
        }
        self._path.write_text(json.dumps({"provider": head}) + "\n", "utf-8")

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """Let the other provider answer, and write it down."""
        try:
            response = await self._inner.exchange(request, on_text)
        except Exception as error:
            self._write(request, {"error": _error_to_json(error)})
            raise
        self._write(
            request,
            {"response": _RESPONSE.dump_python(response, mode="json", exclude_defaults=True)},
        )
        return response

    def _write(self, request: LLMRequest, outcome: dict[str, Any]) -> None:
        worst = self._inner.worst_case_usd(request)
        line = {
            "request": self._scrub.request(request),
            "worst_case_usd": None if worst is None else str(worst),
            "max_output_tokens": self.max_output_tokens(request.model),
            **self._scrub(outcome),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """What the other provider says."""
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
    Answers from a file that `RecordingProvider` wrote; sends nothing anywhere.

    A request is found by its content; of equal ones, the first gets the first recorded answer,
    the second the second, and so on.

    Args:
        path: The file.
        secrets: Those given when it was recorded, where requests hold one.

    Raises:
        DefinitionError: There is no such file, or it is no recording.
    """

    def __init__(self, path: str | Path, *, secrets: Iterable[str] = ()) -> None:
        self._path = Path(path)
        try:
            lines = [json.loads(line) for line in self._path.read_text("utf-8").splitlines()]
            head = lines[0]["provider"]
            exchanges = [(_canonical(line["request"]), line) for line in lines[1:]]
            super().__init__(head["name"], head["default_model"], head["max_concurrency"])
        except OSError as error:
            raise DefinitionError(f"the recording {str(path)!r} cannot be read: {error}") from error
        except (ValueError, LookupError, TypeError) as error:
            raise DefinitionError(f"{str(path)!r} is no recording of RecordingProvider") from error
        self._scrub = _Scrubber(secrets)
        self._recorded: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        for number, (key, line) in enumerate(exchanges, start=2):
            self._recorded[key].append((number, line))
        self._used: dict[str, int] = defaultdict(int)

    async def exchange(self, request: LLMRequest, on_text: Callable[[str], None]) -> LLMResponse:
        """
        Give the recorded answer, its text in one piece.

        Raises:
            DefinitionError: The request was not recorded, or not that often; names the nearest.
            Exception: What was recorded.
        """
        key = _canonical(self._scrub.request(request))
        recorded = self._recorded.get(key)
        if recorded is None:
            raise DefinitionError(
                f"{self._path.name}: this request was not recorded; {self._nearest(key)}"
            )
        used = self._used[key]
        if used == len(recorded):
            raise DefinitionError(
                f"{self._path.name}: this request was recorded {used} times, and it is made "
                f"once more: {request.messages[-1].content[:200]!r}"
            )
        self._used[key] += 1
        line = recorded[used][1]
        if "error" in line:
            raise _error_from_json(line["error"])
        response = _RESPONSE.validate_python(line["response"])
        on_text(response.content)
        return response

    def worst_case_usd(self, request: LLMRequest) -> Decimal | None:
        """What was recorded of the request; of one that was not, the most of all."""
        lines = self._recorded.get(_canonical(self._scrub.request(request)))
        known = lines or [line for several in self._recorded.values() for line in several]
        worst = [line["worst_case_usd"] for _, line in known]
        return max(map(Decimal, worst)) if worst and None not in worst else None

    def max_output_tokens(self, model: str = "") -> int | None:
        """What was recorded of the model."""
        for several in self._recorded.values():
            for _, line in several:
                if line["request"].get("model", "") == model:
                    most: int | None = line.get("max_output_tokens")
                    return most
        return None

    def _nearest(self, key: str) -> str:
        """Name the recorded request that differs least, and where it does."""
        if not self._recorded:
            return "nothing was"
        matcher = difflib.SequenceMatcher(b=key, autojunk=False)

        def likeness(other: str) -> float:
            matcher.set_seq1(other)
            return matcher.quick_ratio()

        nearest = max(self._recorded, key=likeness)
        number = self._recorded[nearest][0][0]
        place, recorded, asked = _difference(json.loads(nearest), json.loads(key), "")
        return (
            f"the nearest is line {number}, where {place} is {recorded!r:.200} "
            f"and not {asked!r:.200}"
        )


def _canonical(plain: Mapping[str, Any]) -> str:
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)


def _difference(left: Any, right: Any, place: str) -> tuple[str, Any, Any]:
    """The first place where two JSON values differ, and what stands there in each."""
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
    facts: dict[str, Any] = {}
    if isinstance(error, ProviderError):
        facts = {name: getattr(error, name) for name in _FACTS}
        facts |= {
            name: kind.dump_python(getattr(error, name), mode="json")
            for name, kind in _RECORDS.items()
        }
    return {"type": type(error).__name__, "message": str(error), "facts": facts}


def _error_from_json(plain: Mapping[str, Any]) -> Exception:
    """The error again; if neither dagorch's nor Python's own, as a plain `ProviderError`."""
    name, message = plain["type"], plain["message"]
    kind = getattr(errors, name, None) or getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, ProviderError):
        facts = {
            name: _RECORDS[name].validate_python(value) if name in _RECORDS else value
            for name, value in plain["facts"].items()
        }
        return kind(message, **facts)
    if isinstance(kind, type) and issubclass(kind, Exception):
        return kind(message)
    return ProviderError(f"{name}: {message}")
