"""
LLM nodes: they build a request from inputs, and a typed value from a response.

Sending, waiting and retrying happen elsewhere.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, cast

from dagorch.errors import DefinitionError, InvalidOutputError, did_you_mean
from dagorch.models.bounds import count_problem, temperature_problem
from dagorch.models.llm import LLMRequest, LLMResponse, Message
from dagorch.models.messages import ROLES
from dagorch.models.policy import DEFAULT_POLICY, Policy, Retry
from dagorch.models.several import several
from dagorch.models.suggest import suggest_options
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.choice import Choices, chosen_label, make_choices
from dagorch.nodes.signature import ParameterSpec
from dagorch.nodes.template import Template
from dagorch.nodes.types import type_name

__all__ = ["LLM", "LLM_RETRY", "messages_of", "parse_json"]

if TYPE_CHECKING:
    import typing_extensions

    T = typing_extensions.TypeVar("T", default=str)
else:  # the import of `typing_extensions` would be a fifth of that of `Graph`
    T = TypeVar("T")

LLM_RETRY = Retry()
"""The retry policy of LLM nodes that have none of their own."""


@suggest_options
@dataclass(frozen=True, slots=True)
class LLM(Node[T], Generic[T]):
    """
    A step that asks a language model.

    `prompt`, `system` and the contents of `messages` are templates; every name in them becomes an
    input of the node.

    Args:
        id: The node's id.
        prompt: The user's turn. Pass either this or `messages`.
        system: The system's turn, before all others.
        messages: Whole turns, instead of a prompt.
        history: Name of an input with earlier turns (`Message`s or dicts).
        images: Name of an input with image URLs, which are added to the last turn.
        output: The type of the value: `str`, or the type that the reply is parsed into (a pydantic
            model, `list[str]`, a dataclass). Services that support it get its JSON Schema.
        model: The model's name, or `provider:model`; empty for the provider's default.
        provider: The name of one of the run's providers; empty: it is found by the model.
        max_tokens: Bound on the reply's tokens.
        temperature: Sampling temperature; 0 gives the likeliest reply.
        stop: Texts that end the reply.
        tools: Functions that the model may call; the node is then a loop of calls.
        max_tool_rounds: Bound on the rounds of that loop.
        max_tool_calls: Bound on the tool calls of one reply that are run; the model is told of
            the others.
        extra: Service-specific fields, sent unchanged.
        choices: The words of which the reply is one, as a list, or as a mapping of word to label.
            The value is the label; a word of a list is its own label. A reply that is not JSON is
            accepted if it begins with a word, or contains only one. Replaces `output`.

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
    choices: Choices = ()
    max_tool_calls: int = 64

    if TYPE_CHECKING:  # the constructor accepts more types than the fields have

        def __init__(
            self,
            id: str,
            prompt: str | None = None,
            system: str | None = None,
            messages: Message | Mapping[str, Any] | Sequence[Message | Mapping[str, Any]] = (),
            history: str | None = None,
            images: str | None = None,
            output: type[T] | None = None,
            model: str = "",
            provider: str = "",
            max_tokens: int | None = None,
            temperature: float | None = None,
            stop: str | Iterable[str] = (),
            tools: Callable[..., Any] | Iterable[Callable[..., Any]] = (),
            max_tool_rounds: int = 8,
            extra: Mapping[str, Any] | None = None,
            choices: Mapping[str, str] | Iterable[str] | Choices = (),
            max_tool_calls: int = 64,
            *,
            policy: Policy = DEFAULT_POLICY,
        ) -> None: ...

    def __post_init__(self) -> None:
        Node.__post_init__(self)
        if (self.prompt is None) == (not self.messages):
            raise DefinitionError(
                f"LLM node {self.id!r} needs either a prompt or messages, and not both"
            )
        owner = f"LLM node {self.id!r}"
        object.__setattr__(self, "stop", several(self.stop, f"{owner}: stop"))
        problem = self._option_problem()
        if problem:
            raise DefinitionError(f"{owner}: {problem}")
        object.__setattr__(self, "messages", messages_of(self.messages, owner))
        object.__setattr__(self, "tools", several(self.tools, f"{owner}: tools", Callable))
        object.__setattr__(self, "choices", make_choices(self.choices, f"{owner}: choices"))
        if self.choices and self.output is not None:
            raise DefinitionError(f"{owner}: choices define the output; leave output= out")
        for turn in self._turns():
            try:
                Template(turn.content)
            except DefinitionError as error:
                raise DefinitionError(f"{owner}: {error}") from None

    def _option_problem(self) -> str | None:
        """Return what is wrong with the first option that cannot be used, or None."""
        for name in ("model", "provider", "history", "images"):
            value = getattr(self, name)
            if not isinstance(value, str | None):
                return f"{name}={value!r:.60} must be a name, as text"
        for name in ("model", "provider"):
            if getattr(self, name) is None:
                return f"{name}=None must be a name, as text; leave it out for the run's own"
        if problem := temperature_problem(self.temperature):
            return problem
        if not isinstance(self.extra, Mapping | None):
            return f"extra={self.extra!r:.60} must be a dict of the service's fields"
        if not all(isinstance(text, str) and text for text in self.stop):
            return f"stop={self.stop!r:.60} must be texts that are not empty"
        return (
            (self.max_tokens is not None and count_problem("max_tokens", self.max_tokens))
            or count_problem("max_tool_rounds", self.max_tool_rounds)
            or count_problem("max_tool_calls", self.max_tool_calls)
        )

    def _turns(self) -> tuple[Message, ...]:
        system = (Message("system", self.system),) if self.system is not None else ()
        prompt = (Message("user", self.prompt),) if self.prompt is not None else ()
        return system + self.messages + prompt

    def parameters(self) -> tuple[ParameterSpec, ...]:
        names = [name for turn in self._turns() for name in Template(turn.content).fields]
        names += [name for name in (self.history, self.images) if name is not None]
        return tuple(ParameterSpec(name, Any, True) for name in dict.fromkeys(names))

    def template_parts(self) -> Iterator[str]:
        """Yield what the templates take of the inputs, such as `doc` or `doc.title`."""
        for turn in self._turns():
            yield from Template(turn.content).parts

    def output_type(self) -> Any:
        if self.choices:
            return Literal[tuple(dict.fromkeys(label for _, label in self.choices))]
        return str if self.output is None else self.output

    @property
    def _reply_type(self) -> Any:
        """The type that a reply is parsed into; None for text."""
        if self.choices:
            return Literal[tuple(word for word, _ in self.choices)]
        return None if self.output is str else self.output

    def check_output(self) -> None:
        """Raise `DefinitionError` if the output type has no JSON Schema."""
        output = self._reply_type
        if output is None:
            return
        if isinstance(output, str) or not isinstance(output, Hashable):
            raise DefinitionError(f"output={output!r:.60} is not a type; pass a type, not a value")
        _schema(output)

    @property
    def retry(self) -> Retry:
        return self.policy.retry or LLM_RETRY

    def opening(self, inputs: Mapping[str, Any]) -> tuple[Message, ...]:
        """Return the first turns of the conversation, with the inputs filled in."""
        turns = [
            replace(turn, content=Template(turn.content).render(inputs)) for turn in self._turns()
        ]
        if self.history is not None:
            earlier = messages_of(inputs[self.history], f"history of LLM node {self.id!r}")
            at = 1 if self.system is not None else 0
            turns[at:at] = earlier
        if self.images is not None:
            last = turns[-1]
            images = several(inputs[self.images], f"images of LLM node {self.id!r}")
            for url in images:
                if not isinstance(url, str):
                    raise DefinitionError(
                        f"images of LLM node {self.id!r}: {url!r:.60} is not the URL of an image, "
                        "as text"
                    )
            turns[-1] = replace(last, images=last.images + images)
        return tuple(turns)

    def request(self, inputs: Mapping[str, Any], failed: BaseException | None = None) -> LLMRequest:
        """
        Build the request of one attempt.

        Args:
            inputs: The node's inputs by name.
            failed: The error of the attempt before. A reply that did not fit is shown to the
                model together with the error (a repair round).
        """
        blank = self.settings(failed)
        return replace(blank, messages=self.opening(inputs) + blank.messages)

    def settings(self, failed: BaseException | None = None) -> LLMRequest:
        """Return the request without the conversation; it has the turns of a repair round only."""
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
            if self._reply_type is None
            else _schema(cast("Hashable", self._reply_type))[0],
            schema_name=self.id if self.id.isidentifier() else "output",
            extra=self.extra or {},
        )

    def parse(self, response: LLMResponse) -> Any:
        """
        Return the node's value, parsed from the reply.

        Raises:
            InvalidOutputError: The reply is not JSON of the declared type; the message says where.
        """
        if self._reply_type is None:
            return response.content
        if not self.choices:
            return parse_json(self.output, response, self.id)
        try:
            reply = str(parse_json(self._reply_type, response, self.id))
        except InvalidOutputError:
            reply = response.content
        return chosen_label(reply, self.choices, self.id)


