"""`NodePath` reads back the parts that a path was built from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagorch.ids import RESERVED_CHARACTERS, NodePath

NODE_IDS = st.text(min_size=1, max_size=12).filter(lambda id: not RESERVED_CHARACTERS.search(id))
FRAME_NUMBERS = st.none() | st.integers(0, 10**6)
STEPS = st.lists(st.tuples(FRAME_NUMBERS, NODE_IDS), max_size=5)


@given(top=NODE_IDS, steps=STEPS)
def test_a_path_reads_back_as_the_parts_it_was_built_from(
    top: str, steps: list[tuple[int | None, str]]
) -> None:
    path = NodePath.build("", None, top)
    assert (path.container, path.frame, path.frame_number, path.node_id) == ("", "", None, top)
    built = [path]
    for frame_number, node_id in steps:
        path = NodePath.build(built[-1], frame_number, node_id)
        assert (path.container, path.frame_number, path.node_id) == (
            built[-1],
            frame_number,
            node_id,
        )
        assert path == f"{path.frame}/{node_id}"
        built.append(path)
    assert list(path.with_containers()) == built[::-1]
    assert path.in_plan == "/".join([top, *(node_id for _, node_id in steps)])


def test_the_empty_path_has_no_containers() -> None:
    assert list(NodePath("").with_containers()) == []
