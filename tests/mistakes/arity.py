"""Arity: functions that take too much, too little, or nothing by name."""

from __future__ import annotations

from dagorch import (
    LLM,
    ConditionalOrchestrator,
    Graph,
    IterativeOrchestrator,
    OrchestratorConfig,
    SequentialOrchestrator,
)
from dagorch.nodes import Function
from tests.mistakes.matrix import Own, refused, run, step_graph


@refused("until", "loop 'refine'", "one")
async def until_of_two_parameters(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="", max_iterations=2, until=lambda n, s: True)  # here
    await graph.run(provider=provider)


@refused("until", "loop 'refine'", "one")
async def until_of_no_parameter(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="", max_iterations=2, until=lambda: True)  # here
    await graph.run(provider=provider)


@refused("reducer", "merge 'sum'", "the list of values")
async def a_reducer_of_two_values(provider):
    graph = Graph("flow")
    views = [graph.add(LLM(f"view{n}", prompt="Tea?")) for n in range(2)]
    graph.merge("sum", views, reducer=lambda left, right: left + right)  # here
    await graph.run(provider=provider)


@refused("reducer", "merge 'sum'", "the list of values")
async def a_reducer_of_no_values(provider):
    graph = Graph("flow")
    views = [graph.add(LLM(f"view{n}", prompt="Tea?")) for n in range(2)]
    graph.merge("sum", views, reducer=lambda: "")  # here
    await graph.run(provider=provider)


@refused("input 'state' of node 'way' is not bound", "node 'way'", "bind it with state=...")
async def a_selector_that_takes_the_state_as_in_langgraph(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.branch("way", lambda state: state["view"] == "yes")  # here
    await graph.run(provider=provider)


@refused("parameter '*views' has no names", "branch 'way'", "by name")
async def a_selector_of_any_number(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.branch("way", lambda *views: True)  # here
    await graph.run(provider=provider)


@refused("parameter '*texts' has no names", "node 'join'", "by name")
async def a_function_of_any_number(provider):
    def join(*texts: str) -> str:
        return " ".join(texts)

    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.function(join)  # here
    await graph.run(provider=provider)


@refused("parameter 'text' is positional-only", "node 'count'", "by name")
async def a_function_of_positions(provider):
    def count(text: str, /) -> int:
        return len(text)

    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.function(count, text=view)  # here
    await graph.run(provider=provider)


@refused("parameter 'obj' is positional-only", "node 'len'", "by name")
async def a_builtin_as_a_function(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.function(len, obj=view)  # here
    await graph.run(provider=provider)


@refused("function node 'count': 'tea' is not callable", "'count'", "not callable")
async def the_value_of_a_function_as_a_function(provider):
    await run(provider, Function("count", "tea"))  # here


@refused("Function(...) needs 'fn'", "", "needs 'fn'")
async def a_function_node_without_its_function(provider):
    await run(provider, Function("count"))  # here


@refused("LLM(...) needs 'id'", "", "needs 'id'")
async def a_node_without_its_id(provider):
    await run(provider, LLM(prompt="Tea?"))  # here


@refused("is neither a node nor a graph", "facts", "Function('name', fn)")
async def a_function_as_the_body_of_a_map(provider):
    def facts(item: str) -> str:
        return item

    graph = Graph("flow")
    graph.map(facts, over=["tea"])  # here
    await graph.run(provider=provider)


@refused("is not a node", "graph 'flow'", "graph.function(...)")
async def a_function_as_a_node(provider):
    def facts() -> str:
        return "tea"

    graph = Graph("flow")
    graph.add(facts)  # here
    await graph.run(provider=provider)


@refused("on_event", "graph 'flow'", "pass a function of one")
async def a_listener_of_no_event(provider):
    await run(provider, LLM("view", prompt="Tea?"), on_event=lambda: None)  # here


@refused("on_event", "graph 'flow'", "pass a function of one")
async def a_listener_of_type_and_data(provider):
    await run(provider, LLM("view", prompt="Tea?"), on_event=lambda kind, data: None)  # here


@refused("parameter '*cities' has no names", "node 'plan'", "tool 'weather'")
async def a_tool_of_any_number(provider):
    def weather(*cities: str) -> str:
        return "fine"

    await run(provider, LLM("plan", prompt="Plan", tools=[weather]))


@refused("has no name that a model can call", "node 'plan'", "define it with def")
async def a_tool_without_a_name(provider):
    await run(provider, LLM("plan", prompt="Plan", tools=[lambda city: "fine"]))


@refused("takes (step, context, more)", "step_handlers['count']", "it must take (step, context)")
async def a_handler_of_three(provider):
    config = OrchestratorConfig(steps=["count"])
    handlers = {"count": lambda step, context, more: 1}
    await SequentialOrchestrator(config, provider, step_handlers=handlers).execute_workflow("x")


@refused("takes ()", "step_handlers['count']", "it must take (step, context)")
async def a_handler_of_nothing(provider):
    config = OrchestratorConfig(steps=["count"])
    handlers = {"count": lambda: 1}
    await SequentialOrchestrator(config, provider, step_handlers=handlers).execute_workflow("x")


@refused("takes ()", "condition=", "(context) alone")
async def a_condition_of_nothing(provider):
    await ConditionalOrchestrator(
        None, provider, condition=lambda: True, true_branch="Yes", false_branch="No"
    ).execute_workflow("x")


@refused(
    "convergence_fn, lambda of arity.py",
    "convergence_fn",
    "must take one argument, the result of a pass",
)
async def a_convergence_function_of_two(provider):
    await IterativeOrchestrator(
        None, provider, convergence_fn=lambda results, n: n > 2
    ).execute_workflow("x")


@refused(
    "convergence_fn, lambda of arity.py",
    "convergence_fn",
    "must take one argument, the result of a pass",
)
async def a_convergence_function_of_nothing(provider):
    await IterativeOrchestrator(None, provider, convergence_fn=lambda: True).execute_workflow("x")


@refused("execute_subtask", "orchestrator Wrong", "must take (self, subtask, context=None)")
async def execute_subtask_without_a_context(provider):
    class Wrong(Own):
        async def execute_subtask(self, subtask):
            return subtask

    await Wrong(provider).execute_workflow("x")  # here


@refused("decompose_task", "orchestrator Wrong", "(self, task, context=None)")
async def decompose_task_without_a_task(provider):
    class Wrong(Own):
        async def decompose_task(self):
            return []

    await Wrong(provider).execute_workflow("x")  # here


@refused("synthesize_results", "orchestrator Wrong", "(self, agent_results, context=None)")
async def synthesize_results_of_three(provider):
    class Wrong(Own):
        async def synthesize_results(self, task, agent_results, context):
            return {}

    await Wrong(provider).execute_workflow("x")  # here
