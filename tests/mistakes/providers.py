"""Providers: missing, of the wrong kind, misspelt models, keys, replies that are no replies."""

from __future__ import annotations

import os
from unittest import mock

import dagorch.providers
from dagorch import LLM, Graph, ProviderFactory
from dagorch.providers import Limits, Router
from dagorch.testing import ScriptedProvider
from tests.mistakes.matrix import ASK, fails, refused, run


def without_keys(**keys: str):
    """The environment of somebody who has set these variables alone."""
    kept = {"PATH", "HOME", "TMPDIR"}
    return mock.patch.dict(
        os.environ, {**{k: v for k, v in os.environ.items() if k in kept}, **keys}, clear=True
    )


@refused("no provider", "node 'ask'", "pass run(..., provider=...)")
async def no_provider(provider):
    await run(None, ASK)


@refused("no provider is named 'mine'", "node 'ask'", "pass run(..., provider=...)")
async def a_default_provider_that_the_run_does_not_have(provider):
    graph = Graph("flow", provider="mine")
    graph.add(LLM("ask", prompt="Tea?"))
    await graph.run()


@refused("the provider is the class ScriptedProvider", "provider", "pass an instance")
async def a_class_as_the_provider(provider):
    await run(ScriptedProvider, ASK)


class Silent:
    def reply(self, prompt):
        return "tea"


@refused("Silent", "", "complete")
async def a_provider_without_a_method(provider):
    await run(Silent(), ASK)  # here


@refused("the text 'openai' is not a provider", "", "ProviderFactory.get_provider(...)")
async def the_name_of_a_provider(provider):
    await run("openai", ASK)  # here


@refused("the function 'get_provider' is not a provider", "", "pass what it returns")
async def a_function_that_makes_providers(provider):
    await run(ProviderFactory.get_provider, ASK)  # here


@refused("module", "", "complete")
async def a_module_as_the_provider(provider):
    await run(dagorch.providers, ASK)  # here


@refused("a list is not a provider", "", "{name: provider}")
async def a_list_of_providers(provider):
    await run([provider, provider], ASK)  # here


@refused("no provider", "node 'ask'", "pass run(..., provider=...)")
async def a_mapping_without_providers(provider):
    await run({}, ASK)


@refused("the text 'openai' is not a provider", "fast: ", "ProviderFactory.get_provider(...)")
async def the_name_of_a_provider_in_a_mapping(provider):
    await run({"fast": "openai"}, ASK)  # here


@refused("no provider is named 'openai'", "node 'view'", "scripted")
async def another_provider_than_the_one_of_the_run(provider):
    await run(provider, LLM("view", prompt="Tea?", provider="openai"))


@refused("no provider is called 'opnai'", "", "did you mean 'openai'?")
async def a_misspelt_service(provider):
    await run(ProviderFactory.get_provider("opnai"), ASK)  # here


@refused("openai: no API key", "", "set OPENAI_API_KEY, or pass api_key=...")
async def a_missing_key(provider):
    with without_keys():
        await run(ProviderFactory.get_provider("openai"), ASK)  # here


@refused("xai: no API key", "", "set XAI_API_KEY")
async def a_misspelt_variable_of_a_key(provider):
    with without_keys(XAI_KEY="xai-1"):
        await run(ProviderFactory.get_provider("xai"), ASK)  # here


@refused("openai: no API key", "", "set OPENAI_API_KEY")
async def an_empty_key(provider):
    with without_keys(OPENAI_API_KEY=" "):
        await run(ProviderFactory.get_provider("openai"), ASK)  # here


@refused("belongs to anthropic", "node 'ask'", "ANTHROPIC_API_KEY")
async def a_model_of_a_service_without_a_key(provider):
    with without_keys():
        await run(Router(), LLM("ask", prompt="Tea?", model="claude-3.5"))


@refused("'gork-3'", "node 'ask'", "did you mean 'grok-3'")
async def a_misspelt_model(provider):
    await run(Router(provider), LLM("ask", prompt="Tea?", model="gork-3"))


@refused("'cloude-3.5'", "node 'ask'", "did you mean 'claude-3.5'")
async def a_misspelt_model_of_a_service(provider):
    with without_keys():
        await run(Router(), LLM("ask", prompt="Tea?", model="cloude-3.5"))


@refused("'opnai:gpt-4'", "node 'ask'", "did you mean 'openai:gpt-4'")
async def a_misspelt_service_before_a_model(provider):
    await run(Router(provider), LLM("ask", prompt="Tea?", model="opnai:gpt-4"))


@refused("no provider: a call that names no model", "node 'ask'", "pass provider=...")
async def a_router_without_a_default(provider):
    await run(Router(), ASK)


@refused("'smalll'", "node 'ask'", "did you mean 'small'")
async def a_misspelt_model_of_a_mapping(provider):
    await run({"small": provider}, LLM("ask", prompt="Tea?", model="smalll"))


@refused("base_url", "'api.example.com/v1'", "https://")
async def an_address_without_a_scheme(provider):
    await run(ProviderFactory.get_provider("vllm", base_url="api.example.com/v1"), ASK)  # here


