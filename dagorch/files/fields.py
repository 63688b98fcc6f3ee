"""
The format: which kinds of node there are, and which fields each has. The one table of it.

What reads, writes or publishes the format goes by it.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from dagorch import errors
from dagorch.nodes.conditions import TESTS
from dagorch.nodes.reducers import REDUCERS

__all__ = [
    "BODY", "COMMON", "CONDITION", "ERRORS", "FORMAT", "GRAPH", "KINDS", "PLAIN_LLM",
    "PLAIN_POLICY", "POLICY", "WIRING", "Field", "KindFields",
]  # fmt: skip

FORMAT: Final = 1
"""The version of the format."""

ERRORS: Final[Mapping[str, type[BaseException]]] = {
    **{name: kind for name, kind in vars(builtins).items()
       if isinstance(kind, type) and issubclass(kind, Exception) and kind.__name__ == name},
    **{name: getattr(errors, name) for name in errors.__all__
       if isinstance(getattr(errors, name), type)
       and issubclass(getattr(errors, name), errors.DagorchError)},
}  # fmt: skip
"""Those that `retry.on` may name; all others are a reference."""


class Field(NamedTuple):
    """One field of a node or graph."""

    schema: Mapping[str, Any]
    """What it must be, as JSON Schema; `title` says it in words."""
    about: str
    role: str = ""
    """What it is besides plain data: `template`, `type`, `function`, `functions`, `class`,
    `until`, `reducer`, `errors`, `body` or `fallback`."""


class KindFields(NamedTuple):
    """What a kind of node has of its own."""

    main: tuple[str, ...]
    """Fields that tell the kind: a node has exactly one of them."""
    fields: Mapping[str, Field]
    required: tuple[str, ...] = ()


def _object(properties: Mapping[str, Any], *required: str, title: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object", "properties": properties, "additionalProperties": False,
    }  # fmt: skip
    return made | ({"required": list(required)} if required else {}) | _titled(title)


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
_PLACE: Final = _either(
    "the name of a node or an input, or {node: name, label: label}",
    _NAME,
    _object({"node": _NAME, "label": _LABELS}, "node"),
)
_PLACES: Final = _either("a name, or a list of names", _PLACE, _list(_PLACE, ""))
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
        _mapping(_PLACE), "Per input the node that gives it; else the one of its name."
    ),
    "values": Field(_SETTINGS, "Per input a plain value."),
    "after": Field(_PLACES, "What must end first, though no value is taken from it."),
    "when": Field(_mapping(_LABELS), "Per branch the label, or labels, on which the node runs."),
}
"""How a node is joined to others."""

POLICY: Final[Mapping[str, Field]] = {
    "retry": Field(_RETRY, "How often it is tried.", "errors"),
    "attempt_timeout_seconds": Field(_SECONDS, "Of one attempt; worth a retry."),
    "timeout_seconds": Field(_SECONDS, "Of the node with its retries, or of a container."),
    "on_error": Field({"enum": ["fail", "continue"]}, "What its last failure means for others."),
    "fallback": Field(
        {"title": "{value: ...}, a node, or a graph", "$ref": "#/$defs/fallback"},
        "What it completes with after its last failure.",
        "fallback",
    ),
    "fallback_models": Field(_NAMES, "Models asked in turn when the one before has failed."),
    "hedge_after": Field(_HEDGE, "Of an LLM node: when the same is asked once more beside it."),
    "priority": Field(_WHOLE, "Among ready nodes the higher starts first."),
    "resources": Field(_NAMES, "Names of bounded things that an attempt holds."),
    "keep": Field(_FLAG, "Run to the end even when nobody waits any more."),
    "version": Field(_TEXT, "Stands for the function's source in fingerprints."),
}
PLAIN_POLICY: Final = tuple(name for name in POLICY if name not in ("retry", "fallback"))
"""Those that a file has as a `Policy` has them."""
COMMON: Final[Mapping[str, Field]] = {**WIRING, **POLICY}
"""What every node may have."""

_LLM: Final[Mapping[str, Field]] = {
    "prompt": Field(_TEXT, "The user's turn; {name} is an input.", "template"),
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
        "Whole turns, instead of a prompt.",
        "template",
    ),
    "system": Field(_TEXT, "The system's turn.", "template"),
    "history": Field(_NAME, "The input that holds earlier turns."),
    "images": Field(_NAME, "The input that holds image URLs."),
    "output": Field(_TYPE, "What the reply is read as; text if left out.", "type"),
    "choices": Field(
        _either("a list of words, or a mapping of word to value", _NAMES, _mapping(_NAME)),
        "The reply is one of these words.",
    ),
    "model": Field(_TEXT, "The model's name, or provider:model."),
    "provider": Field(_TEXT, "Which of the run's providers."),
    "max_tokens": Field(_COUNT, "Bound on the reply."),
    "temperature": Field({"type": "number"}, "0 for the likeliest reply."),
    "stop": Field(_NAMES, "Texts that end the reply."),
    "tools": Field(_list(_FUNCTION, "a list of functions"), "What it may call.", "functions"),
    "max_tool_rounds": Field(_COUNT, "Bound on rounds of tool calls."),
    "extra": Field(_SETTINGS, "Fields of the service's own."),
    "class": Field(_NAME, "A subclass of LLM as module:name.", "class"),
    "with": Field(_SETTINGS, "Fields of that subclass."),
}  # fmt: skip

PLAIN_LLM: Final = tuple(
    name for name in _LLM
    if name not in ("messages", "output", "choices", "tools", "class", "with")
)  # fmt: skip
"""Those that a file has as an `LLM` has them."""

KINDS: Final[Mapping[str, KindFields]] = {
    "llm": KindFields(("prompt", "messages"), _LLM),
    "function": KindFields(
        ("function",),
        {
            "function": Field(_FUNCTION, "What is called with its inputs by name.", "function"),
            "expand": Field(_FLAG, "It returns a graph, which runs in its place."),
        },
    ),
    "pick": KindFields(
        ("pick",),
        {
            "pick": Field(_PLACE, "Whose value a field is taken of."),
            "field": Field(_NAME, "Which; a.b is a field of a field."),
        },
        ("field",),
    ),
    "branch": KindFields(
        ("branch",),
        {
            "branch": Field(_PLACE, "Whose value decides: it is the label, or is tested."),
            "field": Field(_NAME, "Which field of the value; a.b is a field of a field."),
            "labels": Field(_NAMES, "Every label it may pick; of a test true and false."),
            "otherwise": Field(_NAME, "The label of every value that is none."),
            **{
                name: Field(schema, f"Test: {name.replace('_', ' ')}.")
                for name, schema in _TESTS.items()
            },
        },
    ),
    "select": KindFields(
        ("select",),
        {
            "select": Field(_FUNCTION, "Gives the label, or labels.", "function"),
            "labels": Field(_NAMES, "Every label it may pick."),
        },
    ),
    "merge": KindFields(
        ("merge",),
        {
            "merge": Field(_list(_PLACE, "a list of nodes"), "What is joined, in this order."),
            "reducer": Field(
                {**_FUNCTION, "title": f"one of {', '.join(REDUCERS)}, or module:name"},
                "How the values become one.",
                "reducer",
            ),
            "wait": Field(
                _either(
                    "all, any, or a number of at least 1", {"enum": ["all", "any"]}, _COUNT
                ),
                "How many of them it waits for.",
            ),
            "tolerate_failures": Field(_FLAG, "Join what is alive, though a source failed."),
        },
    ),
    "loop": KindFields(
        ("loop",),
        {
            "loop": Field(BODY, "What is run again and again.", "body"),
            "max_iterations": Field(_COUNT, "The most passes."),
            "until": Field(
                _either(
                    f"module:name, or a mapping of field, and one of {', '.join(TESTS)}",
                    *_FUNCTION["anyOf"],
                    CONDITION,
                ),
                "Tested on what each pass gives; true ends the loop.",
                "until",
            ),
            "state_input": Field(_NAME, "The body's input for what the pass before gave."),
        },
        ("max_iterations",),
    ),
    "map": KindFields(
        ("map",),
        {
            "map": Field(BODY, "What is run for each item.", "body"),
            "over": Field(
                _either("a name, or a list of items", _PLACE, {"type": "array"}), "The items."
            ),
            "item_input": Field(_NAME, "The body's input for the item."),
            "max_parallel": Field(_COUNT, "Items in flight."),
            "on_item_error": Field({"enum": ["fail", "skip", "collect"]}, "Of an item's failure."),
        },
        ("over",),
    ),
    "subgraph": KindFields(
        ("subgraph",), {"subgraph": Field(BODY, "A whole graph as one node.", "body")}
    ),
    "ask": KindFields(
        ("ask",),
        {
            "ask": Field(_TEXT, "A question to a person; {name} is an input.", "template"),
            "output": Field(_TYPE, "What the answer must be.", "type"),
        },
    ),
}  # fmt: skip
"""By name of the kind as messages have it; `select` is a branch, `pick` a function."""

GRAPH: Final[Mapping[str, Field]] = {
    "dagorch": Field({"const": FORMAT}, "The version of this format."),
    "name": Field(_NAME, "For people."),
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
        "What a run is given.",
        "inputs",
    ),
    "nodes": Field({"type": "object"}, "The nodes by id.", "nodes"),
    "outputs": Field(
        _either("a node's name, or a list of names", _NAME, _NAMES),
        "Whose values are the graph's; without it those that nobody reads.",
    ),
}
"""What a graph has; of a body likewise."""
