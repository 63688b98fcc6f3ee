"""Containers: what a map runs over, the bounds of loops, bodies and tools, and questions."""

from __future__ import annotations

from dagorch import LLM, Graph
from dagorch.nodes import Loop, Map
from tests.mistakes.matrix import fails, refused, run, step_graph

VIEW = LLM("view", prompt="On {item}")


@refused("over='topics' is text", "map 'view'", "pass a ref, or a list of texts")
async def a_map_over_the_name_of_a_node(provider):
    graph = Graph("flow")
    graph.add(LLM("topics", prompt="Topics?", output=list[str]))
    graph.map(VIEW, over="topics")  # here
    await graph.run(provider=provider)


@refused("map 'view' runs over 'topics', which gives str", "map 'view'", "not a sequence")
async def a_map_over_a_reply(provider):
    graph = Graph("flow")
    topics = graph.add(LLM("topics", prompt="Topics?"))
    graph.map(VIEW, over=topics)  # here
    await graph.run(provider=provider)


@refused("which gives dict[str, int]", "map 'view'", "not a sequence")
async def a_map_over_a_dict(provider):
    graph = Graph("flow")
    counts = graph.input("counts", dict[str, int])
    graph.map(VIEW, over=counts)  # here
    await graph.run(provider=provider, counts={"tea": 1})


@refused("but 'count' gives int", "map 'view'", "sequence")
async def a_map_over_a_number(provider):
    graph = Graph("flow")
    count = graph.input("count", int)
    graph.map(VIEW, over=count)  # here
    await graph.run(provider=provider, count=3)


@refused("over=3 is not a sequence", "map 'view'", "a sequence")
async def a_map_over_a_constant_number(provider):
    graph = Graph("flow")
    graph.map(VIEW, over=3)  # here
    await graph.run(provider=provider)


@refused("over=None is not a sequence", "map 'view'", "a sequence")
async def a_map_over_nothing(provider):
    graph = Graph("flow")
    graph.map(VIEW, over=None)  # here
    await graph.run(provider=provider)


@refused("a generator is empty after the first run", "node 'view'", "in a list or a dict")
async def a_map_over_a_generator(provider):
    graph = Graph("flow")
    graph.map(VIEW, over=(topic for topic in ["tea"]))  # here
    await graph.run(provider=provider)


@fails("view", "runs over 'tea', which is text", "pass a ref, or a list of texts")
async def a_map_over_a_text_of_a_run(provider):
    graph = Graph("flow")
    topics = graph.input("topics")
    graph.map(VIEW, over=topics)
    await graph.run(provider=provider, topics="tea")


@fails(
    "view", "runs over {'tea': 1}, which is a mapping", "pass a list of its keys, values or items"
)
async def a_map_over_a_dict_of_a_run(provider):
    graph = Graph("flow")
    topics = graph.input("topics")
    graph.map(VIEW, over=topics)
    await graph.run(provider=provider, topics={"tea": 1})


@fails("view", "runs over 3, which is not a sequence", "a sequence")
async def a_map_over_a_number_of_a_run(provider):
    graph = Graph("flow")
    topics = graph.input("topics")
    graph.map(VIEW, over=topics)
    await graph.run(provider=provider, topics=3)


@fails("view", "runs over None, which is not a sequence", "a sequence")
async def a_map_over_nothing_of_a_run(provider):
    graph = Graph("flow")
    topics = graph.function(lambda: None, id="topics")
    graph.map(VIEW, over=topics)
    await graph.run(provider=provider)


@refused("needs a sequence of int", "map 'double'", "list[str]")
async def a_map_over_items_of_another_type(provider):
    from dagorch.nodes import Function

    def double(item: int) -> int:
        return 2 * item

    graph = Graph("flow")
    topics = graph.input("topics", list[str])
    graph.map(Function("double", double), over=topics)  # here
    graph.add(LLM("view", prompt="On {double}"))
    await graph.run(provider=provider, topics=["tea"])


@refused("has no input 'item' for the item", "map 'plain'", "declare one with graph.input(...)")
async def a_body_without_an_input(provider):
    graph = Graph("flow")
    graph.map(LLM("plain", prompt="Tea?"), over=["tea"])  # here
    await graph.run(provider=provider)


