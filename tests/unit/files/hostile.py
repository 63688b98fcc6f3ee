"""Files that a stranger might send, each with the message and the place of its refusal."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final, NamedTuple

__all__ = ["HOSTILE", "Hostile"]


class Hostile(NamedTuple):
    name: str
    data: bytes
    message: str
    """Part of the error message."""
    place: str
    """`line:column`, or the beginning of it."""


def _bomb() -> str:
    lines = ["a0: &a0 [lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    return "\n".join(lines)


def _deep(opening: str, closing: str, depth: int) -> str:
    return opening * depth + closing * depth


def _node(fields: str) -> str:
    return f"nodes:\n  a: {{{fields}}}\n"


def _many(count: int) -> str:
    return "nodes:\n" + "".join(f"  n{i}: {{prompt: x}}\n" for i in range(count))


def _shuffled(count: int) -> list[str]:
    rng = random.Random(1)
    letters = list("abcdefghi" * 4)
    return ["n" + "".join(rng.sample(letters, len(letters))) for _ in range(count)]


_SHUFFLED: Final = _shuffled(18_000)


def _similar_names(count: int) -> list[str]:
    """Return names that are as expensive to compare as possible."""
    assert count <= len(_SHUFFLED)
    return _SHUFFLED[:count]


def _unknown_names(count: int, write: Callable[[str, str], str]) -> str:
    names = _similar_names(2 * count)
    return "nodes:\n" + "".join(map(write, names[::2], names[1::2]))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


TEXTS: dict[str, tuple[str, str, str]] = {
    "bomb": (_bomb(), "anchors (&a0) are not allowed", "1:5"),
    "alias": ("nodes: *a", "aliases (*a) are not allowed", "1:8"),
    "merge key": (_node("prompt: x, <<: y"), "no field '<<'", "2:18"),
    "python tag": (
        _node("prompt: !!python/object/apply:os.system [ls]"),
        "tags (tag:yaml.org,2002:python/object/apply:os.system) are not allowed",
        "2:15",
    ),
    "own tag": (_node("prompt: !x y"), "tags (!x) are not allowed", "2:15"),
    "two documents": ("nodes: {}\n---\nnodes: {}\n", "there is a second", "2:1"),
    "deep list": (f"nodes: {_deep('[', ']', 50_000)}", "maximum nesting depth", "1:1007"),
    "deep mapping": ("nodes: " + "{a: " * 20_000, "nest more than 100 deep", "1:404"),
    "deep JSON": ('{"nodes": ' + _deep("[", "]", 300_000) + "}", "nest more than 100", "1:110"),
    "many nodes": (_many(10_001), "more than 10,000 nodes", "10002:3"),
    "many values": ("nodes: [" + "[]," * 300_000 + "]", "more than 100,000 values", "1:150006"),
    "key twice": ("nodes: {a: {prompt: x}}\nnodes: {}\n", "the key 'nodes' appears twice", "2:1"),
    "JSON key twice": ('{"nodes": {"a": {}, "a": {}}}', "the key 'a' appears twice", "1:21"),
    "number as key": (_node("prompt: x, 1: y"), "a key must be text, not 1", "2:18"),
    "list as key": (_node("? [x] : y"), "a key must be text, not a list", "2:9"),
    "null as key": ("nodes: {~: {prompt: x}}", "a key must be text, not None", "1:9"),
    "true as key": ("nodes: {true: {prompt: x}}", "a key must be text, not True", "1:9"),
    "huge number": (_node("prompt: x, max_tokens: " + "9" * 50_000), "more than 18 digits", "2:30"),
    "JSON huge number": ('{"nodes": ' + "9" * 50_000 + "}", "more than 18 digits", "1:11"),
    "huge hex": (_node("prompt: x, priority: 0x" + "f" * 5_000), "more than 18 digits", "2:28"),
    "huge float": (_node("prompt: x, temperature: 1e999"), "1e999 is not a number", "2:31"),
    "NaN": (_node("prompt: x, temperature: .nan"), ".nan is not a number", "2:31"),
    "infinite": (_node("prompt: x, temperature: -.inf"), "-.inf is not a number", "2:31"),
    "JSON NaN": ('{"nodes": NaN}', "NaN is not a number", "1:11"),
    "JSON Infinity": ('{"nodes":\n -Infinity}', "-Infinity is not a number", "2:2"),
    "half a character": (r'{"nodes": "\ud800"}', "half a character, U+D800", "1:11"),
    "NUL": ("nodes:\n  a\0: {prompt: x}\n", "the character U+0000 is not allowed", "2:4"),
    "escape code": (_node("prompt: \x1b[2J"), "the character U+001B is not allowed", "2:15"),
    "no YAML": ("nodes: [a\n", "not YAML: while parsing a flow sequence", "2:1"),
    "a tab": ("nodes:\n\ta: 1\n", "not YAML: the line is indented with a tab; use spaces", "2:1"),
    "no JSON": ('{"nodes": {"a": 1,}}', "not JSON: ", "1:"),
    "half a text": ('{"nodes": "' + '\\"' * 400_000, "not JSON: Unterminated string", "1:11"),
    "nothing": ("", "the file is empty", "1:1"),
    "a comment": ("# nothing\n", "the file is empty", "1:1"),
    "a word": ("hello", "a graph is a mapping with nodes, not 'hello'", "1:1"),
    "a list": ("- a\n", "a graph is a mapping with nodes, not a list", "1:1"),
    "another version": ("dagorch: 2\n" + _node("prompt: x"), "dagorch must be 1, not 2", "1:1"),
    "no nodes": ("name: x", "a graph needs nodes", "1:1"),
    "misspelled nodes": ("node: {a: {prompt: x}}", "no field 'node'; did you mean 'nodes'", "1:1"),
    "unknown kind": (
        "nodes:\n  a:\n    brunch: x\n",
        "kind of node has the field 'brunch'; did you mean 'branch'?",
        "3:5",
    ),
    "unknown field": (
        _node("prompt: x, modle: y"),
        "no field 'modle'; did you mean 'model'",
        "2:18",
    ),
    "two kinds": (_node("prompt: x, ask: y"), "has 'prompt' and 'ask'", "2:18"),
    "wrong type": (
        _node("prompt: x, max_tokens: many"),
        "max_tokens must be a whole number, not 'many'",
        "2:18",
    ),
    "an id that is a path": ("nodes: {a/b: {prompt: x}}", "contains '/'", "1:9"),
    "cycle": ("nodes:\n  a: {prompt: '{b}'}\n  b: {prompt: '{a}'}\n", "a -> b -> a", "2:"),
    "unknown input": (_node("prompt: 'Hi {nobody}'"), "'nobody' of node 'a' is not bound", "2:15"),
    "attribute": (_node('prompt: "{a.__class__}"'), "only keys and declared fields", "2:15"),
    "attribute in a message": (
        "nodes:\n  a:\n    messages:\n      - {role: user, content: '{x[0]}'}\n",
        "no item can be taken",
        "4:31",
    ),
    "format": (_node('prompt: "{a!r:>999999999}"'), "without directives", "2:15"),
    "os.system": (_node("function: os:system"), "module 'os' is not allowed", "2:17"),
    "an import": (_node("function: hostile_canary:run"), "'hostile_canary' is not allowed", "2:17"),
    "canary in a partial": (
        _node("function: {function: hostile_canary:run, with: {a: 1}}"),
        "'hostile_canary' is not allowed",
        "2:28",
    ),
    "canary as a tool": (_node("prompt: x, tools: [hostile_canary:run]"), "not allowed", "2:26"),
    "canary as a type": (
        _node("prompt: x, output: 'list[hostile_canary:T]'"),
        "not allowed",
        "2:26",
    ),
    "canary as an input": (
        "inputs: {x: hostile_canary:T}\n" + _node("prompt: x"),
        "not allowed",
        "1:13",
    ),
    "canary as a class": (_node("prompt: x, class: hostile_canary:T"), "not allowed", "2:25"),
    "canary as an error": (
        _node("prompt: x, retry: {on: [hostile_canary:E]}"),
        "not allowed",
        "2:31",
    ),
    "canary as a select": (_node("select: hostile_canary:run"), "not allowed", "2:15"),
    "canary as a reducer": (
        _node("prompt: x}\n  m: {merge: [a], reducer: hostile_canary:run"),
        "not allowed",
        "3:28",
    ),
    "canary in a loop": (
        _node("loop: {prompt: x}, max_iterations: 2, until: hostile_canary:run"),
        "not allowed",
        "2:52",
    ),
    "canary in a body": (
        _node("map: {function: hostile_canary:run}, over: [1]"),
        "not allowed",
        "2:23",
    ),
    "canary in a fallback": (
        _node("prompt: x, fallback: {function: hostile_canary:run}"),
        "not allowed",
        "2:39",
    ),
    "Python's own": (
        _node("function: 'dagorch.patterns.partition:__builtins__.eval'"),
        "an internal of Python",
        "2:17",
    ),
    "through our module": (
        _node("function: dagorch.patterns.questions:re.compile"),
        "is defined in module 're', which is not allowed",
        "2:",
    ),
    "our command line": (_node("function: dagorch.cli.loading:load"), "not allowed", "2:17"),
    "our annotations": (_node("function: dagorch.nodes.signature:_hint"), "not allowed", "2:17"),
    "no reference": (_node("function: '../../x:y'"), "is not of the form module:name", "2:17"),
    "no class of LLM": (
        _node("prompt: x, class: dagorch.patterns.loop_state:Pass"),
        "is not a subclass of LLM",
        "2:",
    ),
    "no fields of that": (
        _node("prompt: x, class: dagorch.patterns.planner:QuestionLLM, with: {plce: 1}"),
        "unexpected keyword argument 'plce'",
        "2:",
    ),
    "no error": (
        _node("prompt: x, retry: {on: [TimeotError]}"),
        "did you mean 'TimeoutError'",
        "2:31",
    ),
    "no error class": (
        _node("prompt: x, retry: {on: [dagorch.patterns.partition:join_texts]}"),
        "is not an exception class",
        "2:",
    ),
    "deep type": (
        _node("prompt: x, output: '" + "list[" * 50 + "'"),
        "more than 12 deep",
        "2:26",
    ),
    "no type": (_node("prompt: x, output: __import__('os')"), "no type '__import__'", "2:26"),
    "a pattern in a schema": (
        _node("prompt: x, output: {pattern: (a+)+$}"),
        "no keyword 'pattern'",
        "2:27",
    ),
    "a schema elsewhere": (
        _node("prompt: x, output: {$ref: 'http://evil'}"),
        "no keyword '$ref'",
        "2:27",
    ),
    "a loop without end": (_node("loop: {prompt: x}"), "needs 'max_iterations'", "2:6"),
    "bound twice": (
        "inputs: [x]\n" + _node("prompt: '{y}', inputs: {y: x}, values: {y: 1}"),
        "input 'y' is bound twice",
        "3:",
    ),
}

# Each makes the loader search for the nearest of many names, which must be bounded.
TEXTS |= {
    "names like others": (
        _unknown_names(9_000, lambda id, name: f"  {id}: {{prompt: x, after: {name}}}\n"),
        "which is not in graph",
        "2:",
    ),
    "functions like others": (
        _unknown_names(
            9_000,
            lambda id, name: f"  {id}: {{function: 'dagorch.patterns.partition:{name}'}}\n",
        ),
        "there is no 'n",
        "2:3",
    ),
    "fields like others": (
        _node("prompt: x, " + ", ".join(f"retry{n}: 1" for n in range(40_000))),
        "no field 'retry0'",
        "2:18",
    ),
    "bodies like others": (
        "nodes:\n"
        + "".join(
            f"  b{n}:\n    subgraph:\n      nodes:\n"
            + _unknown_names(40, lambda id, name: f"        {id}: {{ask: '{{{name}}}'}}\n")[7:]
            for n in range(200)
        ),
        "is not bound",
        "",
    ),
    "sources that are not there": (
        _node("prompt: x, when: {" + ", ".join(f"b{n}: c" for n in range(40_000)) + "}"),
        "depends on 'b0'",
        "2:",
    ),
    "labels that are not there": (
        "nodes: {a: {branch: c, labels: [x]}, c: {prompt: q}, b: {prompt: q, when: {a: ["
        + ", ".join(f"l{n}" for n in range(40_000))
        + "]}}}",
        "waits for label 'l0'",
        "1:",
    ),
    "inputs that no node has": (
        _node("prompt: x, values: {" + ", ".join(f"v{n}: 1" for n in range(40_000)) + "}"),
        "has no input 'v0'",
        "2:3",
    ),
    "needs of a fallback": (
        _node(
            "prompt: x, fallback: {inputs: ["
            + ", ".join(f"i{n}" for n in range(40_000))
            + "], nodes: {b: {prompt: x}}}"
        ),
        "needs 'i0'",
        "2:",
    ),
    "one tool many times": (
        _node("prompt: x, tools: [" + "'dagorch.nodes.reducers:first'," * 40_000 + "]"),
        "two of its tools have the same name",
        "2:",
    ),
    "holes": (
        _node("prompt: '" + "".join(f"{{x{n}}}" for n in range(200_000)) + "'"),
        "is not bound",
        "2:",
    ),
    "a long type": (
        _node("prompt: x, output: 'Literal[" + "1," * 900_000 + "1]'"),
        "1,000 characters",
        "2:26",
    ),
    "outputs like others": (
        _many(9_000) + "outputs: [" + ", ".join(_similar_names(9_000)) + "]",
        "is not a node",
        "9002:11",
    ),
}

HOSTILE = [
    *(
        Hostile(name, text.encode(), message, place)
        for name, (text, message, place) in TEXTS.items()
    ),
    Hostile("a million nodes", _many(1_000_000).encode(), "more than 2,000,000 bytes", "1:1"),
    Hostile("UTF-16", "nodes: {}".encode("utf-16"), "the file is not UTF-8 text", "1:1"),
    Hostile("UTF-16 without a mark", "nodes: {}".encode("utf-16-le"), "U+0000", "1:2"),
    Hostile("Latin-1", "nodes:\n  é: x".encode("latin-1"), "the file is not UTF-8 text", "2:3"),
    Hostile("a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not UTF-8", "1:1"),
    Hostile("long JSON", _json({"nodes": {"x" * 1_999_970: {}}}), "node 'xxxx", "1:"),
]
