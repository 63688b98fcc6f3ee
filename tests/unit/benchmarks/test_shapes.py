import pytest

from benchmarks.shapes import MAX_LAYERED_PARENTS, SHAPES, Shape, chain, fan, ladder, layered

SIZES = [3, 4, 5, 9, 10, 50, 100, 1_001]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_a_shape_has_exactly_n_nodes_and_parents_come_before_their_children(
    name: str, size: int
) -> None:
    shape = SHAPES[name](size, 7)
    assert shape.name == name
    assert shape.node_count == size
    for node, parents in enumerate(shape.parents):
        assert all(0 <= parent < node for parent in parents)
        assert len(set(parents)) == len(parents)


@pytest.mark.parametrize("name", SHAPES)
def test_children_and_in_degrees_mirror_parents(name: str) -> None:
    shape = SHAPES[name](100, 7)
    edges = {(parent, node) for node, parents in enumerate(shape.parents) for parent in parents}
    mirrored = {(node, child) for node, children in enumerate(shape.children) for child in children}
    assert mirrored == edges
    assert shape.edge_count == len(edges) == sum(shape.in_degree)
    assert all(shape.in_degree[node] == 0 for node in shape.roots)
    assert all(not shape.children[node] for node in shape.sinks)


def test_chain_is_one_path() -> None:
    assert chain(4).parents == ((), (0,), (1,), (2,))


def test_fan_has_one_source_and_one_sink() -> None:
    assert fan(5).parents == ((), (0,), (0,), (0,), (1, 2, 3))


def test_ladder_is_diamonds_with_the_rest_as_a_chain() -> None:
    assert ladder(5).parents == ((), (0,), (0,), (1, 2), (3,))
    assert ladder(10).parents[4:] == ((3,), (3,), (4, 5), (6,), (6,), (7, 8))


def test_layered_has_one_to_three_parents_in_the_layer_above() -> None:
    shape = layered(100, seed=3)
    assert shape.roots == tuple(range(10))
    for node in range(10, 100):
        parents = shape.parents[node]
        assert 1 <= len(parents) <= MAX_LAYERED_PARENTS
        assert {parent // 10 for parent in parents} == {node // 10 - 1}


def test_layered_follows_its_seed() -> None:
    assert layered(200, seed=1) == layered(200, seed=1)
    assert layered(200, seed=1) != layered(200, seed=2)


@pytest.mark.parametrize(("make", "size"), [(chain, 0), (fan, 2), (layered, 0), (ladder, 0)])
def test_a_size_too_small_is_refused(make: type[Shape], size: int) -> None:
    with pytest.raises(ValueError, match="needs at least"):
        make(size, 0)  # type: ignore[arg-type]
