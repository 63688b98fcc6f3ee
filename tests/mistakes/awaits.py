"""Awaits: forgotten ones, async where sync is wanted, runs that have not begun or ended."""

from __future__ import annotations

from dagorch import LLM, AgentResult, Context, Graph, Policy, SubTask
from dagorch.nodes import Function
from tests.mistakes.matrix import Own, fails, refused, run, step_graph


async def fetch() -> str:
    return "tea"


@refused("the reducer is async", "merge 'all'", "add a function node")
async def an_async_reducer(provider):
    async def fold(values):
        return values[0]

    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.merge("all", [view], reducer=fold)  # here
    await graph.run(provider=provider)


@refused("select is async", "branch 'way'", "compute the value in a function node")
async def an_async_selector(provider):
    async def is_long(view):
        return len(view) > 10

    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.branch("way", is_long)  # here
    await graph.run(provider=provider)


@refused("until is async", "loop 'refine'", "compute its result in the body")
async def an_async_until(provider):
    async def is_good(state):
        return True

    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="", max_iterations=2, until=is_good)  # here
    await graph.run(provider=provider)


async def is_good(value):
    return False


@fails("refine", "coroutine", "await")
async def an_until_that_returns_a_coroutine(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="", max_iterations=3, until=lambda s: is_good(s))
    await graph.run(provider=provider)


@fails("way", "coroutine", "await")
async def a_selector_that_returns_a_coroutine(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.branch("way", lambda view: is_good(view))
    await graph.run(provider=provider)


@fails("all", "coroutine", "await")
async def a_reducer_that_returns_a_coroutine(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.merge("all", [view], reducer=lambda values: is_good(values))
    await graph.run(provider=provider)


@fails("facts", "coroutine", "await")
async def a_value_that_was_not_awaited(provider):
    async def facts():
        return fetch()

    graph = Graph("flow")
    graph.function(facts)
    graph.add(LLM("view", prompt="Weigh {facts}"))
    await graph.run(provider=provider)


@fails("facts", "coroutine", "await")
async def an_annotated_value_that_was_not_awaited(provider):
    async def facts() -> str:
        return fetch()

    graph = Graph("flow")
    graph.function(facts)
    graph.add(LLM("view", prompt="Weigh {facts}"))
    await graph.run(provider=provider)


@fails("facts", "coroutine", "await")
async def coroutines_in_a_list(provider):
    async def facts():
        return [fetch(), fetch()]

    graph = Graph("flow")
    graph.function(facts)
    graph.add(LLM("view", prompt="Weigh {facts}"))
    await graph.run(provider=provider)


@refused("async generator", "node 'facts'", "return")
async def an_async_generator_as_a_function(provider):
    async def facts():
        yield "tea"

    graph = Graph("flow")
    graph.function(facts)  # here
    graph.add(LLM("view", prompt="Weigh {facts}"))
    await graph.run(provider=provider)


@fails("facts", "the async generator of 'lines'", "async for")
async def an_async_generator_as_a_value(provider):
    async def lines():
        yield "tea"

    async def facts():
        return lines()

    graph = Graph("flow")
    graph.function(facts)
    graph.add(LLM("view", prompt="Weigh {facts}"))
    await graph.run(provider=provider)


@fails("ask", "'coroutine' object has no attribute 'content'", "await")
async def a_call_that_was_not_awaited(provider):
    async def ask(context: Context) -> str:
        return context.acomplete([{"role": "user", "content": "Tea?"}]).content  # here

    graph = Graph("flow")
    graph.function(ask)
    await graph.run(provider=provider)


@refused("run_sync was called where an event loop runs", "", "use 'await graph.run(...)'")
async def run_sync_in_async_code(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.run_sync(provider=provider)  # here


@refused("the run has not begun", "", "use 'async with graph.start(...) as run'")
async def a_handle_that_was_not_entered(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    handle = graph.start(provider=provider)
    await handle.result()  # here


@refused("the run has not completed", "", "read the stream to its end first")
async def the_result_of_a_stream_that_was_not_read(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    stream = graph.stream(provider=provider)
    assert stream.result  # here


@refused("topic", "coroutine", "await")
async def an_input_that_was_not_awaited(provider):
    graph = Graph("flow")
    graph.input("topic")
    graph.add(LLM("view", prompt="On {topic}"))
    await graph.run(provider=provider, topic=fetch())  # here


@refused("input 'topic' is the coroutine of 'fetch'", "graph 'flow'", "await")
async def a_typed_input_that_was_not_awaited(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="On {topic}"))
    await graph.run(provider=provider, topic=fetch())  # here


@refused("coroutine", "node 'view'", "await")
async def a_constant_that_was_not_awaited(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="On {topic}"), topic=fetch())  # here
    await graph.run(provider=provider)


@refused("coroutine", "node 'view'", "await")
async def items_that_were_not_awaited(provider):
    graph = Graph("flow")
    graph.map(LLM("view", prompt="On {item}"), over=fetch())  # here
    await graph.run(provider=provider)


@refused("coroutine", "provider", "await")
async def a_provider_that_was_not_awaited(provider):
    async def make():
        return provider

    await run(make(), LLM("view", prompt="Tea?"))  # here


@refused("on_event: <coroutine", "graph 'flow'", "pass a function of one")
async def a_listener_that_was_called(provider):
    async def show(event=None):
        pass

    await run(provider, LLM("view", prompt="Tea?"), on_event=show())  # here


@refused("coroutine", "'fetch'", "not callable")
async def a_function_that_was_called(provider):
    await run(provider, Function("fetch", fetch()))  # here


@fails("subtasks/tea", "coroutine", "await")
async def an_agent_result_that_was_not_awaited(provider):
    class Forgetful(Own):
        async def execute_subtask(self, subtask, context=None):
            return AgentResult(subtask.id, fetch())

    await Forgetful(provider).execute_workflow("Tea?")


@fails("subtasks/tea", "'coroutine' object has no attribute 'content'", "await")
async def a_call_of_an_orchestrator_that_was_not_awaited(provider):
    class Forgetful(Own):
        async def execute_subtask(self, subtask, context=None):
            reply = self.provider.acomplete([{"role": "user", "content": "Tea?"}])
            return AgentResult(subtask.id, reply.content)  # here

    await Forgetful(provider).execute_workflow("Tea?")


@fails("decompose", "async_generator", "list of SubTask")
async def a_plan_that_is_yielded(provider):
    class Yielding(Own):
        async def decompose_task(self, task, context=None):
            yield SubTask("tea", task)

    await Yielding(provider).execute_workflow("Tea?")


@fails("view", "generator", "pass text, data")
async def a_generator_as_a_function(provider):
    def facts():
        yield "tea"

    graph = Graph("flow")
    graph.function(facts)
    graph.add(LLM("view", prompt="Weigh {facts}"))
    await graph.run(provider=provider)


@fails("view", "generator", "pass text, data")
async def a_generator_as_a_value(provider):
    async def facts():
        return (word for word in ["tea", "coffee"])

    graph = Graph("flow")
    graph.function(facts)
    graph.add(LLM("view", prompt="Weigh {facts}"))
    await graph.run(provider=provider)


@refused("fallback", "coroutine", "await")
async def a_fallback_that_was_not_awaited(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(fallback=fetch())))  # here