def messages_of(turns: Any, owner: str) -> tuple[Message, ...]:
    """
    Return turns as `Message`s; each may be a `Message` or a dict with `role` and `content`.

    Raises:
        DefinitionError: A turn is neither; the message has its index.

    Example:
        >>> messages_of([{"role": "user", "content": "hi"}], "test")[0].role
        'user'
    """
    read: list[Message] = []
    for place, turn in enumerate(several(turns, f"{owner}: messages", (Message, Mapping))):
        if isinstance(turn, Message):
            read.append(turn)
        elif isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and "content" in turn:
            role = ROLES.get(turn["role"])
            if role is None:
                hint = did_you_mean(turn["role"], ROLES) or f"; use one of {', '.join(ROLES)}"
                raise DefinitionError(f"{owner}: message {place} has role {turn['role']!r}{hint}")
            read.append(Message(role, str(turn["content"])))
        else:
            raise DefinitionError(
                f"{owner}: message {place} is {turn!r:.80}; pass a Message or a dict with "
                "'role' and 'content'"
            )
    return tuple(read)


@functools.lru_cache(maxsize=512)
def _schema(output: Hashable) -> tuple[dict[str, Any], bool]:
    """Return the JSON Schema of a type, and whether it was wrapped in an object for services."""
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
    """Return the longest part of a text that could be a JSON object or list."""
    pieces = [
        text[start : end + 1]
        for start, end in ((text.find(a), text.rfind(b)) for a, b in ("{}", "[]"))
        if 0 <= start < end
    ]
    return max(pieces, key=len, default=text)
