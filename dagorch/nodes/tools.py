"""The steps of an LLM node with tools; `graph/tools.py` joins them into a graph."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dagorch.errors import DefinitionError, InvalidOutputError, OutputTypeError, did_you_mean
from dagorch.models.llm import LLMRequest, LLMResponse, Message, ToolCall, ToolSpec
from dagorch.models.truncate import truncate, truncate_with_count
from dagorch.models.unawaited import unawaited
from dagorch.models.user_objects import error_text
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.llm import LLM
from dagorch.nodes.signature import ParameterSpec, signature_of
from dagorch.nodes.textless import textless
from dagorch.nodes.types import type_name

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["CallWithTools", "Conversation", "Toolbox", "has_answer", "tool_spec"]


_MAX_ARGUMENT_CHARS: Final = 1_000_000
_MAX_RESULT_CHARS: Final = 1_000_000
"""Of a tool, as the model reads it; more than any context window."""
_MAX_ERROR_CHARS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Conversation:
    """The state of the loop: every turn so far, and the answer once the model calls no tools."""

    messages: tuple[Message, ...]
    answer: LLMResponse | None = None


@dataclass(frozen=True, slots=True)
class CallWithTools(Node[LLMResponse]):
    """One call of a conversation, with the settings of the LLM node that it belongs to."""

    kind: ClassVar[Kind] = Kind.LLM

    llm: LLM[Any]
    specs: tuple[ToolSpec, ...]
    tools: ClassVar[tuple[()]] = ()

    @property
    def model(self) -> str:
        return self.llm.model

    @property
    def provider(self) -> str:
        return self.llm.provider

    @property
    def retry(self) -> Any:
        return self.llm.retry

    def parameters(self) -> tuple[ParameterSpec, ...]:
        return (ParameterSpec("state", Conversation, True),)

    def output_type(self) -> Any:
        return LLMResponse

    def settings(self, failed: BaseException | None = None) -> LLMRequest:
        return self.llm.settings(failed)

    def request(self, inputs: Mapping[str, Any], failed: BaseException | None = None) -> LLMRequest:
        blank = self.settings(failed)
        turns = inputs["state"].messages + blank.messages
        return replace(blank, messages=turns, tools=self.specs)

    def parse(self, response: LLMResponse) -> LLMResponse:
        if not response.tool_calls:
            self.llm.parse(response)  # a reply that does not fit is repaired within the attempt
        return response


class Toolbox:
    """The tools of an LLM node, and the functions of the nodes in its graph."""

    __slots__ = ("_types", "handlers", "llm", "specs")

    def __init__(self, llm: LLM[Any]) -> None:
        self.llm = llm
        specs: list[ToolSpec] = []
        self.handlers: dict[str, Callable[..., Any]] = {}
        self._types: dict[str, dict[str, TypeAdapter[Any]]] = {}
        for tool in llm.tools:
            spec = tool_spec(tool)
            if spec.name in self.handlers:
                raise DefinitionError(
                    f"LLM node {llm.id!r}: two of its tools have the same name, {spec.name!r}"
                )
            specs.append(spec)
            self.handlers[spec.name] = tool
            self._types[spec.name] = _argument_types(tool, spec.name)
        self.specs = tuple(specs)

    async def open(self, **inputs: Any) -> Conversation:
        """Start the conversation with the node's first turns."""
        return Conversation(self.llm.opening(inputs))

    async def wanted(self, response: LLMResponse) -> tuple[ToolCall, ...]:
        """Return the tool calls of a reply that are run; if there are none, the loop ends."""
        return response.tool_calls[: self.llm.max_tool_calls]

    def run(self, call: ToolCall) -> Any:
        """
        Run one tool call; an error becomes a message, which the model reads.

        The tool runs only with arguments of the types that it declares.

        This is a sync function, so it runs in a thread together with a sync tool. For an async
        tool it returns a coroutine, which the runner awaits.
        """
        tool = self.handlers.get(call.name)
        if tool is None:
            known = ", ".join(self.handlers)
            text = f"error: no tool {call.name!r}; there are {known}"
            return Message("tool", text, tool_call_id=call.id, is_error=True)
        arguments, problems = _read_arguments(call, tool, self._types[call.name])
        if problems:
            text = truncate(f"error: wrong arguments: {'; '.join(problems)}", _MAX_ERROR_CHARS)
            return Message("tool", text, tool_call_id=call.id, is_error=True)
        try:
            value = tool(**arguments)
        except Exception as error:
            return _error_message(call, error)
        return _awaited(call, value) if inspect.isawaitable(value) else _tool_message(call, value)

    async def step(
        self, state: Conversation, response: LLMResponse, answers: list[Message]
    ) -> Conversation:
        """Return the state with the turns of this round."""
        limit = self.llm.max_tool_calls
        run, left = response.tool_calls[:limit], len(response.tool_calls) - limit
        if left > 0:
            note = f"error: {left:,} more calls of this reply were not run; at most {limit} are"
            last = answers[-1]
            answers = [*answers[:-1], replace(last, content=f"{last.content}\n\n{note}")]
        reply = Message("assistant", response.content, tool_calls=run, thoughts=response.thoughts)
        done = None if response.tool_calls else response
        return Conversation((*state.messages, reply, *answers), done)

    async def answer(self, state: Conversation) -> Any:
        """CallWithTools the last reply into the node's value."""
        if state.answer is None:
            raise InvalidOutputError(
                f"LLM node {self.llm.id!r} still called tools after "
                f"max_tool_rounds={self.llm.max_tool_rounds}"
            )
        return self.llm.parse(state.answer)


