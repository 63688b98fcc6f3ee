"""Names: misspelt, taken twice, reserved, missing."""

from __future__ import annotations

import networkx

from dagorch import LLM, Graph, Policy
from dagorch.nodes import Function
from dagorch.testing import ScriptedProvider
from tests.mistakes.matrix import fails, refused, run, step_graph


def facts(name: str) -> str:
    return f"{name} likes bees"


def length(text: str) -> int:
    return len(text)


@refused("input 'topc' of node 'view' is not bound", "node 'view'", "did you mean 'topic'?")
async def a_misspelt_field_of_a_prompt(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="Views on {topc}"))  # here
    await graph.run(provider=provider, topic="tea")


@refused("input 'veiws' of node 'report' is not bound", "node 'report'", "did you mean 'views'?")
async def a_misspelt_node_in_a_prompt(provider):
    graph = Graph("flow")
    graph.add(LLM("views", prompt="Views on tea"))
    graph.add(LLM("report", prompt="Weigh {veiws}"))  # here
    await graph.run(provider=provider)


@refused("node 'length' has no input 'txt'", "node 'length'", "did you mean 'text'?")
async def a_misspelt_binding(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Views on tea"))
    graph.function(length, txt=view)  # here
    await graph.run(provider=provider)


@refused("node 'length' has no input 'words'", "node 'length'", "it takes text")
async def a_binding_without_a_parameter(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Views on tea"))
    graph.function(length, text=view, words=100)  # here
    await graph.run(provider=provider)


@refused("node 'view' has no input 'topic'", "node 'view'", "it takes none")
async def a_value_for_a_prompt_without_fields(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Views on %s"), topic="tea")  # here
    await graph.run(provider=provider)


@refused("node 'view' has no input 'topic'", "node 'view'", "it takes none")
async def a_field_in_the_braces_of_jinja(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Views on {{ topic }}"), topic="tea")  # here
    await graph.run(provider=provider)


@refused("input 'text' of node 'length' is not bound", "node 'length'", "bind it with text=...")
async def a_parameter_that_nothing_feeds(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Views on tea"))
    graph.function(length)  # here
    await graph.run(provider=provider)


@refused("no input 'topc'", "graph 'flow'", "did you mean 'topic'?")
async def a_misspelt_input_of_the_run(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="Views on {topic}"))
    await graph.run(provider=provider, topc="tea")  # here


@refused("input 'topic' is missing", "graph 'flow'", "pass topic=...")
async def a_missing_input_of_the_run(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="Views on {topic}"))
    await graph.run(provider=provider)  # here


@refused("no input 'style'", "graph 'flow'", "no option")
async def an_input_that_the_graph_does_not_have(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="Views on {topic}"))
    await graph.run(provider=provider, topic="tea", style="dry")  # here


@refused("the id 'view' is used twice", "first at", "ids are unique in a graph")
async def two_nodes_of_one_id(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Views on tea"))
    graph.add(LLM("view", prompt="Views on coffee"))  # here
    await graph.run(provider=provider)


@refused("the id 'facts' is used twice", "first at", "ids are unique in a graph")
async def one_function_added_twice(provider):
    graph = Graph("flow")
    graph.function(facts, name="Ada")
    graph.function(facts, name="Bob")  # here
    await graph.run(provider=provider)


@refused("the id 'topic' is used twice", "graph 'flow'", "ids are unique in a graph")
async def a_node_named_as_an_input(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("topic", prompt="Find a topic"))  # here
    await graph.run(provider=provider, topic="tea")


@refused("the name 'topic' is used twice", "graph 'flow'", "")
async def two_inputs_of_one_name(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.input("topic", str)  # here
    graph.add(LLM("view", prompt="Views on {topic}"))
    await graph.run(provider=provider, topic="tea")


@refused("the id 'news/view' contains '/'", "'news/view'", "reserved for paths")
async def a_slash_in_an_id(provider):
    await run(provider, LLM("news/view", prompt="Views on tea"))  # here


@refused("an id must be a string that is not empty", "not ''", "a string")
async def an_empty_id(provider):
    await run(provider, LLM("", prompt="Views on tea"))  # here


@refused("an id must be a string that is not empty", "not 1", "a string")
async def a_number_as_an_id(provider):
    await run(provider, LLM(1, prompt="Views on tea"))  # here


@refused("has no name", "<lambda>", "pass id=")
async def a_lambda_without_an_id(provider):
    graph = Graph("flow")
    graph.function(lambda: "tea")  # here
    await graph.run(provider=provider)


@refused("no input can be named 'self'", "graph 'flow'", "rename it")
async def an_input_named_self(provider):
    graph = Graph("flow")
    graph.input("self", str)  # here
    await graph.run(provider=provider)


@refused(
    "after='view' is not a ref",
    "llm 'log'",
    "pass what graph.add(...) or the decorated function returned",
)
async def an_id_in_after(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Views on tea"))
    graph.add(LLM("log", prompt="Say done"), after="view")  # here
    await graph.run(provider=provider)


@refused("sources has 'view', which is not a ref", "merge 'all'", "pass refs: [a, b]")
async def an_id_as_a_source_of_a_merge(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Views on tea"))
    graph.merge("all", ["view"])  # here
    await graph.run(provider=provider)


@refused("label 'yes', which branch 'way' does not have", "node 'go'", "its labels are true, false")
async def a_label_that_was_not_declared(provider):
    graph = Graph("flow")
    way = graph.branch("way", lambda: True)
    graph.add(LLM("go", prompt="Go"), after=way["yes"])  # here
    await graph.run(provider=provider)


@refused("label 'smal', which branch 'size' does not have", "node 'go'", "did you mean 'small'?")
async def a_misspelt_label(provider):
    graph = Graph("flow")
    size = graph.branch("size", lambda: "small", ["small", "big"])
    graph.add(LLM("go", prompt="Go"), after=size["smal"])  # here
    await graph.run(provider=provider)


@fails("size", "picked 'smal'", "its labels are 'small', 'big'")
async def a_misspelt_label_in_a_selector(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Views on tea"))
    size = graph.branch("size", lambda view: "smal", ["small", "big"], view=view)
    graph.add(LLM("go", prompt="Go"), after=size["small"])
    await graph.run(provider=provider)


@refused("label 'go' of 'view', which is not a branch", "node 'log'", "")
async def a_label_of_a_node_that_is_not_a_branch(provider):
    source = networkx.DiGraph()
    source.add_node("view", node=LLM("view", prompt="Views on tea"))
    source.add_node("log", node=LLM("log", prompt="Say done"))
    source.add_edge("view", "log", labels=("go",))
    await Graph.from_networkx(source).run(provider=provider)


@refused("no option 'promt'", "LLM", "did you mean 'prompt'?")
async def a_misspelt_option_of_a_node(provider):
    await run(provider, LLM("view", promt="Views on tea"))  # here


@refused("no option 'max_output_tokens'", "LLM", "did you mean 'max_tokens'?")
async def an_option_of_another_library(provider):
    await run(provider, LLM("view", prompt="Views", max_output_tokens=100))  # here


@refused("timout_seconds", "Policy", "did you mean 'timeout_seconds'?")
async def a_misspelt_option_of_a_policy(provider):
    await run(provider, LLM("view", prompt="Views", policy=Policy(timout_seconds=3)))  # here


@refused("no reducer 'majorty'", "merge 'vote'", "did you mean 'majority'?")
async def a_misspelt_reducer(provider):
    graph = Graph("flow")
    views = [graph.add(LLM(f"view{n}", prompt="Tea?")) for n in range(3)]
    graph.merge("vote", views, reducer="majorty")  # here
    await graph.run(provider=provider)


@refused("output 'topic' is an input", "graph 'flow'", "the value of a graph comes from its nodes")
async def an_input_as_the_output(provider):
    graph = Graph("flow")
    topic = graph.input("topic", str)
    graph.add(LLM("view", prompt="Views on {topic}"))
    graph.output(topic)
    await graph.run(provider=provider, topic="tea")


@refused("output 'view' is not a ref of graph 'flow'", "graph 'flow'", "")
async def an_id_as_the_output(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Views on tea"))
    graph.output("view")
    await graph.run(provider=provider)


@refused("the body 'step' has no input 'stat'", "loop 'refine'", "did you mean 'state'?")
async def a_misspelt_state_input(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="tea", max_iterations=2, state_input="stat")  # here
    await graph.run(provider=provider)


@refused("has no input 'itm' for the item", "map 'view'", "did you mean 'item'?")
async def a_misspelt_item_input(provider):
    graph = Graph("flow")
    graph.map(LLM("view", prompt="On {item}"), over=["tea"], item_input="itm")  # here
    await graph.run(provider=provider)


@refused("needs 'reason'", "fallback 'plain' of node 'view'", "the node's own inputs only")
async def a_fallback_that_needs_another_input(provider):
    plain = LLM("plain", prompt="Say why: {reason}")
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Views on tea", policy=Policy(fallback=plain)))  # here
    await graph.run(provider=provider)


@refused("input 'earlier' of node 'view' is not bound", "node 'view'", "bind it with earlier=...")
async def a_history_that_nothing_feeds(provider):
    await run(provider, LLM("view", prompt="And now?", history="earlier"))


@refused("input 'photos' of node 'view' is not bound", "node 'view'", "did you mean 'photo'?")
async def images_of_a_misspelt_input(provider):
    graph = Graph("flow")
    graph.input("photo", list[str])
    graph.add(LLM("view", prompt="What is this?", images="photos"))  # here
    await graph.run(provider=provider, photo=[])


@refused("input 'self' of node 'say' is not bound", "node 'say'", "the method of an object")
async def a_method_of_a_class(provider):
    class Agent:
        def say(self) -> str:
            return "tea"

    graph = Graph("flow")
    graph.function(Agent.say)  # here
    await graph.run(provider=provider)


@refused("input 'context' of node 'ask' is not bound", "node 'ask'", "annotate it as Context")
async def a_context_without_its_annotation(provider):
    async def ask(context):
        return (await context.acomplete([{"role": "user", "content": "Tea?"}])).content

    graph = Graph("flow")
    graph.function(ask)  # here
    await graph.run(provider=provider)


@refused("holds resource 'db', which has no bound", "node 'read'", "pass limits={'db': 1}")
async def a_misspelt_resource_of_the_run(provider):
    read = Function("read", lambda: "tea", policy=Policy(resources=("db",)))
    await run(provider, read, limits={"database": 1})  # here


@refused("no provider is called 'openia'", "node 'view'", "did you mean 'openai'?")
async def a_misspelt_provider_of_a_node(provider):
    from dagorch.providers import Router

    await run(Router(provider), LLM("view", prompt="Views on tea", provider="openia"))  # here


@refused("'fsat'", "node 'view'", "did you mean 'fast'?")
async def a_misspelt_provider_of_the_run(provider):
    both = {"fast": provider, "slow": ScriptedProvider(name="slow")}
    await run(both, LLM("view", prompt="Views on tea", provider="fsat"))  # here


@refused("an id must be a string that is not empty, not ' '", "' '", "not empty")
async def a_blank_id(provider):
    await run(provider, LLM(" ", prompt="Tea?"))  # here


@refused("the name of a graph must be a text that is not empty, not ''", "graph", "leave it out")
async def an_empty_name_of_a_graph(provider):
    graph = Graph("")  # here
    graph.add(LLM("view", prompt="Tea?"))
    await graph.run(provider=provider)


@refused("the name of a graph must be a text that is not empty, not 3", "graph", "leave it out")
async def a_graph_with_a_number_as_name(provider):
    graph = Graph(3)  # here
    graph.add(LLM("view", prompt="Tea?"))
    await graph.run(provider=provider)
