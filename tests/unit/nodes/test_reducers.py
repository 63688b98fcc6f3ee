"""Reducers: what they fold, and what is refused before anything is paid for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from dagorch import DefinitionError, Graph, RunError
from dagorch.nodes import Loop, Merge
from dagorch.nodes.reducers import flatten, majority, union, update


class Vote(BaseModel):
    choice: str


@dataclass
class Draft:
    text: str


def test_majority_of_what_cannot_be_hashed_goes_by_equality() -> None:
    yes, no = Vote(choice="yes"), Vote(choice="no")
    assert majority([no, yes, Vote(choice="yes")]) == yes
    assert majority([[1], [2], [2]]) == [2]
    assert majority([{"a": 1}, {"b": 2}]) == {"a": 1}
    assert majority([Draft("b"), Draft("a"), Draft("a")]) == Draft("a")


@pytest.mark.parametrize("fold", [flatten, union])
def test_lists_of_any_kind_are_joined(fold: Any) -> None:
    values = [(1, 2), [3], deque([4]), range(5, 6), {6: 0}.keys(), {7: 8}.values(), iter([9])]
    assert fold(values) == [1, 2, 3, 4, 5, 6, 8, 9]


@pytest.mark.parametrize("value", ["a", b"a", {"a": 1}, Vote(choice="a"), Draft("a"), 5, None])
@pytest.mark.parametrize("fold", [flatten, union])
def test_what_is_not_a_list_is_not_taken_apart(fold: Any, value: Any) -> None:
    with pytest.raises(TypeError, match=f"reducer '{fold.__name__}' joins lists, not "):
        fold([[1], value])


def test_update_joins_mappings_alone() -> None:
    with pytest.raises(TypeError, match="reducer 'update' joins mappings, not list"):
        update([{}, [("a", 1)]])


def merged(reducer: str, returns: Any, value: Any = None) -> Graph:
    def give() -> Any:
        return value

    give.__annotations__["return"] = returns
    graph = Graph("merged")
    graph.merge("all", [graph.function(give)], reducer=reducer)
    return graph


@pytest.mark.parametrize(
    ("reducer", "returns", "joins"),
    [
        ("union", Vote, "lists"),
        ("union", str, "lists"),
        ("flatten", dict[str, int], "lists"),
        ("flatten", int, "lists"),
        ("update", list[int], "mappings"),
        ("update", Draft, "mappings"),
    ],
)
def test_a_reducer_that_cannot_fold_its_sources_is_refused(
    reducer: str, returns: Any, joins: str
) -> None:
    message = f"merge 'all': the reducer '{reducer}' joins {joins}, but 'give'"
    with pytest.raises(DefinitionError, match=message):
        merged(reducer, returns).compile()


@pytest.mark.parametrize(
    ("reducer", "returns"),
    [
        ("union", list[Vote]),
        ("flatten", Iterable[int]),
        ("union", Any),
        ("union", object),
        ("flatten", tuple[int, ...]),
        ("flatten", list[int] | None),
        ("update", Mapping[str, int]),
        ("majority", Vote),
        ("concat", Draft),
        ("first", str),
    ],
)
def test_a_reducer_that_may_fold_its_sources_is_accepted(reducer: str, returns: Any) -> None:
    merged(reducer, returns).compile()


async def test_an_unknown_type_fails_the_merge_by_name() -> None:
    with pytest.raises(RunError, match=r"node 'all' failed: TypeError: the reducer 'union' joins"):
        await merged("union", Any, Vote(choice="a")).run()


# -- arity ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fold", [lambda: 1, lambda a, b: a])
def test_a_reducer_of_the_wrong_arity_is_refused(fold: Any) -> None:
    Merge("all", max)  # a builtin without a signature may take one argument
    with pytest.raises(DefinitionError, match=r"merge 'all': the reducer lambda of test_reducers"):
        Merge("all", fold)


def test_an_until_of_the_wrong_arity_is_refused() -> None:
    def enough(state: Any, iteration: int) -> bool:
        return False

    body = Graph("body")
    body.function(lambda state: state, id="same", state=body.input("state"))
    with pytest.raises(DefinitionError, match="loop 'l': until=enough must take one argument"):
        Loop("l", body, 3, enough)
    Loop("l", body, 3, lambda state, limit=3: state > limit)


def test_a_select_that_takes_no_keywords_is_refused() -> None:
    def select(score: int, /) -> bool:
        return score > 3

    graph = Graph("select")
    graph.branch("way", select, score=5)
    with pytest.raises(DefinitionError, match=r"branch 'way': its select: .*positional-only"):
        graph.compile()
