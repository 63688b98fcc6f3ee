"""
LLM nodes: inputs in, one request out; a response in, one typed value out.

No wire, no waiting, no retry.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, cast

from typing_extensions import TypeVar

from dagorch.errors import DefinitionError, InvalidOutputError
from dagorch.models.llm import LLMRequest, LLMResponse, Message
from dagorch.models.policy import Retry
from dagorch.nodes.base import Kind, Node, suggest_options
from dagorch.nodes.signature import ParameterSpec
from dagorch.nodes.template import Template
from dagorch.nodes.types import type_name

__all__ = ["LLM", "LLM_RETRY", "messages_of"]

T = TypeVar("T", default=str)

LLM_RETRY = Retry()
"""What an LLM node without a `retry` of its own gets."""


@suggest_options
@dataclass(frozen=True, slots=True)
class LLM(Node[T], Generic[T]):
    """
    A step that asks a language model.

    `prompt`, `system` and the contents of `messages` are templates with named inputs only;
    every name becomes an input of the node.

    Args:
        id: Its name.
        prompt: The user's turn. Give this or `messages`.
        system: The system's turn, before everything else.
        messages: Whole turns, instead of a prompt.
        history: Name of an input that holds earlier turns (`Message`s or dicts).
        images: Name of an input that holds image URLs, shown with the last turn.
        output: The type of the value: `str`, or what the reply is parsed into (a pydantic model,
            `list[str]`, a dataclass). Its JSON Schema is sent where the service supports that.
        model: The model's name, or `provider:model`; empty is the provider's default.
        provider: Which of the run's providers, by name; empty goes by the model.
        max_tokens: Bound on the reply's tokens.
        temperature: Sampling temperature, 0 for the likeliest reply.
        stop: Texts that end the reply.
        tools: Functions that the model may call; then the node is a loop of calls.
        max_tool_rounds: Bound on those rounds.
        extra: Fields of the service's own, sent as they are.

    Example:
        >>> node = LLM("greet", prompt="Say hello to {name} in {language}.")
        >>> [p.name for p in node.parameters()]
        ['name', 'language']
        >>> node.request({"name": "Ada", "language": "French"}).messages[0].content
        'Say hello to Ada in French.'
    """

    kind: ClassVar[Kind] = Kind.LLM

    prompt: str | None = None
    system: str | None = None
    messages: tuple[Message, ...] = ()
    history: str | None = None
    images: str | None = None
    output: type[T] | None = None
    model: str = ""
    provider: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Callable[..., Any], ...] = ()
    max_tool_rounds: int = 8
    extra: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        if (self.prompt is None) == (not self.messages):
            raise DefinitionError(
                f"LLM node {self.id!r} takes a prompt or messages, exactly one of them"
            )
        if self.max_tokens is not None and self.max_tokens < 1:
            raise DefinitionError(
                f"LLM node {self.id!r}: max_tokens={self.max_tokens} must be at least 1"
            )
        if self.max_tool_rounds < 1:
            raise DefinitionError(f"LLM node {self.id!r}: max_tool_rounds must be at least 1")
        object.__setattr__(self, "messages", messages_of(self.messages, f"LLM node {self.id!r}"))
        object.__setattr__(self, "tools", tuple(self.tools))
        object.__setattr__(self, "stop", tuple(self.stop))
        for turn in self._turns():
            try:
                Template(turn.content)
            except DefinitionError as error:
                raise DefinitionError(f"LLM node {self.id!r}: {error}") from None

    def _turns(self) -> tuple[Message, ...]:
        system = (Message("system", self.system),) if self.system is not None else ()
        prompt = (Message("user", self.prompt),) if self.prompt is not None else ()
        return system + self.messages + prompt

    def parameters(self) -> tuple[ParameterSpec, ...]:
        names = [name for turn in self._turns() for name in Template(turn.content).fields]
        names += [name for name in (self.history, self.images) if name is not None]
        return tuple(ParameterSpec(name, Any, True) for name in dict.fromkeys(names))

    def output_type(self) -> Any:
        return str if self.output is None else self.output

    def check_output(self) -> None:
        """Raise `DefinitionError` if the output type has no JSON Schema."""
        if self.output not in (None, str):
            _schema(cast("Hashable", self.output))

    @property
    def retry(self) -> Retry:
        return self.policy.retry or LLM_RETRY

    def opening(self, inputs: Mapping[str, Any]) -> tuple[Message, ...]:
        """The turns that a conversation begins with, filled in."""
        turns = [
            replace(turn, content=Template(turn.content).render(inputs)) for turn in self._turns()
        ]
        if self.history is not None:
            earlier = messages_of(inputs[self.history], f"history of LLM node {self.id!r}")
            at = 1 if self.system is not None else 0
            turns[at:at] = earlier
        if self.images is not None:
            last = turns[-1]
            turns[-1] = replace(last, images=last.images + tuple(inputs[self.images]))
        return tuple(turns)

    def request(self, inputs: Mapping[str, Any], failed: BaseException | None = None) -> LLMRequest:
        """
        Build what one attempt sends.

        Args:
            inputs: The node's inputs by name.
            failed: Why the attempt before failed; a reply that did not fit is shown to the model
                with what was wrong (a repair round).
        """
        blank = self.settings(failed)
        return replace(blank, messages=self.opening(inputs) + blank.messages)

    def settings(self, failed: BaseException | None = None) -> LLMRequest:
        """A request with everything but the conversation: of the turns, only a repair round's."""
        repair: tuple[Message, ...] = ()
        if isinstance(failed, InvalidOutputError):
            repair = (
                Message("assistant", failed.reply),
                Message(
                    "user",
                    f"That reply does not fit: {failed}\nReply again with nothing but the JSON.",
                ),
            )
        return LLMRequest(
            repair,
            model=self.model,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            stop=self.stop,
            json_schema=None
            if self.output in (None, str)
            else _schema(cast("Hashable", self.output))[0],
            schema_name=self.id if self.id.isidentifier() else "output",
            extra=self.extra or {},
        )

    def parse(self, response: LLMResponse) -> Any:
        """
        Turn the reply into the node's value.

        Raises:
            InvalidOutputError: It is not JSON of the wanted type; the message tells where.
        """
        if self.output in (None, str):
            return response.content
        return parse_json(self.output, response, self.id)


