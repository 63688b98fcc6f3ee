"""Node ids of subtasks: unique and legal, whatever the subtasks are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagorch.nodes.base import check_id
from dagorch.patterns.subtasks import node_ids

IDS = st.text("ab/[]_-2\t", min_size=1, max_size=4)


@given(st.lists(IDS, unique=True, max_size=12))
def test_they_are_legal_unique_and_the_same_where_they_can_be(ids: list[str]) -> None:
    found = node_ids(ids)
    assert list(found) == ids
    assert len(set(found.values())) == len(ids)
    for id, node in found.items():
        check_id(node)
        if not set(id) & set("/[]\t"):
            assert node == id