@refused("over", "BuilderMethods.map()", "'over'")
async def a_map_without_items(provider):
    graph = Graph("flow")
    graph.map(VIEW)  # here
    await graph.run(provider=provider)


@refused("max_parallel=0", "map 'view'", "a whole number of at least 1")
async def no_items_in_flight(provider):
    graph = Graph("flow")
    graph.map(VIEW, over=["tea"], max_parallel=0)  # here
    await graph.run(provider=provider)


@refused("max_parallel=True", "map 'view'", "a whole number of at least 1")
async def a_flag_as_items_in_flight(provider):
    graph = Graph("flow")
    graph.map(VIEW, over=["tea"], max_parallel=True)  # here
    await graph.run(provider=provider)


@refused("on_item_error='ignore'", "map 'view'", "'fail', 'skip' or 'collect'")
async def another_word_for_failed_items(provider):
    graph = Graph("flow")
    graph.map(VIEW, over=["tea"], on_item_error="ignore")  # here
    await graph.run(provider=provider)


@refused("input 'tone' of node 'view' is not bound", "node 'view'", "bind it with tone=...")
async def another_input_of_a_body(provider):
    graph = Graph("flow")
    graph.map(LLM("view", prompt="On {item} in {tone}"), over=["tea"])  # here
    await graph.run(provider=provider)


@refused("max_iterations=0 must be a whole number", "loop 'refine'", "at least 1")
async def a_loop_of_no_passes(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="", max_iterations=0)  # here
    await graph.run(provider=provider)


@refused("max_iterations='3'", "loop 'refine'", "a whole number of at least 1")
async def passes_as_text(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="", max_iterations="3")  # here
    await graph.run(provider=provider)


@refused("max_iterations=2.5", "loop 'refine'", "a whole number of at least 1")
async def half_a_pass(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="", max_iterations=2.5)  # here
    await graph.run(provider=provider)


@refused("input 'state' of node 'refine' is not bound", "node 'refine'", "bind it with state=...")
async def a_loop_without_a_first_state(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), max_iterations=2)  # here
    await graph.run(provider=provider)


@refused("the body gives str, but its state 'state' is int", "loop 'refine'", "the same")
async def a_pass_that_changes_the_type_of_the_state(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(int), state=1, max_iterations=2)  # here
    await graph.run(provider=provider)


@refused("until='good' is not callable", "loop 'refine'", "not callable")
async def until_by_a_word(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="", max_iterations=2, until="good")  # here
    await graph.run(provider=provider)


@fails("refine", "'str' object has no attribute 'score'", "AttributeError")
async def until_that_reads_a_missing_field(provider):
    graph = Graph("flow")
    until = lambda state: state.score > 8  # here  # noqa: E731
    graph.loop("refine", step_graph(), state="", max_iterations=2, until=until)
    await graph.run(provider=provider)


@refused("body", "loop 'refine'", "graph")
async def a_function_as_the_body_of_a_loop(provider):
    graph = Graph("flow")
    graph.loop("refine", lambda state: state, state="", max_iterations=2)  # here
    await graph.run(provider=provider)


@refused("body", "loop 'refine'", "graph")
async def a_node_as_the_body_of_a_loop(provider):
    graph = Graph("flow")
    graph.add(Loop("refine", LLM("improve", prompt="Improve {state}"), 2), state="")  # here
    await graph.run(provider=provider)


@refused("body", "map 'view'", "graph")
async def a_node_as_the_body_of_a_map_node(provider):
    graph = Graph("flow")
    graph.add(Map("view", VIEW), item=["tea"])  # here
    await graph.run(provider=provider)


@refused("body", "subgraph 'tea'", "graph")
async def a_function_as_a_subgraph(provider):
    graph = Graph("flow")
    graph.subgraph(lambda: "tea", id="tea")  # here
    await graph.run(provider=provider)


