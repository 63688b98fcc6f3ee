"""The types of the official SDKs accept every request that we send."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from dagorch.models.llm import LLMRequest, Message, Role, Thought, ToolCall, ToolSpec
from dagorch.nodes.tools import tool_spec
from dagorch.providers.anthropic_wire import ANTHROPIC
from dagorch.providers.dialect import Dialect
from dagorch.providers.gemini_wire import GEMINI
from dagorch.providers.openai_wire import OPENAI


def check_request(dialect: str, body: Mapping[str, Any]) -> None:
    # Here, because the SDKs take seconds to import, which every worker would spend.
    from tests.conformance.providers.sdk_types import check_request

    check_request(dialect, body)


DIALECTS = {"openai": OPENAI, "anthropic": ANTHROPIC, "gemini": GEMINI}
MODELS = {
    "openai": ["gpt-4o-mini", "o3-mini"],
    "anthropic": ["claude-3-5-haiku-latest", "claude-sonnet-4-5"],
    "gemini": ["gemini-2.5-flash", "gemini-3-pro-preview"],
}
every_model = pytest.mark.parametrize(
    ("dialect", "model"), [(name, model) for name, models in MODELS.items() for model in models]
)


class Part(BaseModel):
    """A part of the whole."""

    share: float = Field(ge=0, le=1)
    kind: str = Field(pattern="^[a-z]+$", description="One word.")


class Whole(BaseModel):
    title: str
    parts: list[Part]
    note: str | None = None


def weather(city: str, days: int = 1) -> str:
    """Tell the weather."""
    return f"{city} {days}"


PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()
SCHEMAS = (None, Whole.model_json_schema(), {"type": "object", "properties": {}})
TOOLS = (tool_spec(weather), ToolSpec("now", "Tell the time.", {"type": "object"}))

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
calls = st.builds(
    ToolCall,
    id=st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True),
    name=st.sampled_from(["weather", "now"]),
    arguments=st.sampled_from(["{}", '{"city": "Paris"}', "not json", "[1]", ""]),
)
thoughts = st.builds(Thought, text=words, signature=words, hidden=st.booleans())


def turn(role: Role) -> st.SearchStrategy[Message]:
    return st.builds(
        Message,
        role=st.just(role),
        content=words,
        images=st.lists(st.sampled_from([PNG, "https://example.org/cat.png"]), max_size=2).map(
            tuple
        )
        if role == "user"
        else st.just(()),
        tool_calls=st.lists(calls, max_size=2).map(tuple) if role == "assistant" else st.just(()),
        tool_call_id=st.just("id_1" if role == "tool" else ""),
        is_error=st.booleans() if role == "tool" else st.just(False),
        thoughts=st.lists(thoughts, max_size=1).map(tuple) if role == "assistant" else st.just(()),
    )


requests = st.builds(
    LLMRequest,
    messages=st.lists(
        st.one_of(turn("system"), turn("user"), turn("assistant"), turn("tool")), max_size=5
    ).map(tuple),
    max_tokens=st.none() | st.integers(1, 1_000),
    temperature=st.none() | st.floats(0, 1),
    stop=st.lists(words, max_size=2).map(tuple),
    json_schema=st.sampled_from(SCHEMAS),
    tools=st.sampled_from([(), TOOLS]),
)


@every_model
@given(request=requests, limit=st.none() | st.just(8_192))
def test_the_sdk_types_accept_any_request(
    dialect: str, model: str, request: LLMRequest, limit: int | None
) -> None:
    check_request(dialect, DIALECTS[dialect].request_body(request, model, limit))


@every_model
def test_an_unknown_field_would_be_detected(dialect: str, model: str) -> None:
    body = DIALECTS[dialect].request_body(LLMRequest((Message("user", "Hi"),)), model, None)
    first = (body.get("messages") or body["contents"])[0]
    with pytest.raises((AssertionError, ValidationError, KeyError)):
        check_request(dialect, body | {"no_such_field": 1})
    first["no_such_field"] = 1
    with pytest.raises((AssertionError, ValidationError)):
        check_request(dialect, body)


CONVERSATION: Sequence[Message] = (
    Message("system", "Be brief."),
    Message("user", "What is it, and how is the weather?", images=(PNG, "https://e.org/a.jpg")),
    Message(
        "assistant",
        "Let me see.",
        tool_calls=(
            ToolCall("id_a", "weather", '{"city": "Paris"}', "c2ln"),
            ToolCall("id_b", "now", ""),
        ),
        thoughts=(Thought("Two tools.", "signed"), Thought("c2VjcmV0", hidden=True)),
    ),
    Message("tool", "rain", tool_call_id="id_a"),
    Message("tool", "error: no clock", tool_call_id="id_b", is_error=True),
    Message("user", "And now?"),
)


@every_model
def test_a_complete_conversation_with_parallel_tools(dialect: str, model: str) -> None:
    request = LLMRequest(
        tuple(CONVERSATION), max_tokens=50, temperature=0.5, stop=("END",), tools=TOOLS,
        json_schema=Whole.model_json_schema(),
    )  # fmt: skip
    check_request(dialect, DIALECTS[dialect].request_body(request, model, None))


def bodies(dialect: Dialect, **options: object) -> dict[str, object]:
    request = LLMRequest((Message("user", "Hi"),), **options)  # type: ignore[arg-type]
    return dialect.request_body(request, "m", None)


@pytest.mark.parametrize("name", DIALECTS)
def test_an_option_that_was_not_set_is_not_sent(name: str) -> None:
    least = {
        "openai": {"model", "messages", "stream", "stream_options"},
        "anthropic": {"model", "messages", "stream", "max_tokens"},
        "gemini": {"contents"},
    }
    assert set(bodies(DIALECTS[name])) == least[name]
