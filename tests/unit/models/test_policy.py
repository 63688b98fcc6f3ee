"""Policies and retries are checked when they are made."""

from __future__ import annotations

import ast
import inspect
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from dagorch import LLM, DefinitionError, Graph, Policy, Retry
from dagorch.models import policy as policy_module
from dagorch.nodes import Function
from dagorch.nodes import llm as llm_module
from dagorch.testing import ScriptedProvider, run_virtual


def substitute() -> str:
    return "instead"


class Anything:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(1)

    def __eq__(self, other: object) -> bool:
        raise KeyError(2)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Anything()"


WRONG_POLICIES: list[tuple[dict[str, Any], str]] = [
    ({"retry": 0}, "retry=0 must be a Retry, or a number of attempts"),
    ({"retry": True}, "retry=True must be"),
    ({"retry": 2.5}, "retry=2.5 must be"),
    ({"retry": "3"}, "retry='3' must be"),
    ({"retry": Retry}, "retry=.* must be a Retry"),
    ({"retry": {"attempts": 3}}, "retry=.* must be a Retry"),
    ({"timeout_seconds": "5"}, "timeout_seconds='5' must be a number of seconds above 0"),
    ({"timeout_seconds": 0}, "timeout_seconds=0 must be"),
    ({"timeout_seconds": True}, "timeout_seconds=True must be"),
    ({"timeout_seconds": float("nan")}, "timeout_seconds=nan must be"),
    ({"attempt_timeout_seconds": [1]}, r"attempt_timeout_seconds=\[1\] must be"),
    ({"on_error": "ignore"}, "on_error='ignore' must be 'fail' or 'continue'"),
    ({"on_error": ["fail"]}, "on_error=.* must be 'fail' or 'continue'"),
    ({"hedge_after": "p99"}, "hedge_after='p99' must be 'p95' or a number"),
    ({"hedge_after": -1}, "hedge_after=-1 must be 'p95' or a number"),
    ({"hedge_after": []}, r"hedge_after=\[\] must be 'p95' or a number"),
    ({"priority": "high"}, "priority='high' must be a whole number"),
    ({"priority": 1.5}, "priority=1.5 must be a whole number"),
    ({"resources": 3}, "resources=3 must be one value or a list"),
    ({"resources": ["db", 3]}, "resources=.* must be a name or a list of names"),
    ({"resources": {"db": 1}}, "resources=.* must be one value or a list"),
    ({"resources": ""}, "resources=.* must be a name or a list of names"),
    ({"fallback_models": [None]}, "fallback_models=.* must be a name or a list of names"),
    ({"keep": "yes"}, "keep='yes' must be True or False"),
    ({"reserve": 1}, "reserve=1 must be True or False"),
    ({"reserve_input_tokens": -1}, "reserve_input_tokens=-1 must be a whole number"),
    ({"reserve_input_tokens": 5}, "reserve_input_tokens= does nothing without reserve=True"),
    ({"version": 2}, "version=2 must be a text"),
    ({"fallback": 1, "on_error": "continue"}, "has no effect with a fallback"),
    ({"fallback": substitute}, r"fallback=substitute is a function; .* Function\('substitute'"),
    ({"fallback": Graph().function(substitute)}, "fallback=<dagorch.Ref 'substitute'> is a ref"),
    ({"retries": 3}, "Policy has no option 'retries'; did you mean 'retry'"),
    ({"timeout": 3}, "Policy has no option 'timeout'; did you mean"),
]  # fmt: skip

WRONG_RETRIES: list[tuple[dict[str, Any], str]] = [
    ({"attempts": 0}, "attempts=0 must be a whole number of at least 1"),
    ({"attempts": "3"}, "attempts='3' must be a whole number"),
    ({"attempts": 1.5}, "attempts=1.5 must be a whole number"),
    ({"base_delay_seconds": -1}, "base_delay_seconds=-1 must be a finite number of at least 0"),
    ({"base_delay_seconds": None}, "base_delay_seconds=None must be"),
    ({"multiplier": "2"}, "multiplier='2' must be a finite number"),
    ({"max_delay_seconds": float("inf")}, "max_delay_seconds=inf must be a finite number"),
    ({"on": "ValueError"}, "on='ValueError' must be"),
    ({"on": [ValueError, "x"]}, "on=.* must be an exception class"),
    ({"on": int}, "on=.* must be an exception class"),
    ({"on": []}, r"on=\[\] must be an exception class"),
    ({"on": ValueError()}, "on=.* must be one value or a list"),
    ({"max_retries": 3}, "Retry has no option 'max_retries'"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "message"), WRONG_POLICIES, ids=lambda x: str(x)[:40])
