"""
The file format as one table: the kinds of node, and the fields of each.

The reader, the writer and the published JSON Schema all use this table.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from dagorch import errors
from dagorch.nodes.conditions import TESTS
from dagorch.nodes.reducers import REDUCERS

__all__ = [
    "BODY", "COMMON", "CONDITION", "ERRORS", "FORMAT", "GRAPH", "KINDS", "PLACE",
    "PLAIN_LLM_FIELDS", "PLAIN_POLICY_FIELDS", "POLICY", "SOURCE", "SOURCES", "WIRING",
    "Field", "KindFields",
]  # fmt: skip

FORMAT: Final = 1
"""The version of the format."""

ERRORS: Final[Mapping[str, type[BaseException]]] = {
    name: kind
    for module in (builtins, errors)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind.__name__ == name
}
"""The errors that `retry.on` may name without a module."""


class Field(NamedTuple):
    """One field of a node or a graph."""

    schema: Mapping[str, Any]
    """The JSON Schema of its value. Error messages use the `title`."""
    description: str
    role: str = ""
    """The further check that the value needs; see `_Validation` in `validate.py`."""


class KindFields(NamedTuple):
    """The fields of one kind of node."""

    main: tuple[str, ...]
    """The fields that identify the kind. A node has exactly one of them."""
    fields: Mapping[str, Field]
    required: tuple[str, ...] = ()


def _object(properties: Mapping[str, Any], *required: str, title: str = "") -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object", "properties": properties, "additionalProperties": False,
    }  # fmt: skip
    return schema | ({"required": list(required)} if required else {}) | _titled(title)


def _either(title: str, *schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {**_titled(title), "anyOf": list(schemas)}


def _titled(title: str) -> dict[str, Any]:
    return {"title": title} if title else {}


def _list(items: Mapping[str, Any], title: str) -> dict[str, Any]:
    return {"title": title, "type": "array", "items": items, "minItems": 1}


def _mapping(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


_TEXT: Final = {"type": "string"}
_NAME: Final = {"title": "a name", "type": "string", "minLength": 1}
_NAMES: Final = _list(_NAME, "a list of names")
_FLAG: Final = {"type": "boolean"}
_COUNT: Final = {"type": "integer", "minimum": 1}
_WHOLE: Final = {"type": "integer"}
_SECONDS: Final = {"title": "a number of seconds above 0", "type": "number", "exclusiveMinimum": 0}
_WAIT: Final = {"title": "a number of seconds of at least 0", "type": "number", "minimum": 0}
_HEDGE: Final = _either("p95, or a number of seconds above 0", {"const": "p95"}, _SECONDS)
_ANY: Final[Mapping[str, Any]] = {}
_SETTINGS: Final = _mapping(_ANY)
_LABEL: Final = {"title": "a label", "type": ["string", "boolean"], "minLength": 1}
_LABELS: Final = _either("a label, or a list of labels", _LABEL, _list(_LABEL, "a list of labels"))
PLACE: Final = _either(
    "the name of a node or an input, or {node: name, label: label}",
    _NAME,
    _object({"node": _NAME, "label": _LABELS}, "node"),
)
_PLACES: Final = _either("a name, or a list of names", PLACE, _list(PLACE, ""))
_SOURCE: Final = {"$ref": "#/$defs/source"}
_SOURCES: Final = {"title": "a list of nodes and inputs", "type": "array", "items": _SOURCE}
SOURCES: Final[Mapping[str, Any]] = {
    "list": _SOURCES,
    "tuple": _SOURCES,
    "mapping": {"title": "a mapping of key to node or input", **_mapping(_SOURCE)},
    "value": _ANY,
}
"""The forms of an input that is a collection of others, and of a constant in a collection."""
SOURCE: Final = _either("", PLACE, _SOURCES, *(_object({k: s}, k) for k, s in SOURCES.items()))
"""What an input is read from."""
_FUNCTION: Final = _either(
    "module:name, or {function: module:name, with: {...}}",
    _NAME,
    _object({"function": _NAME, "with": _SETTINGS}, "function"),
)
_TYPE: Final = _either("a type such as list[str], or a JSON Schema", _NAME, {"type": "object"})
BODY: Final = {"$ref": "#/$defs/body"}
_TESTS: Final[Mapping[str, Any]] = {
    name: {"type": "array", "minItems": 1} if name == "one_of"
    else {"title": "a number, or a text", "type": ["number", "string"]} if name.startswith("at_")
    else _ANY
    for name in TESTS
}  # fmt: skip
CONDITION: Final = _object(
    {"field": _NAME, **_TESTS}, title=f"a mapping of field, and one of {', '.join(TESTS)}"
)
_RETRY: Final = _either(
    "a number of attempts, or a mapping with attempts, base_delay_seconds, multiplier, "
    "max_delay_seconds and on",
    _COUNT,
    _object(
        {
            "attempts": _COUNT, "base_delay_seconds": _WAIT, "multiplier": _WAIT,
            "max_delay_seconds": _WAIT, "on": _NAMES,
        }
    ),
)  # fmt: skip

WIRING: Final[Mapping[str, Field]] = {
    "inputs": Field(
        _mapping(_SOURCE),
        "Per input, the node or input that it reads, or a collection of them; by default the "
        "node or input of the same name.",
        "sources",
    ),
    "values": Field(_SETTINGS, "Per input, a constant."),
    "after": Field(_PLACES, "The nodes that must complete first, whose values are not read."),
    "after_end": Field(_PLACES, "The nodes that must end first, however they end."),
    "when": Field(_mapping(_LABELS), "Per branch, the label or labels on which the node runs."),
}
"""The fields that connect a node to others."""

POLICY: Final[Mapping[str, Field]] = {
    "retry": Field(_RETRY, "How often the node is tried.", "errors"),
    "attempt_timeout_seconds": Field(_SECONDS, "The timeout of an attempt, which may be retried."),
    "timeout_seconds": Field(_SECONDS, "The timeout of all attempts, or of a container."),
    "on_error": Field({"enum": ["fail", "continue"]}, "What the node's failure does to its graph."),
    "fallback": Field(
        {"title": "{value: ...}, a node, or a graph", "$ref": "#/$defs/fallback"},
        "What completes the node after its last failure.",
        "fallback",
    ),
    "fallback_models": Field(_NAMES, "The models to try, in order, after a failure."),
    "hedge_after": Field(_HEDGE, "The delay before an LLM node repeats its request."),
    "priority": Field(_WHOLE, "Among ready nodes, the highest starts first."),
    "resources": Field(_NAMES, "The named resources that an attempt holds."),
    "keep": Field(_FLAG, "Whether it runs to its end when nothing needs its value."),
    "reserve": Field(_FLAG, "Whether the worst case of a call is set aside from the run's start."),
    "reserve_input_tokens": Field(_COUNT, "The prompt, in bytes, that reserve covers."),
    "version": Field(_TEXT, "Replaces the function's source in fingerprints."),
}
PLAIN_POLICY_FIELDS: Final = tuple(name for name in POLICY if name not in ("retry", "fallback"))
"""The policy fields whose value in a file equals the one in Python."""
COMMON: Final[Mapping[str, Field]] = {**WIRING, **POLICY}
"""The fields that every node may have."""

_LLM: Final[Mapping[str, Field]] = {
    "prompt": Field(_TEXT, "The user's message; {name} inserts an input.", "template"),
    "messages": Field(
        _list(
            _object(
                {
                    "role": {"enum": ["system", "user", "assistant", "tool"]},
                    "content": _TEXT,
                    "images": _NAMES,
                },
                "role", "content",
            ),
            "a list of {role: ..., content: ...}",
        ),
        "All messages, instead of a prompt.",
        "template",
    ),
    "system": Field(_TEXT, "The system message.", "template"),
    "history": Field(_NAME, "The input that holds earlier messages."),
    "images": Field(_NAME, "The input that holds image URLs."),
    "output": Field(_TYPE, "The type of the reply; text by default.", "type"),
    "choices": Field(
        _either("a list of words, or a mapping of word to value", _NAMES, _mapping(_NAME)),
        "The words of which the reply is one.",
    ),
    "model": Field(_TEXT, "The model's name, or provider:model."),
    "provider": Field(_TEXT, "The name of one of the run's providers."),
    "max_tokens": Field(_COUNT, "The most tokens of a reply."),
    "temperature": Field({"type": "number"}, "0 gives the likeliest reply."),
    "stop": Field(_NAMES, "The texts that end the reply."),
    "tools": Field(
        _list(_FUNCTION, "a list of functions"), "What the model may call.", "functions"
    ),
    "max_tool_rounds": Field(_COUNT, "The most rounds of tool calls."),
    "max_tool_calls": Field(_COUNT, "The most tool calls of one reply that are run."),
    "extra": Field(_SETTINGS, "Further fields of the provider's request."),
    "class": Field(_NAME, "A subclass of LLM, as module:name.", "class"),
    "with": Field(_SETTINGS, "The fields of that subclass."),
}  # fmt: skip

PLAIN_LLM_FIELDS: Final = tuple(
    name for name in _LLM
    if name not in ("messages", "output", "choices", "tools", "class", "with")
)  # fmt: skip
"""The LLM fields whose value in a file equals the one in Python."""

KINDS: Final[Mapping[str, KindFields]] = {
    "llm": KindFields(("prompt", "messages"), _LLM),
    "function": KindFields(
        ("function",),
        {
            "function": Field(_FUNCTION, "Called with the inputs by name.", "function"),
            "expand": Field(_FLAG, "Whether it returns a graph, which then runs in its place."),
        },
    ),
    "pick": KindFields(
        ("pick",),
        {
            "pick": Field(PLACE, "The node whose value has the field."),
            "field": Field(_NAME, "The field; a.b is a field of a field."),
        },
        ("field",),
    ),
    "branch": KindFields(
        ("branch",),
        {
            "branch": Field(PLACE, "The node whose value is the label, or is tested."),
            "field": Field(_NAME, "The field of the value; a.b is a field of a field."),
            "labels": Field(_NAMES, "Every label it may pick; of a test, true and false."),
            "otherwise": Field(_NAME, "The label of every other value."),
            **{
                name: Field(schema, f"Test: {name.replace('_', ' ')}.")
                for name, schema in _TESTS.items()
            },
        },
    ),
    "select": KindFields(
        ("select",),
        {
            "select": Field(_FUNCTION, "Returns the label, or labels.", "function"),
            "labels": Field(_NAMES, "Every label it may pick."),
        },
    ),
    "merge": KindFields(
        ("merge",),
        {
            "merge": Field(_list(PLACE, "a list of nodes"), "The nodes to join, in this order."),
            "reducer": Field(
                {**_FUNCTION, "title": f"one of {', '.join(REDUCERS)}, or module:name"},
                "The function that joins the values.",
                "reducer",
            ),
            "wait": Field(
                _either(
                    "all, any, or a number of at least 1", {"enum": ["all", "any"]}, _COUNT
                ),
                "How many of the nodes it waits for.",
            ),
            "tolerate_failures": Field(_FLAG, "Whether it joins the rest when a node has failed."),
        },
    ),
    "loop": KindFields(
        ("loop",),
        {
            "loop": Field(BODY, "The graph or node that each pass runs.", "body"),
            "max_iterations": Field(_COUNT, "The most passes."),
            "until": Field(
                _either(
                    f"module:name, or a mapping of field, and one of {', '.join(TESTS)}",
                    *_FUNCTION["anyOf"],
                    CONDITION,
                ),
                "The test of each pass's value; true ends the loop.",
                "until",
            ),
            "state_input": Field(_NAME, "The body's input for the value of the previous pass."),
        },
        ("max_iterations",),
    ),
    "map": KindFields(
        ("map",),
        {
            "map": Field(BODY, "The graph or node that runs for each item.", "body"),
            "over": Field(
                _either("a name, or a list of items", PLACE, {"type": "array"}, _SOURCE),
                "The items: a list, or the node that returns them.",
                "over",
            ),
            "item_input": Field(_NAME, "The body's input for the item."),
            "max_parallel": Field(_COUNT, "The most items at a time."),
            "on_item_error": Field({"enum": ["fail", "skip", "collect"]}, "What a failure does."),
        },
        ("over",),
    ),
    "subgraph": KindFields(
        ("subgraph",), {"subgraph": Field(BODY, "A graph as one node.", "body")}
    ),
    "ask": KindFields(
        ("ask",),
        {
            "ask": Field(_TEXT, "A question to a person; {name} is an input.", "template"),
            "output": Field(_TYPE, "The type of the answer.", "type"),
        },
    ),
}  # fmt: skip
"""The kinds by the name in error messages. `select` is also a branch, `pick` a function."""

GRAPH: Final[Mapping[str, Field]] = {
    "dagorch": Field({"const": FORMAT}, "The version of this format."),
    "name": Field(_NAME, "The name, for people."),
    "retry": Field(_RETRY, "The retry of nodes that have none of their own.", "errors"),
    "timeout_seconds": Field(_SECONDS, "The timeout of nodes that have none of their own."),
    "provider": Field(_NAME, "The provider of LLM nodes that name none."),
    "inputs": Field(
        _either(
            "a mapping of name to type, or a list of names",
            _mapping(
                _either(
                    "a type such as list[str], or a mapping of type and default",
                    _NAME,
                    _object({"type": _TYPE, "default": _ANY}),
                )
            ),
            _NAMES,
        ),
        "The values that a run takes.",
        "inputs",
    ),
    "nodes": Field({"type": "object"}, "The nodes by id.", "nodes"),
    "outputs": Field(
        _either("a node's name, or a list of names", _NAME, _NAMES),
        "The nodes whose values are the result; by default those that nothing reads.",
    ),
}
"""The fields of a graph, a body included."""
