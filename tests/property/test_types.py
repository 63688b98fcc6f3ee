"""`can_flow` against brute force: two types match if a value of one fits the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import given
from hypothesis import strategies as st

from dagorch.nodes.types import can_flow, type_name, value_check


class Base: ...


class Derived(Base): ...


class Other: ...


SCALARS: dict[Any, list[Any]] = {
    bool: [True],
    int: [1, True],
    float: [0.5],  # an int is a float, but `float` promises fractions
    str: ["a", "b"],
    type(None): [None],
    Base: [Base(), Derived()],
    Derived: [Derived()],
    Other: [Other()],
    Literal["a", "b"]: ["a", "b"],
    Literal["b", 1]: ["b", 1],
}
KEYS = st.sampled_from([int, bool, float, str, Literal["a", "b"], Literal["b", 1]])
GENERICS = (list, set, tuple, dict, Sequence, Mapping, Iterable)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pair = st.tuples(KEYS, inner)
    return st.one_of(
        inner.map(lambda item: list[item]),
        KEYS.map(lambda item: set[item]),
        inner.map(lambda item: tuple[item, ...]),
        st.tuples(inner, inner).map(lambda items: tuple[items]),
        inner.map(lambda item: Sequence[item]),
        inner.map(lambda item: Iterable[item]),
        pair.map(lambda items: dict[items]),
        pair.map(lambda items: Mapping[items]),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: Union[tuple(items)]),  # noqa: UP007
    )


TYPES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(list(SCALARS)), containers, max_leaves=3
)


ITEMS = st.sampled_from([int, bool, str, Other])
SEQUENCES: st.SearchStrategy[Any] = st.one_of(
    st.lists(ITEMS, min_size=1, max_size=3).map(lambda items: tuple[*items]),
    ITEMS.map(lambda item: tuple[item, ...]),
    ITEMS.map(lambda item: list[item]),
    ITEMS.map(lambda item: Sequence[item]),
)
PAIRS = st.tuples(TYPES, TYPES) | st.tuples(SEQUENCES, SEQUENCES)


@cache
def values(t: Any) -> list[Any]:
    """Return enough values to distinguish a type from any other; no container is empty."""
    if t in SCALARS:
        return SCALARS[t]
    origin, args = get_origin(t), get_args(t)
    if origin is Union:
        return [value for arg in args for value in values(arg)]
    inner = [values(arg) for arg in args if arg is not ...]
    if origin in (dict, Mapping):
        return [{key: value} for key, value in itertools.product(*inner)]
    if origin is tuple and args[-1] is not ...:
        return list(itertools.product(*inner))
    found: list[Any] = []
    if origin in (set, Iterable):
        found += [{item} for item in hashable(inner)]
    if origin in (list, Sequence, Iterable):
        found += [[item] for item in inner[0]]
    if origin in (tuple, Sequence, Iterable):
        found += [items for n in (1, 2, 3) for items in itertools.product(inner[0][:8], repeat=n)]
    if origin is Iterable:
        found += [{item: value} for item in hashable(inner) for value in (None, 1)]
    return found


def hashable(inner: list[list[Any]]) -> list[Any]:
    return [item for item in inner[0] if is_hashable(item)]


def is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def fits(value: Any, t: Any) -> bool:
    """Whether a value is of a type, every item included."""
    origin, args = get_origin(t), get_args(t)
    if origin is Union:
        return any(fits(value, arg) for arg in args)
    if origin is Literal:
        return any(type(value) is type(arg) and value == arg for arg in args)
    if t is float:
        return isinstance(value, float | int)
    if origin is None:
        return isinstance(value, t)
    if not isinstance(value, origin):
        return False
    if origin in (dict, Mapping):
        return all(fits(k, args[0]) and fits(v, args[1]) for k, v in value.items())
    if origin is tuple and args[-1] is not ...:
        return len(value) == len(args) and all(map(fits, value, args))
    return all(fits(item, args[0]) for item in value)


ANYTHING = [value for scalar in SCALARS.values() for value in scalar]


@given(PAIRS)
def test_types_match_if_a_value_of_the_one_fits_the_other(pair: tuple[Any, Any]) -> None:
    source, target = pair
    possible = any(fits(value, target) for value in values(source))
    if possible:
        assert can_flow(source, target), "refused what can be"
    elif not abstract(source):
        assert not can_flow(source, target), "allowed what cannot be"


def abstract(t: Any) -> bool:
    # `values` is incomplete for these: a user may write another Iterable.
    return get_origin(t) in (Iterable, Sequence, Mapping) or any(map(abstract, get_args(t)))


@given(TYPES)
def test_every_type_flows_to_itself_and_to_and_from_the_unknown(t: Any) -> None:
    assert can_flow(t, t)
    assert can_flow(t, Any)
    assert can_flow(Any, t)
    assert can_flow(t, object)


@given(TYPES, TYPES, TYPES)
def test_a_wider_union_never_refuses_more(source: Any, target: Any, more: Any) -> None:
    if can_flow(source, target):
        assert can_flow(Union[source, more], target)  # noqa: UP007
        assert can_flow(source, Union[target, more])  # noqa: UP007


@given(TYPES)
def test_a_value_passes_the_check_of_its_type(t: Any) -> None:
    check = value_check(t)
    assert check is not None
    assert all(check(value) for value in values(t))


@given(TYPES, st.sampled_from(ANYTHING))
def test_a_check_refuses_only_what_does_not_fit(t: Any, value: Any) -> None:
    check = value_check(t)
    assert check is not None
    assert check(value) or not fits(value, t)
    if not get_args(t):
        assert check(value) == fits(value, t)


@given(TYPES, TYPES)
def test_a_refused_pair_has_a_value_that_the_target_would_refuse(source: Any, target: Any) -> None:
    if not can_flow(source, target):
        assert not all(fits(value, target) for value in values(source))


@given(TYPES)
def test_names_are_short_and_have_no_module(t: Any) -> None:
    name = type_name(t)
    assert 0 < len(name) <= 120
    assert "typing." not in name
    assert "collections" not in name
