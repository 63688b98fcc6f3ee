"""How the public API is typed: read by mypy and pyright (`scripts/check`), never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, assert_type

from pydantic import BaseModel

from dagorch import (
    LLM,
    AgentResult,
    BaseOrchestrator,
    ConditionalOrchestrator,
    Context,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    Event,
    Finding,
    Graph,
    IterativeOrchestrator,
    OrchestratorConfig,
    OrchestratorResult,
    Policy,
    ProviderFactory,
    Ref,
    Retry,
    RunError,
    SequentialOrchestrator,
    StreamEvent,
    SubTask,
    TaskStatus,
)
from dagorch.models.llm import Thought
from dagorch.models.rates import RateLimits
from dagorch.models.result import NodeRun, Result
from dagorch.models.usage import Usage
from dagorch.nodes import Function
from dagorch.ports import Provider, Source
from dagorch.providers import AnthropicProvider, Router
from dagorch.sources import Wikipedia
from dagorch.testing import ScriptedProvider, run_virtual


class Report(BaseModel):
    title: str


@dataclass(frozen=True)
class Library:
    shelves: int


def inputs() -> None:
    graph = Graph("inputs")
    assert_type(graph.input("question", str), Ref[str])
    assert_type(graph.input("sources", list[str]), Ref[list[str]])
    assert_type(graph.input("limit", int, default=3), Ref[int])
    assert_type(graph.input("report", Report), Ref[Report])


def decorators() -> None:
    graph = Graph("decorators")

    @graph.function
    async def angles(question: str) -> list[str]:
        return [question]

    assert_type(angles, Ref[list[str]])

    @graph.function
    def count(angles: list[str]) -> int:
        return len(angles)

    assert_type(count, Ref[int])

    @graph.function(policy=Policy(retry=Retry(attempts=2)))
    async def patient(question: str) -> float:
        return float(len(question))

    assert_type(patient, Ref[float])

    @graph.function(id="other")
    def quick(question: str) -> bytes:
        return question.encode()

    assert_type(quick, Ref[bytes])

    @graph.function
    async def with_context(question: str, context: Context[Library]) -> int:
        reply = await context.acomplete([{"role": "user", "content": question}])
        return context.deps.shelves + len(reply.content)

    assert_type(with_context, Ref[int])


async def fetch(url: str) -> Report:
    return Report(title=url)


def measure(report: Report) -> int:
    return len(report.title)


def plan(report: Report) -> Graph:
    return Graph(report.title)


def calls() -> None:
    graph = Graph("calls")
    report = graph.function(fetch, url="https://example.org")
    assert_type(report, Ref[Report])
    assert_type(graph.function(measure, id="size", report=report), Ref[int])
    # What an expansion comes to is the graph's that it returns, and known only when it does.
    assert_type(graph.function(plan, expand=True, report=report), Ref[Any])


def llm_outputs() -> None:
    graph = Graph("llm")
    assert_type(graph.add(LLM("text", prompt="Hello.")), Ref[str])
    assert_type(graph.add(LLM("report", prompt="Report.", output=Report)), Ref[Report])
    assert_type(graph.add(LLM("list", prompt="List.", output=list[str])), Ref[list[str]])
    assert_type(graph.add(LLM("words", prompt="Words.", output=str)), Ref[str])


def choose(words: list[str]) -> str:
    return "long" if words else "short"


def containers() -> None:
    graph = Graph("containers")
    words = graph.input("words", list[str])
    assert_type(graph.map(LLM("view", prompt="About {item}"), over=words), Ref[list[str]])
    reports = graph.map(LLM("write", prompt="Write {item}", output=Report), over=words)
    assert_type(reports, Ref[list[Report]])
    assert_type(graph.map(Graph("body"), over=words), Ref[list[Any]])
    # A `Function` made by hand is not told apart by what it returns; `graph.function` is.
    assert_type(graph.map(Function("fetch", fetch), over=words), Ref[list[Any]])

    branch = graph.branch("kind", choose, ("long", "short"))
    assert_type(branch["long"], Ref[str])
    assert_type(branch["long", "short"], Ref[str])
    assert_type(graph.merge("all", [words, reports], reducer="concat", wait=1), Ref[Any])
    assert_type(graph.loop("refine", Graph("pass"), max_iterations=3), Ref[Any])
    assert_type(graph.subgraph(Graph("inside")), Ref[Any])
    assert_type(graph.ask("confirm", "Go on?", output=bool), Ref[bool])
    assert_type(graph.ask("name", "Who are you?"), Ref[str])


def join(texts: list[str], parts: dict[str, Report]) -> str:
    return " ".join(texts) + " ".join(part.title for part in parts.values())


def collections() -> None:
    graph = Graph("collections")
    title = graph.input("title", str)
    report = graph.function(fetch, url=title)
    words = graph.input("words", list[str])
    joined = graph.function(join, texts=[title, "constant"], parts={"x": report})
    assert_type(joined, Ref[str])
    assert_type([title, joined], list[Ref[str]])
    written = LLM("write", prompt="{parts} {texts}", output=Report)
    assert_type(graph.add(written, texts=(title, joined), parts={"a": report}), Ref[Report])
    assert_type(graph.map(LLM("view", prompt="{item}"), over=[title, joined]), Ref[list[str]])
    assert_type(graph.map(written, over=[words], parts=[[report]]), Ref[list[Report]])
    assert_type(graph.subgraph(Graph("inside"), state=[title]), Ref[Any])
    assert_type(graph.branch("many", choose, words=[title, joined])["true"], Ref[str])

    @graph.function(texts=[title, joined], parts={})
    async def again(texts: list[str], parts: dict[str, Report]) -> Report:
        return Report(title=join(texts, parts))

    assert_type(again, Ref[Report])


async def runs(graph: Graph, title: Ref[str], report: Ref[Report], views: Ref[list[str]]) -> None:
    provider = ScriptedProvider("Yes.")
    result = await graph.run(question="Why?", provider=provider, max_parallel=8, max_cost=0.5)
    assert_type(result, Result)
    assert_type(result[title], str)
    assert_type(result[report], Report)
    assert_type(result[report].title, str)
    assert_type(result[views], list[str])
    assert_type(result["by id"], Any)
    assert_type(result.get(report), NodeRun)
    assert_type(result.usage, Usage)
    assert_type(graph.run_sync(), Result)
    assert_type(await graph.run({"question": "Why?"}, provider=provider, seed=1), Result)
    assert_type(graph.run_sync({}, limits={"db": 2}, retain="outputs"), Result)

    async for event in graph.stream(question="Why?"):
        assert_type(event, Event)

    async with graph.start(question="Why?") as run:
        assert_type(run.usage, Usage)
        assert_type(run.status, dict[str, str])
        run.answer("confirm", value=True)
        run.cancel()
        assert_type(await run.result(), Result)

    async with provider.stream([{"role": "user", "content": "Count."}]) as pieces:
        async for text in pieces:
            assert_type(text, str)

    router = Router(provider, {"mine": provider})
    assert_type(router.find("grok-3"), tuple[Provider, str])
    await graph.run(question="Why?", provider=router)

    claude = AnthropicProvider("https://example.org", default_model="claude-haiku-4-5")
    answer = await claude.acomplete([{"role": "user", "content": "Count."}], max_tokens=5)
    assert_type(answer.rate_limits, RateLimits | None)
    assert_type(answer.cached_tokens, int)
    assert_type(answer.thoughts, tuple[Thought, ...])


def failures(graph: Graph, error: RunError) -> None:
    assert_type(error.path, str)
    assert_type(error.story, tuple[str, ...])


def one_or_several(graph: Graph, branch: Ref[str]) -> None:
    LLM("one", prompt="?", stop="END", tools=fetch, policy=Policy(retry=3, resources="db"))
    LLM("several", prompt="?", stop=["END"], tools=[fetch, measure], messages=[])
    assert_type(LLM("stop", prompt="?", stop="END").stop, tuple[str, ...])
    assert_type(LLM("typed", prompt="?", output=Report), LLM[Report])
    assert_type(Policy(retry=3).retry, Retry | None)
    assert_type(Retry(on=ValueError).on, tuple[type[BaseException], ...])
    Policy(fallback_models=["a", "b"], resources=("db",), retry=Retry(on=[ValueError, OSError]))
    graph.merge("all", [branch, branch])
    graph.merge("one", branch)
    graph.merge("ids", ["a", "b"])  # type: ignore[list-item]
    graph.function(fetch, after=branch, after_end=[branch])
    graph.function(fetch, after="a")  # type: ignore[arg-type]
    graph.ask("sure", "Sure?", after_end=["a"])  # type: ignore[list-item]
    Policy(retry="3")  # type: ignore[arg-type]
    Policy(retries=3)  # type: ignore[call-arg]
    Policy(resources=3)  # type: ignore[arg-type]
    Retry(on=[3])  # type: ignore[list-item]
    Retry(attempts="3")  # type: ignore[arg-type]


def virtual_time() -> None:
    async def hours(count: int) -> float:
        return count / 24

    assert_type(run_virtual(hours, 3), float)


def refs_are_covariant(report: Ref[Report]) -> Ref[BaseModel]:
    return report


def wrong(graph: Graph, report: Ref[Report], result: Result) -> None:
    # Both type checkers complain of an ignore that is not needed.
    title = result[report].titel  # type: ignore[attr-defined]
    text: str = result[report]  # type: ignore[assignment]
    LLM("x", promt="Hello.")  # type: ignore[call-arg]
    del title, text


def heard(event: Event) -> None: ...


async def wrong_options(graph: Graph, provider: ScriptedProvider) -> None:
    # Beside a mapping every keyword is an option.
    await graph.run({"question": "Why?"}, max_paralel=3)  # type: ignore[call-overload]
    graph.run_sync({}, provder=provider)  # type: ignore[call-overload]
    graph.stream({}, question="Why?")  # type: ignore[call-overload]
    graph.start({}, on_evnt=heard)  # type: ignore[call-overload]
    graph.run_sync("Why?")  # type: ignore[call-overload]
    # Both forms have the types of the options.
    await graph.run(question="Why?", max_parallel="three")  # type: ignore[call-overload]
    await graph.run({"question": "Why?"}, max_parallel="three")  # type: ignore[call-overload]
    await graph.run(max_cost="cheap")  # type: ignore[call-overload]
    graph.run_sync(provider="openai")  # type: ignore[call-overload]
    graph.run_sync({}, provider=[provider])  # type: ignore[call-overload]
    graph.run_sync({}, on_event=[heard, 3])  # type: ignore[list-item]
    graph.stream(retain="nothing")  # type: ignore[call-overload]
    graph.start({}, limits={"db": "two"})  # type: ignore[dict-item]
    orchestrator = SequentialOrchestrator(None, provider)
    await orchestrator.execute_workflow("Why?", on_evnt=heard)  # type: ignore[call-arg]
    await orchestrator.execute_workflow("Why?", on_event=3)  # type: ignore[arg-type]


def handed_on(make: Callable[[str], Awaitable[Report]]) -> Ref[Report]:
    return Graph("handed on").function(make, id="made")


class Letters(BaseOrchestrator):
    async def decompose_task(
        self, task: str, context: dict[str, Any] | None = None
    ) -> list[SubTask]:
        return [SubTask("count", task, agent_type="counter", dependencies=[])]

    async def execute_subtask(
        self, subtask: SubTask, context: dict[str, Any] | None = None
    ) -> AgentResult:
        reply = await self.provider.acomplete([{"role": "user", "content": subtask.description}])
        assert_type(reply.content, str)
        assert_type(reply.cost, float)
        return AgentResult(subtask.id, reply.content, status="completed", cost=reply.cost)

    async def synthesize_results(
        self, agent_results: list[AgentResult], context: dict[str, Any] | None = None
    ) -> dict[str, int]:
        return {"letters": len(agent_results)}


class Shelf:
    """A source of one's own: a name and one method."""

    name = "shelf"

    def search(self, query: str, limit: int) -> list[Finding]:
        return [Finding("Bees", authors=["Ada"], source=self.name)][:limit]