def _argument_types(tool: Callable[..., Any], name: str) -> dict[str, TypeAdapter[Any]]:
    """Return what checks each parameter of a tool, by name."""
    from pydantic import TypeAdapter

    types: dict[str, TypeAdapter[Any]] = {}
    for spec in signature_of(tool).parameters:
        try:
            types[spec.name] = TypeAdapter(spec.annotation)
        except Exception as error:
            raise DefinitionError(
                f"tool {name!r}: parameter {spec.name!r} of type {type_name(spec.annotation)} has "
                "no JSON Schema"
            ) from error
    return types


def _read_arguments(
    call: ToolCall, tool: Callable[..., Any], types: Mapping[str, TypeAdapter[Any]]
) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of a call in the types of the tool, and what is wrong with them."""
    from pydantic import ValidationError

    if len(call.arguments) > _MAX_ARGUMENT_CHARS:
        return {}, [f"{len(call.arguments):,} characters; at most {_MAX_ARGUMENT_CHARS:,}"]
    try:
        given = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        return {}, [f"not JSON ({error})"]
    if not isinstance(given, dict):
        return {}, ["not a JSON object"]
    problems = [
        f"there is no parameter {name!r:.60}{did_you_mean(name, types)}"
        for name in given
        if name not in types
    ]
    arguments: dict[str, Any] = {}
    for spec in signature_of(tool).parameters:
        if spec.name not in given:
            if spec.required:
                problems.append(f"{spec.name!r} is missing")
            continue
        try:
            arguments[spec.name] = types[spec.name].validate_python(given[spec.name])
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(map(str, (spec.name, *first["loc"])))
            problems.append(f"{place!r:.200}: {first['msg']:.300}, not {first['input']!r:.80}")
        except Exception as error:  # of a validator of the user's
            problems.append(f"{spec.name!r}: {error_text(error):.300}")
    return arguments, problems


def _tool_message(call: ToolCall, value: Any) -> Message:
    what = unawaited(value)
    if what:  # a mistake in the code, which no model can repair
        raise OutputTypeError(f"tool {call.name!r} returned {what}")
    if what := textless(value):
        raise OutputTypeError(
            f"tool {call.name!r} returned {what}; return text, data, or an object with a __str__ "
            "of its own"
        )
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except Exception as error:
        return _error_message(call, error)
    return Message("tool", truncate_with_count(text, _MAX_RESULT_CHARS), tool_call_id=call.id)


async def _awaited(call: ToolCall, answer: Awaitable[Any]) -> Message:
    try:
        value = await answer
    except Exception as error:
        return _error_message(call, error)
    return _tool_message(call, value)


def _error_message(call: ToolCall, error: Exception) -> Message:
    text = truncate(f"error: {type(error).__name__}: {error_text(error)}", _MAX_RESULT_CHARS)
    return Message("tool", text, tool_call_id=call.id, is_error=True)


def has_answer(state: Conversation) -> bool:
    """Tell whether the model has answered without calling tools."""
    return state.answer is not None


def tool_spec(tool: Callable[..., Any]) -> ToolSpec:
    """
    Describe a function for a model: name, first paragraph of the docstring, parameters.

    Example:
        >>> def weather(city: str, days: int = 1) -> str:
        ...     '''Tell the weather.'''
        >>> tool_spec(weather).parameters["required"]
        ['city']
    """
    from pydantic import TypeAdapter

    if not callable(tool):
        raise DefinitionError(f"tool {tool!r:.60} is not callable; pass a function")
    signature = signature_of(tool)
    name = getattr(tool, "__name__", "")
    if not name.isidentifier():
        raise DefinitionError(
            f"tool {tool!r:.60} has no name that a model can call; define it with def"
        )
    if signature.problem:
        raise DefinitionError(f"tool {name!r}: {signature.problem}")
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for spec in signature.parameters:
        try:
            schema = TypeAdapter(spec.annotation).json_schema()
        except Exception as error:
            raise DefinitionError(
                f"tool {name!r}: parameter {spec.name!r} of type {type_name(spec.annotation)} has "
                "no JSON Schema"
            ) from error
        definitions.update(schema.pop("$defs", {}))
        properties[spec.name] = schema
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": [spec.name for spec in signature.parameters if spec.required],
        "additionalProperties": False,
    }
    if definitions:
        parameters["$defs"] = definitions
    doc = (inspect.getdoc(tool) or name).split("\n\n")[0]
    return ToolSpec(name, doc, parameters)
