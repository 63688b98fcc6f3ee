"""Node ids of subtasks: unique and valid for any subtask ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagorch.nodes.base import check_id
from dagorch.patterns.subtasks import node_ids

IDS = st.text("ab/[]_-2\t", min_size=1, max_size=4)


@given(st.lists(IDS, unique=True, max_size=12))
def test_node_ids_are_valid_unique_and_unchanged_if_possible(ids: list[str]) -> None:
    mapping = node_ids(ids)
    assert list(mapping) == ids
    assert len(set(mapping.values())) == len(ids)
    for id, node in mapping.items():
        check_id(node)
        if not set(id) & set("/[]\t"):
            assert node == id