@refused("input 'topic' of node 'inner' is not bound", "node 'inner'", "bind it with topic=...")
async def a_subgraph_without_its_input(provider):
    inner = Graph("inner")
    inner.input("topic", str)
    inner.add(LLM("view", prompt="On {topic}"))
    graph = Graph("flow")
    graph.subgraph(inner)  # here
    await graph.run(provider=provider)


@refused("node 'inner' has no input 'topc'", "node 'inner'", "did you mean 'topic'?")
async def a_misspelt_input_of_a_subgraph(provider):
    inner = Graph("inner")
    inner.input("topic", str, "tea")
    inner.add(LLM("view", prompt="On {topic}"))
    graph = Graph("flow")
    graph.subgraph(inner, topc="coffee")  # here
    await graph.run(provider=provider)


@refused("tool", "node 'plan'", "callable")
async def a_tool_by_its_name(provider):
    await run(provider, LLM("plan", prompt="Plan", tools=["weather"]))


def weather(city: str) -> str:
    """Tell the weather."""
    return f"fine in {city}"


@refused("two of its tools have the same name", "LLM node 'plan'", "name")
async def one_tool_twice(provider):
    await run(provider, LLM("plan", prompt="Plan", tools=[weather, weather]))


@refused("'place' of type Place has no JSON Schema", "node 'plan'", "tool 'visit'")
async def a_tool_with_a_parameter_of_no_schema(provider):
    class Place:
        pass

    def visit(place: Place) -> str:
        return "fine"

    visit.__annotations__["place"] = Place
    await run(provider, LLM("plan", prompt="Plan", tools=[visit]))


@refused("no question 'shure' is waiting", "'shure'", "did you mean 'sure'?")
async def an_answer_to_a_misspelt_question(provider):
    graph = Graph("flow")
    graph.ask("sure", "Sure?", output=bool)
    async with graph.start(provider=provider) as handle:
        while not handle.questions:
            await checkpoint()
        handle.answer("shure", True)  # here


@refused("wants bool, not str: 'yes'", "question 'sure'", "bool")
async def an_answer_of_another_type(provider):
    graph = Graph("flow")
    graph.ask("sure", "Sure?", output=bool)
    async with graph.start(provider=provider) as handle:
        while not handle.questions:
            await checkpoint()
        handle.answer("sure", "yes")  # here


async def checkpoint() -> None:
    import anyio

    await anyio.lowlevel.checkpoint()


@fails("view[0]/view", "ZeroDivisionError", "division")
async def a_map_of_which_every_item_fails(provider):
    def broken(item: int) -> int:
        return 1 // (item - item)  # here

    from dagorch.nodes import Function

    graph = Graph("flow")
    graph.map(Function("view", broken), over=[1, 2, 3], max_parallel=1)
    await graph.run(provider=provider)


@refused("item_input=3 must be the name", "map 'view'", "as text")
async def a_number_as_the_input_of_a_map(provider):
    graph = Graph("flow")
    graph.map(LLM("view", prompt="On {item}"), over=["tea"], item_input=3)  # here
    await graph.run(provider=provider)


@refused("item_input=['item'] must be the name", "map 'view'", "as text")
async def a_list_as_the_input_of_a_map(provider):
    graph = Graph("flow")
    graph.map(LLM("view", prompt="On {item}"), over=["tea"], item_input=["item"])  # here
    await graph.run(provider=provider)


@refused("state_input=['state'] must be the name", "loop 'improve'", "as text")
async def a_list_as_the_input_of_a_loop(provider):
    graph = Graph("flow")
    body = step_graph()
    graph.loop("improve", body, max_iterations=2, state_input=["state"], state="tea")  # here
    await graph.run(provider=provider)


@refused("tolerate_failures='no' must be True or False", "merge 'both'", "True or False")
async def a_flag_of_a_merge_by_a_word(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.merge("both", [view], tolerate_failures="no")  # here
    await graph.run(provider=provider)


@refused("is a set, which has no order", "merge 'both'", "pass a list")
async def a_set_of_sources_of_a_merge(provider):
    graph = Graph("flow")
    views = {graph.add(LLM(id, prompt="Tea?")) for id in ("one", "two")}
    graph.merge("both", views)  # here
    await graph.run(provider=provider)
