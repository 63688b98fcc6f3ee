"""Calls and reads: a function's calls through its context, results, lists of messages."""

from __future__ import annotations

from dagorch import LLM, Context, Graph
from dagorch.providers import Router
from tests.mistakes.matrix import fails, refused

TEA = [{"role": "user", "content": "Tea?"}]


def flow(function) -> Graph:
    graph = Graph("flow")
    first = graph.add(LLM("first", prompt="Coffee?"))
    graph.function(function, id="ask", after=first)
    return graph


@fails("ask", "messages is a str", '[{"role": "user", "content": "..."}]')
async def a_text_as_messages(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete("Tea?")).content  # here

    await flow(ask).run(provider=provider)


@fails("ask", "complete() has no option 'max_token'", "did you mean 'max_tokens'?")
async def a_misspelt_option(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete(TEA, max_token=5)).content  # here

    await flow(ask).run(provider=provider)


@fails("ask", "has role 'usr'", "did you mean 'user'?")
async def a_misspelt_role(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete([{"role": "usr", "content": "Tea?"}])).content  # here

    await flow(ask).run(provider=provider)


@fails("ask", "no provider is known for model 'claud:grok-3'", "write it as 'provider:model'")
async def a_misspelt_model(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete(TEA, model="claud:grok-3")).content  # here

    await flow(ask).run(provider=Router(provider))


@fails("ask", "no provider", "pass run(..., provider=...)")
async def a_call_without_a_provider(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete(TEA)).content  # here

    graph = Graph("flow")
    graph.function(ask)
    await graph.run()


@fails("ask", "'LLMResponse' object has no attribute 'text'", "AttributeError")
async def another_name_of_the_text_of_a_reply(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete(TEA)).text  # here

    await flow(ask).run(provider=provider)


@fails("ask", "returned LLMResponse", "annotated to return str")
async def a_reply_in_place_of_its_text(provider):
    async def ask(context: Context) -> str:
        return await context.acomplete(TEA)

    await flow(ask).run(provider=provider)


@fails("ask", "'Context' object has no attribute 'dep'", "AttributeError")
async def a_misspelt_attribute_of_the_context(provider):
    async def ask(context: Context) -> str:
        return context.dep["question"]  # here

    await flow(ask).run(provider=provider, deps={"question": "Tea?"})


@fails("ask", "'Context' object is not callable", "TypeError")
async def a_context_that_is_called(provider):
    async def ask(context: Context) -> str:
        return (await context(TEA)).content  # here

    await flow(ask).run(provider=provider)


@fails("ask", "'question'", "KeyError")
async def a_missing_key_of_deps(provider):
    async def ask(context: Context) -> str:
        return context.deps["question"]  # here

    await flow(ask).run(provider=provider, deps={})


@fails("ask", "max_tokens='5'", "a whole number of at least 1")
async def a_bound_of_the_reply_as_text(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete(TEA, max_tokens="5")).content  # here

    await flow(ask).run(provider=provider)


@fails("ask", "run_sync was called where an event loop runs", "use 'await graph.run(...)'")
async def run_sync_in_an_async_node(provider):
    inner = Graph("inner")
    inner.add(LLM("view", prompt="Tea?"))

    async def ask() -> str:
        return inner.run_sync(provider=provider).output  # here

    await flow(ask).run(provider=provider)


@refused("tools contains a builtin_function_or_method", "", "pass ToolSpec objects")
async def a_function_as_a_tool_of_a_call(provider):
    await provider.acomplete(TEA, tools=[len])  # here


@refused("content", "messages[0]", "text or a list")
async def a_number_as_content(provider):
    await provider.acomplete([{"role": "user", "content": 3}])  # here


@refused("image_url", "messages[0].content[0]", "https: or data: URL")
async def a_path_as_an_image(provider):
    part = {"type": "image_url", "image_url": {"url": "tea.png"}}
    await provider.acomplete([{"role": "user", "content": [part]}])  # here


@refused("has the role 'tool' but no 'tool_call_id'", "messages[0]", "tool_call_id")
async def an_answer_of_a_tool_without_its_call(provider):
    await provider.acomplete([{"role": "tool", "content": "fine"}])  # here


@refused("messages[0] is a str", "", "pass a dict or a Message")
async def a_list_of_texts_as_messages(provider):
    await provider.acomplete(["Tea?"])  # here


@refused("stop", "", "texts")
async def a_stop_that_is_not_text(provider):
    await provider.acomplete(TEA, stop=[3])  # here


@fails("ask", "temperature='low'", "a number of at least 0")
async def a_temperature_of_a_call_by_a_word(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete(TEA, temperature="low")).content  # here

    await flow(ask).run(provider=provider)


@fails("ask", "max_tokens=True must be a whole number", "at least 1")
async def a_flag_as_the_bound_of_a_call(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete(TEA, max_tokens=True)).content  # here

    await flow(ask).run(provider=provider)


@fails("ask", "stop contains ''", "texts that are not empty")
async def an_empty_stop_of_a_call(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete(TEA, stop=[""])).content  # here

    await flow(ask).run(provider=provider)


@fails("ask", "model=['grok-3'] must be a name", "as text")
async def a_list_of_models_of_a_call(provider):
    async def ask(context: Context) -> str:
        return (await context.acomplete(TEA, model=["grok-3"])).content  # here

    await flow(ask).run(provider=provider)