def test_a_wrong_field_of_a_policy_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Policy(**options)


@pytest.mark.parametrize(("options", "message"), WRONG_RETRIES, ids=lambda x: str(x)[:40])
def test_a_wrong_field_of_a_retry_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Retry(**options)


@pytest.mark.parametrize("name", [f.name for f in fields(Policy) if f.name != "fallback"])
def test_an_object_that_raises_is_refused_too(name: str) -> None:
    with pytest.raises((DefinitionError, KeyError)) as caught:
        Policy(**{name: Anything()})
    if name not in ("hedge_after", "on_error"):  # compared, and the object's own error is raised
        assert caught.type is DefinitionError


def test_a_number_of_attempts_is_a_retry() -> None:
    assert Policy(retry=3) == Policy(retry=Retry(attempts=3))
    assert replace(Policy(retry=3), priority=1).retry == Retry(attempts=3)


def test_a_number_of_attempts_is_what_runs() -> None:
    graph = Graph()
    tries: list[int] = []

    @graph.function(policy=Policy(retry=3))
    def third_time() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("busy")
        return len(tries)

    async def run() -> Any:
        return (await graph.run()).output

    assert run_virtual(run) == 3


def test_a_single_value_is_one_element() -> None:
    assert Policy(resources="db").resources == ("db",)
    assert Policy(resources=["db", "gpu"]).resources == ("db", "gpu")
    assert Policy(fallback_models="gpt-4o").fallback_models == ("gpt-4o",)
    assert Retry(on=ValueError).on == (ValueError,)
    assert Retry(on=[ValueError, OSError]).on == (ValueError, OSError)


def test_a_node_in_a_policy_can_be_hashed() -> None:
    node = Function("f", substitute, policy=Policy(resources=["db"], retry=Retry(on=[OSError])))
    assert hash(node.policy) == hash(Policy(resources="db", retry=Retry(on=OSError)))


def test_a_resource_that_is_a_text_holds_one_resource() -> None:
    graph = Graph()
    graph.function(substitute, policy=Policy(resources="db"))
    with pytest.raises(DefinitionError, match="holds resource 'db', which has no bound"):
        graph.run_sync()
    assert graph.run_sync(limits={"db": 1}).output == "instead"


@pytest.mark.parametrize(
    ("module", "kind"), [(policy_module, Policy), (policy_module, Retry), (llm_module, LLM)]
)
def test_the_types_of_a_constructor_name_its_fields(module: Any, kind: Any) -> None:
    # Type checkers read a constructor of its own, because one value may be passed for several.
    tree = ast.parse(inspect.getsource(module))
    [owner] = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == kind.__name__]
    methods = [node for node in ast.walk(owner) if isinstance(node, ast.FunctionDef)]
    [typed] = [method for method in methods if method.name == "__init__"]
    names = [argument.arg for argument in (*typed.args.args[1:], *typed.args.kwonlyargs)]
    made = [field for field in fields(kind) if field.init]
    assert names == [f.name for f in made if not f.kw_only] + [f.name for f in made if f.kw_only]
    defaults = [*typed.args.defaults, *typed.args.kw_defaults]
    optional = [field for field in made if field.default is not MISSING]
    optional.sort(key=lambda field: field.kw_only)
    for default, field in zip(defaults, optional, strict=True):
        assert default is not None
        assert eval(ast.unparse(default), vars(module)) == field.default


def test_the_reply_of_a_node_ends_at_the_whole_text() -> None:
    graph = Graph()
    graph.add(LLM("ask", prompt="?", stop="END"))
    provider = ScriptedProvider("x")
    graph.run_sync(provider=provider)
    assert provider.requests[0].stop == ("END",)
