"""Templates: braces, expressions and prompts of the wrong kind."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO, TextIOWrapper

from dagorch import LLM, Graph, OrchestratorConfig, SequentialOrchestrator
from dagorch.models.llm import LLMResponse, Message, ToolCall
from dagorch.providers.scripted import ScriptedProvider
from tests.mistakes.matrix import ASK, fails, refused, run, step_graph


@refused("'{}' is not an input", "LLM node 'view'", "an input has a name, as in '{topic}'")
async def empty_braces(provider):
    await run(provider, LLM("view", prompt="On {}"))  # here


@refused("'{0}' is not an input", "LLM node 'view'", "inputs have names, not numbers")
async def a_number_in_braces(provider):
    await run(provider, LLM("view", prompt="On {0}"))  # here


@refused("'{docs[0]}' is not an input", "line 1, column 4", "write '{docs}'")
async def an_index_in_a_template(provider):
    await run(provider, LLM("view", prompt="On {docs[0]}"))  # here


@refused("'{topic!r}' is not an input", "LLM node 'view'", "without directives; write '{topic}'")
async def a_conversion_in_a_template(provider):
    await run(provider, LLM("view", prompt="On {topic!r}"))  # here


@refused("'{price:.2f}' is not an input", "LLM node 'view'", "write '{price}'")
async def a_format_in_a_template(provider):
    await run(provider, LLM("view", prompt="It costs {price:.2f}"))  # here


@refused("'{ topic }' is not an input", "LLM node 'view'", "write '{topic}'")
async def spaces_in_braces(provider):
    await run(provider, LLM("view", prompt="On { topic }"))  # here


@refused("'{my-topic}' is not an input", "LLM node 'view'", "only '{name}' is")
async def a_hyphen_in_a_name(provider):
    await run(provider, LLM("view", prompt="On {my-topic}"))  # here


@refused("'{len(topic)}' is not an input", "LLM node 'view'", "only '{name}' is")
async def a_call_in_a_template(provider):
    await run(provider, LLM("view", prompt="On {len(topic)}"))  # here


@refused("is opened but never closed", "line 2, column 4", "a literal brace is written '{{'")
async def a_brace_that_is_not_closed(provider):
    await run(provider, LLM("view", prompt="Views\non {topic"))  # here


@refused("closes nothing", "line 1, column 9", "'}}'")
async def a_brace_that_closes_nothing(provider):
    await run(provider, LLM("view", prompt="On topic}"))  # here


@refused("is not an input", "LLM node 'view'", "a literal brace is written '{{'")
async def json_in_a_prompt(provider):
    await run(provider, LLM("view", prompt='Reply like {"tea": true}'))  # here


@refused("'{}' is not an input", "LLM node 'view'", "an input has a name")
async def a_mistake_in_the_system_prompt(provider):
    await run(provider, LLM("view", prompt="Tea?", system="You are {}"))  # here


@refused("'{}' is not an input", "LLM node 'view'", "an input has a name")
async def a_mistake_in_a_message(provider):
    await run(provider, LLM("view", messages=[Message("user", "On {}")]))  # here


@refused("'{}' is not an input", "ask 'sure'", "an input has a name")
async def a_mistake_in_a_question(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.ask("sure", "Delete {}?")  # here
    await graph.run(provider=provider)


@refused("needs either a prompt or messages", "LLM node 'view'", "and not both")
async def no_prompt(provider):
    await run(provider, LLM("view"))  # here


@refused("needs either a prompt or messages", "LLM node 'view'", "and not both")
async def a_prompt_and_messages(provider):
    turns = [{"role": "user", "content": "Tea?"}]
    await run(provider, LLM("view", prompt="Tea?", messages=turns))  # here


@refused("a template is text, not bytes", "LLM node 'view'", "text")
async def a_prompt_of_bytes(provider):
    await run(provider, LLM("view", prompt=b"Tea?"))  # here


@refused("a template is text, not list", "LLM node 'view'", "text")
async def a_prompt_of_several_texts(provider):
    await run(provider, LLM("view", prompt=["Tea?", "Or coffee?"]))  # here


@refused("messages='Tea?'", "LLM node 'view'", "a list of values")
async def messages_as_text(provider):
    await run(provider, LLM("view", messages="Tea?"))  # here


@refused("message 0 is {'content': 'Tea?'}", "LLM node 'view'", "'role' and 'content'")
async def a_message_without_a_role(provider):
    await run(provider, LLM("view", messages=[{"content": "Tea?"}]))  # here


@refused("'usr'", "LLM node 'view'", "did you mean 'user'?")
async def a_misspelt_role(provider):
    await run(provider, LLM("view", messages=[{"role": "usr", "content": "Tea?"}]))  # here


@dataclass
class Doc:
    title: object


class Teapot:
    def title(self) -> str:
        return "Tea"


ONE_NODE = step_graph()


@refused("'titel'", "node 'view'", "did you mean 'title'?")
async def a_misspelt_field_of_a_dataclass(provider):
    graph = Graph("flow")
    graph.input("doc", Doc)
    graph.add(LLM("view", prompt="On {doc.titel}"))  # here
    await graph.run(provider=provider, doc=Doc("Tea"))


@refused("'title'", "node 'view'", "str")
async def a_field_of_a_text(provider):
    graph = Graph("flow")
    graph.input("doc", str)
    graph.add(LLM("view", prompt="On {doc.title}"))  # here
    await graph.run(provider=provider, doc="Tea")


@fails("view", "'titel'", "did you mean 'title'?")
async def a_misspelt_key_of_a_dict(provider):
    graph = Graph("flow")
    graph.input("doc")
    graph.add(LLM("view", prompt="On {doc.titel}"))
    await graph.run(provider=provider, doc={"title": "Tea"})


@fails("view", "the value of '{facts}' is None", "write '{facts?}'")
async def nothing_in_a_prompt(provider):
    graph = Graph("flow")
    graph.input("facts")
    graph.add(LLM("view", prompt="On {facts}"))
    await graph.run(provider=provider, facts=None)


@fails("view", "the value of '{facts}' is a Graph without a text", "pass text, data, or an object")
async def a_graph_in_a_prompt(provider):
    graph = Graph("flow")
    graph.function(lambda: ONE_NODE, id="facts")
    graph.add(LLM("view", prompt="On {facts}"))
    await graph.run(provider=provider)


@fails(
    "view", "'{facts}' is a list that holds a LLM without a text", "pass text, data, or an object"
)
async def a_node_among_the_values_of_a_prompt(provider):
    graph = Graph("flow")
    graph.function(lambda: [ASK], id="facts")
    graph.add(LLM("view", prompt="On {facts}"))
    await graph.run(provider=provider)


@fails("view", "'{service}' is a ScriptedProvider without a text", "pass text, data, or an object")
async def a_provider_in_a_prompt(provider):
    graph = Graph("flow")
    graph.input("service")
    graph.add(LLM("view", prompt="Ask {service}"))
    await graph.run(provider=provider, service=provider)


@fails("view", "'{doc}' is a type without a text", "pass text, data, or an object")
async def a_class_in_a_prompt(provider):
    graph = Graph("flow")
    graph.input("doc")
    graph.add(LLM("view", prompt="On {doc}"))
    await graph.run(provider=provider, doc=Doc)


@fails("view", "'{doc.title}' is a method without a text", "pass text, data, or an object")
async def a_method_without_its_call_in_a_prompt(provider):
    graph = Graph("flow")
    graph.input("doc")
    graph.add(LLM("view", prompt="On {doc.title}"))
    await graph.run(provider=provider, doc={"title": Teapot().title})


@fails(
    "view",
    "'{doc}' is a Doc that holds a function without a text",
    "pass text, data, or an object",
)
async def a_function_in_a_dataclass_in_a_prompt(provider):
    graph = Graph("flow")
    graph.input("doc")
    graph.add(LLM("view", prompt="On {doc}"))
    await graph.run(provider=provider, doc=Doc(lambda: "Tea"))


@fails("view", "'{lines}' is a generator without a text", "pass text, data, or an object")
async def a_generator_in_a_prompt(provider):
    graph = Graph("flow")
    graph.function(lambda: (line for line in ["Tea"]), id="lines")
    graph.add(LLM("view", prompt="On {lines}"))
    await graph.run(provider=provider)


@fails("view", "'{pot}' is a Teapot without a text", "an object with a __str__ of its own")
async def an_object_without_a_text_in_a_prompt(provider):
    graph = Graph("flow")
    graph.input("pot")
    graph.add(LLM("view", prompt="On {pot}"))
    await graph.run(provider=provider, pot=Teapot())


@fails("view", "'{page}' is a TextIOWrapper without a text", "pass text, data, or an object")
async def an_open_file_in_a_prompt(provider):
    graph = Graph("flow")
    graph.input("page")
    graph.add(LLM("view", prompt="On {page}"))
    await graph.run(provider=provider, page=TextIOWrapper(BytesIO(b"Tea")))


@fails(
    "second",
    "the result of 'first' is a builtin_function_or_method without a text",
    "pass text, data, or an object",
)
async def a_step_that_returns_a_function(provider):
    handlers = {"first": lambda step, context: "tea".upper}
    config = OrchestratorConfig(steps=["first", "second"], max_retries=0)
    await SequentialOrchestrator(config, provider, step_handlers=handlers).execute_workflow("Tea?")


@fails(
    "view/rounds[0]/tools[0]/tool",
    "tool 'pot' returned a Teapot without a text",
    "return text, data, or an object",
)
async def a_tool_that_returns_a_bare_object(provider):
    def pot() -> object:
        return Teapot()

    asks = LLMResponse("", "m", tool_calls=(ToolCall("1", "pot", "{}"),))
    await run(ScriptedProvider([asks, "done"]), LLM("view", prompt="Tea?", tools=[pot]))


@fails("view", "history of LLM node 'view': messages='Tea?'", "a list of values")
async def a_text_as_history(provider):
    graph = Graph("flow")
    graph.input("earlier")
    graph.add(LLM("view", prompt="And now?", history="earlier"))
    await graph.run(provider=provider, earlier="Tea?")


@fails("view", "images of LLM node 'view'", "must be one value or a list of values")
async def a_number_as_images(provider):
    graph = Graph("flow")
    graph.input("photos")
    graph.add(LLM("view", prompt="What is this?", images="photos"))
    await graph.run(provider=provider, photos=3)


@fails("view", "images of LLM node 'view'", "3 is not the URL of an image, as text")
async def a_number_among_images(provider):
    graph = Graph("flow")
    graph.input("photos")
    graph.add(LLM("view", prompt="What is this?", images="photos"))
    await graph.run(provider=provider, photos=[3])


@refused("max_tokens=0 must be a whole number", "LLM node 'view'", "at least 1")
async def a_reply_of_no_tokens(provider):
    await run(provider, LLM("view", prompt="Tea?", max_tokens=0))  # here


@refused("max_tokens='100'", "LLM node 'view'", "a whole number of at least 1")
async def a_bound_of_the_reply_as_text(provider):
    await run(provider, LLM("view", prompt="Tea?", max_tokens="100"))  # here


@refused("temperature='low'", "LLM node 'view'", "a number")
async def a_temperature_by_a_word(provider):
    await run(provider, LLM("view", prompt="Tea?", temperature="low"))  # here


@refused("model=3 must be a name", "LLM node 'view'", "as text")
async def a_model_as_a_number(provider):
    await run(provider, LLM("view", prompt="Tea?", model=3))  # here


@refused("stop", "LLM node 'view'", "texts")
async def a_stop_that_is_not_text(provider):
    await run(provider, LLM("view", prompt="Tea?", stop=[3]))  # here


@refused("extra", "LLM node 'view'", "a dict")
async def extra_as_text(provider):
    await run(provider, LLM("view", prompt="Tea?", extra="top_p=0.9"))  # here


@refused("max_tool_rounds=0 must be a whole number", "LLM node 'view'", "at least 1")
async def no_rounds_of_tools(provider):
    await run(provider, LLM("view", prompt="Tea?", max_tool_rounds=0))  # here


@refused("temperature=nan", "LLM node 'view'", "a number of at least 0")
async def a_temperature_that_is_no_number(provider):
    await run(provider, LLM("view", prompt="Tea?", temperature=float("nan")))  # here


@refused("temperature=-1", "LLM node 'view'", "a number of at least 0")
async def a_negative_temperature(provider):
    await run(provider, LLM("view", prompt="Tea?", temperature=-1))  # here


@refused("temperature=True", "LLM node 'view'", "a number of at least 0")
async def a_flag_as_temperature(provider):
    await run(provider, LLM("view", prompt="Tea?", temperature=True))  # here


@refused("stop=('',)", "LLM node 'view'", "texts that are not empty")
async def an_empty_stop(provider):
    await run(provider, LLM("view", prompt="Tea?", stop=""))  # here


@refused("model=None must be a name", "LLM node 'view'", "leave it out")
async def none_as_a_model(provider):
    await run(provider, LLM("view", prompt="Tea?", model=None))  # here
