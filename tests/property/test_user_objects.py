"""Whatever users' objects do in the engine's hands ends in a result, or in a `RunError`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from dagorch import Graph, Policy, Retry, RunError
from dagorch.errors import DefinitionError, InvariantError
from dagorch.testing import run_virtual
from tests.property.hostile import hostile_error_types, hostile_types

few = settings(max_examples=20)
PAID: Final = "what was paid for"


def _run(graph: Graph, backend: Any, **options: Any) -> Any:
    """Run a graph; whatever happens, the value of its node `paid` is kept."""

    async def main() -> Any:
        failure: RunError | None = None
        try:
            result = await graph.run(**options)
        except RunError as error:
            failure, result = error, error.partial_results
        assert not isinstance(failure, InvariantError), failure
        assert failure is None or failure.story
        assert result["paid"] == PAID
        assert len(result.node_runs) >= 2
        return result

    return run_virtual(main, backend=backend)


def _paid(graph: Graph) -> Any:
    async def paid() -> str:
        return PAID

    return graph.function(paid)


class Other:
    """A type that no hostile object has."""


def _function(make: Callable[[], Any], how: str, returns: Any) -> Any:
    def sync(paid: str) -> Any:
        return make()

    async def plain(paid: str) -> Any:
        return make()

    function: Any = sync if how == "sync" else plain
    if returns is not None:
        function.__annotations__["return"] = returns
    return function


backends = st.sampled_from(["asyncio", "trio"])
ways = st.sampled_from(["sync", "async"])
heard = st.booleans()


def _options(heard: bool) -> dict[str, Any]:
    return {"on_event": [].append} if heard else {}


@few
@given(
    hostile_types(), ways, st.sampled_from([None, Other, list[str], Other | None]), backends, heard
)
def test_values(kind: type, how: str, returns: Any, backend: str, heard: bool) -> None:
    graph = Graph("values")
    paid = _paid(graph)
    node = graph.function(_function(kind, how, returns), id="node", paid=paid)

    async def reader(node: Any) -> bool:
        return True

    graph.function(reader, id="reader", node=node, policy=Policy(on_error="continue"))
    _run(graph, backend, **_options(heard))


@few
@given(
    hostile_error_types(),
    ways,
    backends,
    heard,
    st.sampled_from(["fail", "continue"]),
    st.booleans(),
)
def test_errors(
    kind: type[Exception], how: str, backend: str, heard: bool, on_error: str, retries: bool
) -> None:
    def fail() -> Any:
        raise kind

    graph = Graph("errors")
    paid = _paid(graph)
    retry = Retry(attempts=2, base_delay_seconds=0) if retries else None
    policy = Policy(on_error=on_error, retry=retry)  # type: ignore[arg-type]  # drawn from both
    graph.function(_function(fail, how, None), id="node", paid=paid, policy=policy)
    result = _run(graph, backend, **_options(heard))
    run = result.get("node")
    assert run.end == "failed"
    assert kind in (type(run.error), type(run.error.__cause__))
    assert run.reason


@few
@given(hostile_error_types(), st.sampled_from(["branch", "merge", "loop"]), backends, heard)
def test_errors_of_evaluations(
    kind: type[Exception], where: str, backend: str, heard: bool
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise kind

    def select(paid: str) -> Any:
        raise kind

    graph = Graph("errors")
    paid = _paid(graph)
    if where == "branch":
        graph.branch("node", select, labels=("x", "y"), paid=paid)
    elif where == "merge":
        graph.merge("node", [paid], reducer=fail)
    else:
        body = Graph("body")
        body.function(_function(lambda: 1, "async", None), id="step", paid=body.input("paid", str))
        graph.loop("node", body, paid=paid, until=fail, max_iterations=2)
    result = _run(graph, backend, **_options(heard))
    assert result.get("node").end == "failed"


@few
@given(hostile_types(), st.booleans(), backends, heard)
def test_labels(kind: type, in_list: bool, backend: str, heard: bool) -> None:
    def select(paid: str) -> Any:
        return [kind()] if in_list else kind()

    graph = Graph("labels")
    graph.branch("node", select, labels=("x", "y"), paid=_paid(graph))
    assert _run(graph, backend, **_options(heard)).get("node").end == "failed"


@few
@given(st.one_of(hostile_types(), hostile_types(list), hostile_types(str)), backends, heard)
def test_items(kind: type, backend: str, heard: bool) -> None:
    async def item(item: Any) -> int:
        return 1

    graph = Graph("items")
    items = graph.function(_function(kind, "async", None), id="items", paid=_paid(graph))
    body = Graph("body")
    body.function(item, id="step", item=body.input("item", Any))
    graph.map(body, over=items, id="node")
    _run(graph, backend, **_options(heard))


@few
@given(hostile_types(), st.booleans(), backends, heard)
def test_values_in_containers(kind: type, as_item: bool, backend: str, heard: bool) -> None:
    async def items(paid: str) -> list[Any]:
        return [kind(), kind()]

    async def again(item: Any) -> Any:
        return kind()

    graph = Graph("items")
    made = graph.function(items, paid=_paid(graph))
    body = Graph("body")
    body.function(again, id="again", item=body.input("item", Any))
    if as_item:
        graph.map(body, over=made, id="node", on_item_error="collect")
    else:
        graph.loop("node", body, item=made, max_iterations=2, until=lambda state: state)
    _run(graph, backend, **_options(heard))


@few
@given(
    hostile_types(),
    st.sampled_from(["list", "union", "majority", "concat", "first", "update", "flatten"]),
    backends,
)
def test_folded_values(kind: type, reducer: str, backend: str) -> None:
    graph = Graph("fold")
    paid = _paid(graph)
    sources = [
        graph.function(_function(kind, "async", None), id=name, paid=paid) for name in ("a", "b")
    ]
    graph.merge("node", sources, reducer=reducer)
    _run(graph, backend)


@few
@given(hostile_types(), st.sampled_from([Any, Other, int]), backends, heard)
def test_inputs_and_deps(kind: type, annotation: Any, backend: str, heard: bool) -> None:
    graph = Graph("inputs")
    paid = _paid(graph)
    value = graph.input("value", annotation)

    async def node(paid: str, value: Any) -> int:
        return 1

    graph.function(node, paid=paid, value=value)
    try:
        _run(graph, backend, value=kind(), deps=kind(), **_options(heard))
    except DefinitionError:
        assert annotation is not Any or hasattr(kind, "__await__")


@few
@given(hostile_error_types(), st.booleans(), backends)
def test_listeners(kind: type[Exception], is_async: bool, backend: str) -> None:
    def fail(event: Any) -> None:
        raise kind

    async def fail_async(event: Any) -> None:
        raise kind

    graph = Graph("heard")

    async def node(paid: str) -> int:
        return 1

    graph.function(node, paid=_paid(graph))
    result = _run(graph, backend, on_event=fail_async if is_async else fail)
    assert result["node"] == 1


@few
@given(hostile_types(), backends)
def test_prompts_and_questions(kind: type, backend: str) -> None:
    graph = Graph("prompts")
    paid = _paid(graph)
    value = graph.function(_function(kind, "async", None), id="value", paid=paid)
    graph.ask("node", "Really {value}?", value=value, policy=Policy(timeout_seconds=1))
    _run(graph, backend)
