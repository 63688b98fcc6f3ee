import anyio
import pytest

from benchmarks.measure import Run
from benchmarks.shapes import SHAPES, chain, fan, ladder
from benchmarks.subjects import NodeFunction, Subject
from benchmarks.subjects.baselines import BASELINES, LEAN, TASK, prepare_lean, prepare_loop
from benchmarks.subjects.hamilton import HAMILTON
from benchmarks.subjects.langgraph import LANGGRAPH
from benchmarks.subjects.pydantic_graph import PYDANTIC_GRAPH
from benchmarks.subjects.verify import verify

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])

PEERS = {"hamilton": HAMILTON, "langgraph": LANGGRAPH, "pydantic_graph": PYDANTIC_GRAPH}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("subject", BASELINES, ids=lambda subject: subject.name)
async def test_a_baseline_runs_each_node_once_after_its_parents(
    subject: Subject, shape: str
) -> None:
    for size in (3, 10, 200):
        assert await verify(subject, SHAPES[shape](size, 5)) is None


@pytest.mark.parametrize("subject", BASELINES, ids=lambda subject: subject.name)
async def test_a_baseline_keeps_the_values_and_can_run_again(subject: Subject) -> None:
    def give(value: int) -> NodeFunction:
        async def call() -> int:
            return value

        return call

    run = subject.prepare(ladder(10), [give(value) for value in range(10)])
    assert await run() == await run() == list(range(10))


@pytest.mark.parametrize("subject", [LEAN, TASK], ids=lambda subject: subject.name)
async def test_an_error_of_a_node_ends_the_run(subject: Subject) -> None:
    async def fail() -> int:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        await subject.prepare(fan(5), [fail] * 5)()


@pytest.mark.parametrize("max_parallel", [1, 3, 16])
async def test_the_pool_runs_max_parallel_nodes_at_once(max_parallel: int) -> None:
    running = most = 0

    async def step() -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        running -= 1
        return 0

    await prepare_lean(fan(50), [step] * 50, max_parallel)()
    assert most == max_parallel


async def test_verify_notices_a_node_too_early() -> None:
    def backwards(shape: object, functions: list[NodeFunction]) -> Run:
        return prepare_loop(chain(len(functions)), functions[::-1])

    problem = await verify(Subject("backwards", backwards), chain(3))  # type: ignore[arg-type]
    assert problem == "node 2 started before its parents had ended"


async def test_verify_notices_a_lost_node() -> None:
    def lossy(shape: object, functions: list[NodeFunction]) -> Run:
        return prepare_loop(chain(2), functions[:-1])

    problem = await verify(Subject("lossy", lossy), chain(3))  # type: ignore[arg-type]
    assert problem == "node 2 did not run to its end (1 such)"


async def test_verify_notices_a_node_run_twice() -> None:
    def eager(shape: object, functions: list[NodeFunction]) -> Run:
        return prepare_loop(chain(4), [*functions, functions[-1]])

    problem = await verify(Subject("eager", eager), chain(3))  # type: ignore[arg-type]
    assert problem == "node 2 ran 2 times (1 such)"


async def test_a_missing_import_and_a_large_shape_have_a_reason() -> None:
    subject = Subject(
        "x", prepare_loop, requires=("json:loads", "json:nothing"), max_nodes={"fan": 5}, why="slow"
    )
    assert "nothing" in str(subject.missing())
    assert subject.too_large(fan(5)) is None
    assert subject.too_large(fan(6)) == "over 5 nodes: slow"
    assert subject.too_large(chain(6)) is None
    assert LEAN.missing() is None


@pytest.mark.peers
@pytest.mark.parametrize("shape", ["chain", "fan", "ladder"])
@pytest.mark.parametrize("name", PEERS)
async def test_a_peer_runs_each_node_once_after_its_parents(name: str, shape: str) -> None:
    pytest.importorskip(name)
    assert await verify(PEERS[name], SHAPES[shape](20, 5)) is None