@refused("max_concurrency is 0", "", "at least 1, or None")
async def a_provider_of_no_concurrency(provider):
    await run(ScriptedProvider(max_concurrency=0), ASK)  # here


@refused("max_concurrency is '4'", "", "a whole number of at least 1")
async def a_concurrency_as_text(provider):
    await run(ScriptedProvider(max_concurrency="4"), ASK)  # here


@refused("requests=0", "", "a whole number of at least 1, or None for no limit")
async def a_limit_of_no_requests(provider):
    await run(ScriptedProvider(limits=Limits(requests=0)), ASK)  # here


@refused("tokens='200k'", "", "a whole number of at least 1")
async def a_limit_as_text(provider):
    await run(ScriptedProvider(limits=Limits(tokens="200k")), ASK)  # here


@refused("window_seconds=0", "", "a number of seconds above 0")
async def a_window_of_no_time(provider):
    await run(ScriptedProvider(limits=Limits(requests=1, window_seconds=0)), ASK)  # here


@refused("limits is a dict", "", "pass Limits(...)")
async def a_dict_as_limits(provider):
    await run(ScriptedProvider(limits={"requests": 500}), ASK)  # here


@refused("the price of 'gpt-4' is 30", "", "pass (input, output)")
async def one_price_of_a_model(provider):
    openai = ProviderFactory.get_provider("openai", api_key="sk-1", prices={"gpt-4": 30})  # here
    await run(openai, ASK)


@refused("unknown model 'gpt-4'", "local", "the path of a .gguf file")
async def another_model_of_the_local_provider(provider):
    await run(ProviderFactory.get_provider("local", model="gpt-4"), ASK)  # here


@refused("providers= cannot be combined with a Router", "", "pass them to the Router")
async def more_providers_beside_a_router(provider):
    from dagorch import OrchestratorConfig, SequentialOrchestrator

    config = OrchestratorConfig(steps=["count"])
    router, more = Router(provider), {"fast": provider}
    await SequentialOrchestrator(config, router, providers=more).execute_workflow("x")  # here


class Wrong:
    """A provider of the user's that replies with something else than text."""

    def __init__(self, reply):
        self._reply = reply

    def complete(self, messages):
        return self._reply


async def orchestrated(provider):
    from dagorch import OrchestratorConfig, SequentialOrchestrator

    config = OrchestratorConfig(steps=["count"], max_retries=0)
    await SequentialOrchestrator(config, provider).execute_workflow("x")


@fails("count", "complete() returned a NoneType", "return text, or a dict")
async def a_provider_that_returns_nothing(provider):
    await orchestrated(Wrong(None))


@fails("count", "complete() returned a int", "return text, or a dict")
async def a_provider_that_returns_a_number(provider):
    await orchestrated(Wrong(3))


@fails("count", "complete() returned a dict with keys ['text']", "whose content is text")
async def a_provider_that_returns_text_under_another_key(provider):
    await orchestrated(Wrong({"text": "tea"}))


@fails("ask", "the script has 1 replies, and all are used", "add one for: 'Tea?'")
async def a_script_that_is_too_short(provider):
    await run(ScriptedProvider(["tea"]), LLM("first", prompt="Say tea"), ASK, max_parallel=1)


@fails("ask", "the script has no reply for 'Tea?'", "it has replies for: 'Coffee'")
async def a_script_without_the_reply(provider):
    await run(ScriptedProvider({"Coffee": "yes"}), ASK)


@fails("ask", "the script's reply is a int", "use text, a mapping, an LLMResponse or an exception")
async def a_script_of_numbers(provider):
    await run(ScriptedProvider([3]), ASK)


@refused("messages is a str", "", '[{"role": "user", "content": "..."}]')
async def a_text_as_messages(provider):
    await provider.acomplete("Tea?")  # here


@refused("has no 'role'", "messages[0]", "set it to one of")
async def a_message_without_a_role(provider):
    await provider.acomplete([{"content": "Tea?"}])  # here


@refused("has role 'usr'", "messages[0]", "did you mean 'user'?")
async def a_misspelt_role(provider):
    await provider.acomplete([{"role": "usr", "content": "Tea?"}])  # here


@refused("unknown key 'contnt'", "messages[0]", "did you mean 'content'?")
async def a_misspelt_key_of_a_message(provider):
    await provider.acomplete([{"role": "user", "contnt": "Tea?"}])  # here


@refused("complete() has no option 'max_token'", "", "did you mean 'max_tokens'?")
async def a_misspelt_option_of_a_call(provider):
    await provider.acomplete([{"role": "user", "content": "Tea?"}], max_token=5)  # here


@refused("max_tokens=0", "", "a whole number of at least 1")
async def a_reply_of_no_tokens(provider):
    await provider.acomplete([{"role": "user", "content": "Tea?"}], max_tokens=0)  # here


@refused("messages is empty", "", "pass at least one")
async def no_messages(provider):
    await provider.acomplete([])  # here
