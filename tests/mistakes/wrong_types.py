"""Types: values that do not fit, forgotten returns, refs where values are meant."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from dagorch import LLM, Context, Graph
from dagorch.nodes import Function
from tests.mistakes.matrix import ASK, fails, refused, run


def count(text: str) -> int:
    return len(text)


def double(number: int) -> int:
    return 2 * number


def join(texts: list[str]) -> str:
    return " ".join(texts)


@refused("takes int, but 'view' gives str", "input 'number' of node 'double'", "int")
async def a_reply_where_a_number_is_wanted(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="How many?"))
    graph.function(double, number=view)  # here
    await graph.run(provider=provider)


@refused("takes list[str], but 'view' gives str", "input 'texts' of node 'join'", "list[str]")
async def one_text_where_a_list_is_wanted(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.function(join, texts=view)  # here
    await graph.run(provider=provider)


@refused("but 'numbers' gives list[int]", "input 'texts' of node 'join'", "list[str]")
async def a_list_of_other_items(provider):
    graph = Graph("flow")
    numbers = graph.input("numbers", list[int])
    graph.function(join, texts=numbers)  # here
    graph.add(LLM("view", prompt="On {join}"))
    await graph.run(provider=provider, numbers=[1])


@refused("takes int", "input 'number' of node 'double'", "'three'")
async def a_constant_of_another_type(provider):
    graph = Graph("flow")
    graph.function(double, number="three")  # here
    graph.add(LLM("view", prompt="On {double}"))
    await graph.run(provider=provider)


@refused("but 'number' at texts[1] gives int", "input 'texts' of node 'join'", "list[str]")
async def a_number_in_a_list_of_texts(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    number = graph.input("number", int)
    graph.function(join, texts=[view, number])  # here
    await graph.run(provider=provider, number=3)


@refused("but is bound to a dict of refs", "input 'texts' of node 'join'", "list[str]")
async def a_dict_where_a_list_is_wanted(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.function(join, texts={"view": view})  # here
    await graph.run(provider=provider)


@refused("a set cannot hold refs", "input 'texts' of node 'join'", "in a list, a tuple or a dict")
async def refs_in_a_set(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.function(join, texts={view})  # here
    await graph.run(provider=provider)


@refused("a ref cannot be the key of a dict", "input 'texts' of node 'join'", "only a value in it")
async def a_ref_as_a_key(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.function(join, texts={view: 1})  # here
    await graph.run(provider=provider)


@refused("a generator is empty after the first run", "node 'join'", "in a list or a dict")
async def refs_in_a_generator(provider):
    graph = Graph("flow")
    views = [graph.add(LLM(name, prompt="Tea?")) for name in "ab"]
    graph.function(join, texts=(view for view in views))  # here
    await graph.run(provider=provider)


@refused("ref 'view' has no text", "ref 'view'", "a prompt takes the value as '{view}'")
async def a_ref_in_an_f_string(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.add(LLM("report", prompt=f"Report on {view}"))  # here
    await graph.run(provider=provider)


@refused("ref 'view' has no text", "ref 'view'", "a prompt takes the value as '{view}'")
async def a_ref_in_a_joined_text(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.add(LLM("report", prompt="Report on " + str(view)))  # here
    await graph.run(provider=provider)


@refused("ref 'view' has no text", "ref 'view'", "a prompt takes the value as '{view}'")
async def a_ref_in_format(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.add(LLM("report", prompt="Report on {}".format(view)))  # here  # noqa: UP032
    await graph.run(provider=provider)


@refused("'title'", "<dagorch.Ref 'view'>", "in a function")
async def an_attribute_of_a_ref(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.add(LLM("report", prompt="On {title}"), title=view.title)  # here
    await graph.run(provider=provider)


@refused("[0]", "<dagorch.Ref 'view'>", "in a function")
async def an_item_of_a_ref(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.add(LLM("report", prompt="On {first}"), first=view[0])  # here
    await graph.run(provider=provider)


@refused("<dagorch.Ref 'view'>", "", "graph.map")
async def a_python_loop_over_a_ref(provider):
    graph = Graph("flow")
    views = graph.add(LLM("view", prompt="Tea?", output=list[str]))
    for view in views:  # here
        graph.add(LLM("report", prompt="On {view}"), view=view)
    await graph.run(provider=provider)


@refused("input 'count' takes int, not str: '3'", "graph 'flow'", "int")
async def a_text_for_a_number(provider):
    graph = Graph("flow")
    graph.input("count", int)
    graph.add(LLM("view", prompt="{count} views"))
    await graph.run(provider=provider, count="3")  # here


@refused("input 'topic' takes str, not None", "graph 'flow'", "str")
async def nothing_for_a_text(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="On {topic}"))
    await graph.run(provider=provider, topic=None)  # here


@refused("input 'topics' takes list[str], not str", "graph 'flow'", "list[str]")
async def one_text_for_a_list(provider):
    graph = Graph("flow")
    graph.input("topics", list[str])
    graph.add(LLM("view", prompt="On {topics}"))
    await graph.run(provider=provider, topics="tea")  # here


@refused("has no JSON Schema", "LLM node 'view'", "output=")
async def an_output_without_a_schema(provider):
    await run(provider, LLM("view", prompt="Tea?", output=threading.Lock))


@refused("output", "LLM node 'view'", "a type")
async def an_output_as_text(provider):
    await run(provider, LLM("view", prompt="Tea?", output="City"))


@dataclass
class City:
    name: str


@refused("output", "LLM node 'view'", "a type")
async def an_example_as_the_output(provider):
    await run(provider, LLM("view", prompt="Tea?", output=City("Paris")))


@refused("output", "LLM node 'view'", "a type")
async def a_dict_of_types_as_the_output(provider):
    await run(provider, LLM("view", prompt="Tea?", output={"name": str}))


@fails("city", "the reply to LLM node 'city' is not City", "not JSON")
async def a_model_that_does_not_reply_in_json(provider):
    await run(provider, LLM("city", prompt="A city", output=City))


@fails("count", "is annotated to return int, but returned str: '3'", "int")
async def a_text_returned_as_a_number(provider):
    def count() -> int:
        return "3"

    graph = Graph("flow")
    graph.function(count)  # here
    await graph.run(provider=provider)


@fails("facts", "is annotated to return str, but returned None: None", "str")
async def a_forgotten_return(provider):
    async def facts() -> str:
        "tea".upper()

    graph = Graph("flow")
    graph.function(facts)  # here
    graph.add(LLM("view", prompt="On {facts}"))
    await graph.run(provider=provider)


@fails("plan", "must return a Graph, not list", "expand=True")
async def an_expansion_that_is_not_a_graph(provider):
    def plan():
        return ["tea", "coffee"]

    await run(provider, Function("plan", plan, expand=True))


@fails("plan", "does not compile", "did you mean 'view'?")
async def an_expansion_with_a_mistake(provider):
    def plan():
        inner = Graph("inner")
        inner.add(LLM("view", prompt="Tea?"))
        inner.add(LLM("report", prompt="On {veiw}"))  # here
        return inner

    await run(provider, Function("plan", plan, expand=True))


@fails("plan", "has inputs without a value: topic", "bind constants, or give the inputs defaults")
async def an_expansion_with_inputs(provider):
    def plan():
        inner = Graph("inner")
        inner.input("topic", str)
        inner.add(LLM("view", prompt="On {topic}"))
        return inner

    await run(provider, Function("plan", plan, expand=True))


@refused("annotation", "node 'count'", "'Missing'")
async def an_annotation_that_does_not_exist(provider):
    def count(text: Missing) -> int:  # noqa: F821
        return len(text)

    graph = Graph("flow")
    graph.function(count)  # here
    await graph.run(provider=provider)


@fails("view", "the value of '{facts}' is None", "write '{facts?}'")
async def a_forgotten_return_without_annotation(provider):
    async def facts():
        "tea".upper()

    graph = Graph("flow")
    graph.function(facts)
    graph.add(LLM("view", prompt="On {facts}"))
    await graph.run(provider=provider)


@refused("takes int, but its default is a str: '3'", "input 'number'", "change one of them")
async def a_default_of_an_input_as_text(provider):
    graph = Graph("flow")
    graph.input("number", int, "3")  # here
    graph.add(LLM("view", prompt="Tea, {number} times"))
    await graph.run(provider=provider)


@refused("the node 'ask' itself is in it", "input 'texts' of node 'join'", "bind the ref")
async def a_node_in_a_list_of_refs(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.function(join, texts=[view, ASK])  # here
    await graph.run(provider=provider)


@refused("the node 'ask' itself is in it", "input 'parts' of node 'size'", "bind the ref")
async def a_node_in_a_dict(provider):
    graph = Graph("flow")
    graph.function(lambda parts: len(parts), id="size", parts={"tea": (ASK,)})  # here
    await graph.run(provider=provider)


@fails("bad", "no such page", "ValueError")
async def an_error_in_a_function(provider):
    async def bad(view: str) -> str:
        raise ValueError("no such page")  # here

    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.function(bad)
    await graph.run(provider=provider)


@fails("bad", "'author'", "KeyError")
async def a_missing_key_in_a_thread(provider):
    def bad(view: str) -> str:
        return {"title": view}["author"]  # here

    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.function(bad)
    await graph.run(provider=provider)


@fails("deps", "'NoneType' object has no attribute 'get'", "deps")
async def deps_that_were_not_passed(provider):
    async def deps(context: Context[dict[str, str]]) -> str:
        return context.deps.get("question")  # here

    graph = Graph("flow")
    graph.function(deps)
    await graph.run(provider=provider)


@refused("input 'number': 3 is not a type", "input 'number'", "default=")
async def a_default_in_the_place_of_a_type(provider):
    graph = Graph("flow")
    graph.input("number", 3)  # here
    graph.add(LLM("view", prompt="Tea, {number} times"))
    await graph.run(provider=provider)


@refused("output=['yes', 'no'] is not a type", "ask 'sure'", "pass a type")
async def answers_in_the_place_of_a_type(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.ask("sure", "Sure?", output=["yes", "no"])  # here
    await graph.run(provider=provider)


@refused("expand='no' must be True or False", "function node 'plan'", "True or False")
async def a_flag_of_an_expansion_by_a_word(provider):
    await run(provider, Function("plan", lambda: "tea", expand="no"))  # here