def messages_of(turns: Any, owner: str) -> tuple[Message, ...]:
    """
    Read turns given as `Message`s or as dicts with `role` and `content`.

    Raises:
        DefinitionError: A turn is neither; its place is named.

    Example:
        >>> messages_of([{"role": "user", "content": "hi"}], "test")[0].role
        'user'
    """
    if isinstance(turns, str) or not isinstance(turns, Sequence):
        raise DefinitionError(
            f"{owner}: a sequence of messages is needed, not {type_name(type(turns))}"
        )
    read: list[Message] = []
    for place, turn in enumerate(turns):
        if isinstance(turn, Message):
            read.append(turn)
        elif isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and "content" in turn:
            read.append(Message(turn["role"], str(turn["content"])))
        else:
            raise DefinitionError(
                f"{owner}: message {place} is {turn!r:.80}; a Message or a dict with 'role' and "
                "'content' is needed"
            )
    return tuple(read)


@functools.lru_cache(maxsize=512)
def _schema(output: Hashable) -> tuple[dict[str, Any], bool]:
    """The JSON Schema of a type, and whether it had to be wrapped, as services want an object."""
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

    try:
        schema = TypeAdapter(cast("Any", output)).json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise DefinitionError(
            f"output={type_name(output)} has no JSON Schema: {str(error).splitlines()[0]}"
        ) from None
    if schema.get("type") == "object":
        return schema, False
    definitions = schema.pop("$defs", None)
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {"value": schema},
        "required": ["value"],
        "additionalProperties": False,
    }
    if definitions:
        wrapped["$defs"] = definitions
    return wrapped, True


def parse_json(output: Any, response: LLMResponse, node: str) -> Any:
    """Validate a reply against a type, looking past a code fence or words around the JSON."""
    from pydantic import TypeAdapter, ValidationError

    text = response.content.strip()
    _, wrapped = _schema(output)
    adapter = TypeAdapter(output)
    problem = ""
    for candidate in dict.fromkeys((text, _json_within(text))):
        try:
            data = json.loads(candidate)
        except (ValueError, RecursionError) as error:
            problem = problem or f"not JSON ({error})"
            continue
        if wrapped and isinstance(data, dict) and data.keys() == {"value"}:
            data = data["value"]
        try:
            return adapter.validate_json(json.dumps(data))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole"
            problem = f"{place}: {first['msg']}"
    if response.finish_reason == "length":
        problem += "; it was cut off, raise max_tokens"
    raise InvalidOutputError(
        f"the reply to LLM node {node!r} is not {type_name(output)}: {problem}",
        reply=response.content,
    )


def _json_within(text: str) -> str:
    """The longest piece that could be a JSON object or list."""
    pieces = [
        text[start : end + 1]
        for start, end in ((text.find(a), text.rfind(b)) for a, b in ("{}", "[]"))
        if 0 <= start < end
    ]
    return max(pieces, key=len, default=text)