async def swarms() -> None:
    sources: dict[str, Source] = {"shelf": Shelf(), "wikipedia": Wikipedia(language="de")}
    swarm = DreamSwarmOrchestrator(DreamSwarmConfig(num_agents=3), sources=sources)
    assert_type(await swarm.execute_workflow("Why?"), OrchestratorResult)
    assert_type((await Wikipedia().search("bees", 3))[0].authors, tuple[str, ...])


async def orchestrators() -> None:
    config = DreamCascadeConfig(belter_count=3, primary_model="grok-3", max_cost=1.0)
    cascade = DreamCascadeOrchestrator(config, ProviderFactory.get_provider("xai"))
    assert_type(cascade.graph("Why?"), Graph)
    result = await cascade.execute_workflow("Why?")
    assert_type(result, OrchestratorResult)
    assert_type(result.status, TaskStatus)
    assert_type(result.total_cost, float)

    def tell(event: StreamEvent) -> None:
        assert_type(event.message, str)

    own = Letters(OrchestratorConfig(max_parallel=2))
    own.stream_callback = tell
    assert_type(config.validate(), list[str])


async def patterns() -> None:
    def handler(step: str, context: dict[str, Any]) -> str:
        return step

    async def alone(context: dict[str, Any]) -> dict[str, float]:
        return {"score": 1.0}

    config = OrchestratorConfig(num_agents=2, steps=["a", "b"])
    steps = SequentialOrchestrator(config, ScriptedProvider("x"), step_handlers={"a": handler})
    assert_type(await steps.execute_workflow("Why?", {"mine": 1}), OrchestratorResult)
    ConditionalOrchestrator(
        condition=lambda context: True, true_branch=[handler, "Say it."], false_branch=alone
    )
    ConditionalOrchestrator(selector="Which?", branches={"a": handler, "b": alone})
    IterativeOrchestrator(
        config, None, max_iterations=5, convergence_fn=lambda results: results["score"] > 0.9,
        handler=alone,
    )  # fmt: skip
