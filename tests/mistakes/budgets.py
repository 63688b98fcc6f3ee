"""Budgets: ceilings of the wrong kind, ceilings without prices, calls that do not fit."""

from __future__ import annotations

from dagorch import LLM, Graph, OrchestratorConfig, Policy, SequentialOrchestrator
from dagorch.nodes import Function
from dagorch.providers import Router
from dagorch.testing import ScriptedProvider
from tests.mistakes.matrix import fails, refused, run

ASK = LLM("ask", prompt="Tea?", max_tokens=5)


@refused("max_cost='$1'", "graph 'flow'", "dollars")
async def a_ceiling_with_its_currency(provider):
    await run(provider, ASK, max_cost="$1")  # here


@refused("max_cost=-1", "graph 'flow'", "dollars of at least 0")
async def a_negative_ceiling(provider):
    await run(provider, ASK, max_cost=-1)  # here


@refused("max_cost=True", "graph 'flow'", "dollars")
async def a_flag_as_a_ceiling(provider):
    await run(provider, ASK, max_cost=True)  # here


@refused("max_cost=nan", "graph 'flow'", "dollars")
async def a_ceiling_that_is_not_a_number(provider):
    await run(provider, ASK, max_cost=float("nan"))  # here


@refused("max_tokens='1000'", "graph 'flow'", "a whole number of at least 0")
async def a_ceiling_of_tokens_as_text(provider):
    await run(provider, ASK, max_tokens="1000")  # here


@refused("max_tokens=1000.0", "graph 'flow'", "a whole number of at least 0")
async def a_ceiling_of_tokens_as_a_float(provider):
    await run(provider, ASK, max_tokens=1000.0)  # here


@refused("max_tokens=-1", "graph 'flow'", "a whole number of at least 0")
async def a_negative_ceiling_of_tokens(provider):
    await run(provider, ASK, max_tokens=-1)  # here


@refused("max_tokens=True", "graph 'flow'", "a whole number of at least 0")
async def a_flag_as_a_ceiling_of_tokens(provider):
    await run(provider, ASK, max_tokens=True)  # here


@refused("downgrade= does nothing without a ceiling", "graph 'flow'", "max_cost or max_tokens")
async def a_cheaper_model_without_a_ceiling(provider):
    await run(provider, ASK, downgrade="small")  # here


@refused("'gork-3'", "downgrade", "did you mean 'grok-3'")
async def a_misspelt_cheaper_model(provider):
    await run(Router(provider), ASK, downgrade="gork-3", max_cost=1)  # here


@refused("downgrade=3", "graph 'flow'", "a mapping of models")
async def a_cheaper_model_as_a_number(provider):
    await run(provider, ASK, downgrade=3, max_cost=1)  # here


@refused("on_budget='finnish'", "graph 'flow'", "neither 'stop' nor 'finish'")
async def a_misspelt_end_of_the_budget(provider):
    await run(provider, ASK, max_cost=1, on_budget="finnish")  # here


@refused("on_budget", "graph 'flow'", "max_cost or max_tokens")
async def an_end_of_the_budget_without_a_ceiling(provider):
    await run(provider, ASK, on_budget="finish")  # here


@refused("reserve='yes'", "", "True or False")
async def a_reserve_by_a_word(provider):
    node = LLM("ask", prompt="Tea?", max_tokens=5, policy=Policy(reserve="yes"))  # here
    await run(provider, node, max_cost=1)


@refused("reserve= would do nothing", "function 'tea'", "LLM")
async def a_reserve_of_a_function(provider):
    await run(provider, ASK, Function("tea", lambda: "tea", policy=Policy(reserve=True)))


class Unpriced(ScriptedProvider):
    def worst_case_usd(self, request):
        return None


@refused("price", "node 'ask'", "max_cost")
async def a_ceiling_without_a_price(provider):
    await run(Unpriced("tea"), ASK, max_cost=1)


@fails("ask", "could cost up to $140", "raise max_cost or lower the node's max_tokens")
async def a_ceiling_below_the_first_call(provider):
    await run(ScriptedProvider("tea", price_per_token=1), ASK, max_cost=0.0001)  # here


@fails("ask", "could use up to 140 tokens", "raise it or lower the node's max_tokens")
async def a_ceiling_of_tokens_below_the_first_call(provider):
    await run(provider, ASK, max_tokens=10)  # here


@fails("second", "could cost up to $5.140", "raise max_cost or lower the node's max_tokens")
async def a_ceiling_below_the_second_call(provider):
    graph = Graph("flow")
    first = graph.add(LLM("first", prompt="Tea?", max_tokens=5))
    graph.add(LLM("second", prompt="On {first}", max_tokens=5_000), first=first)
    provider = ScriptedProvider("tea", price_per_token=0.001)
    await graph.run(provider=provider, max_cost=1)  # here


@refused("max_cost='1.00' must be an amount of dollars of at least 0", "config", "or None")
async def a_ceiling_of_a_config_as_text(provider):
    config = OrchestratorConfig(steps=["count"], max_cost="1.00")
    await SequentialOrchestrator(config, provider).execute_workflow("x")


@refused("max_cost=-1 must be an amount of dollars of at least 0", "config", "or None")
async def a_negative_ceiling_of_a_config(provider):
    config = OrchestratorConfig(steps=["count"], max_cost=-1)
    await SequentialOrchestrator(config, provider).execute_workflow("x")


@refused("max_tokens=True must be a whole number", "config", "or None for no ceiling")
async def a_flag_as_a_ceiling_of_a_config(provider):
    config = OrchestratorConfig(steps=["count"], max_tokens=True)
    await SequentialOrchestrator(config, provider).execute_workflow("x")


@refused("downgrade does nothing without a ceiling", "config", "set max_cost or max_tokens")
async def a_cheaper_model_of_a_config_without_a_ceiling(provider):
    config = OrchestratorConfig(steps=["count"], downgrade="small")
    await SequentialOrchestrator(config, provider).execute_workflow("x")


@refused("max_cost='1.00'", "graph 'flow'", "pass dollars as a number: max_cost=1.00")
async def a_ceiling_as_text(provider):
    await run(provider, ASK, max_cost="1.00")  # here


@refused("downgrade=''", "graph 'flow'", "a model")
async def an_empty_cheaper_model(provider):
    await run(provider, LLM("view", prompt="Tea?"), max_cost=1, downgrade="")
