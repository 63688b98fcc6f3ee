"""Options of a run: misspelt, of the wrong kind, out of range."""

from __future__ import annotations

from dagorch import LLM, Graph, Policy
from dagorch.nodes import Function
from tests.mistakes.matrix import ASK, refused, run


@refused("'max_paralel'", "graph 'flow'", "did you mean 'max_parallel'?")
async def a_misspelt_option(provider):
    await run(provider, ASK, max_paralel=4)  # here


@refused("'timeout'", "graph 'flow'", "did you mean 'timeout_seconds'?")
async def an_option_without_its_unit(provider):
    await run(provider, ASK, timeout=30)  # here


@refused("'max_workers'", "graph 'flow'", "run() has no option")
async def an_option_of_another_library(provider):
    await run(provider, ASK, max_workers=4)  # here


@refused("max_parallel=0", "graph 'flow'", "a whole number of at least 1")
async def no_slots(provider):
    await run(provider, ASK, max_parallel=0)  # here


@refused("max_parallel='4'", "graph 'flow'", "a whole number of at least 1")
async def slots_as_text(provider):
    await run(provider, ASK, max_parallel="4")  # here


@refused("max_parallel=True", "graph 'flow'", "a whole number of at least 1")
async def a_flag_as_slots(provider):
    await run(provider, ASK, max_parallel=True)  # here


@refused("max_parallel=None", "graph 'flow'", "a whole number of at least 1")
async def slots_without_a_bound(provider):
    await run(provider, ASK, max_parallel=None)  # here


@refused("timeout_seconds=-1", "graph 'flow'", "leave it out for no limit")
async def a_negative_timeout(provider):
    await run(provider, ASK, timeout_seconds=-1)  # here


@refused("timeout_seconds='30'", "graph 'flow'", "leave it out for no limit")
async def a_timeout_as_text(provider):
    await run(provider, ASK, timeout_seconds="30")  # here


@refused("timeout_seconds=nan", "graph 'flow'", "leave it out for no limit")
async def a_timeout_that_is_not_a_number(provider):
    await run(provider, ASK, timeout_seconds=float("nan"))  # here


@refused("max_node_runs=0", "graph 'flow'", "a whole number of at least 1")
async def no_node_runs(provider):
    await run(provider, ASK, max_node_runs=0)  # here


@refused("max_node_runs=1", "graph 'flow'", "the graph's own 2 nodes")
async def fewer_node_runs_than_nodes(provider):
    await run(provider, ASK, LLM("more", prompt="Coffee?"), max_node_runs=1)  # here


@refused("drain_seconds=-1", "graph 'flow'", "at least 0")
async def a_negative_time_to_drain(provider):
    await run(provider, ASK, drain_seconds=-1)  # here


@refused("drain_seconds='5'", "graph 'flow'", "at least 0")
async def a_time_to_drain_as_text(provider):
    await run(provider, ASK, drain_seconds="5")  # here


@refused("retain='output'", "graph 'flow'", "'all' nor 'outputs'")
async def a_misspelt_retain(provider):
    await run(provider, ASK, retain="output")  # here


@refused("seed='lucky'", "graph 'flow'", "a whole number")
async def a_seed_by_a_word(provider):
    await run(provider, ASK, seed="lucky")  # here


@refused("seed=0.5", "graph 'flow'", "a whole number")
async def a_seed_of_a_half(provider):
    await run(provider, ASK, seed=0.5)  # here


@refused("on_event: 'print'", "graph 'flow'", "pass a function of one")
async def a_listener_by_its_name(provider):
    await run(provider, ASK, on_event="print")  # here


@refused("on_event: <list_iterator", "graph 'flow'", "pass a function of one")
async def an_iterator_of_listeners(provider):
    await run(provider, ASK, on_event=iter([print]))  # here


@refused("on_event: 3 cannot be called with an event", "graph 'flow'", "pass a function of one")
async def a_number_among_the_listeners(provider):
    await run(provider, ASK, on_event=[3])  # here


@refused("limits=['db'] is not a mapping", "graph 'flow'", "of resource to bound")
async def limits_as_a_list(provider):
    await run(provider, ASK, limits=["db"])  # here


@refused("limits['db']=0", "graph 'flow'", "a whole number of at least 1")
async def a_limit_of_none(provider):
    read = Function("read", lambda: "tea", policy=Policy(resources=("db",)))
    await run(provider, read, limits={"db": 0})  # here


@refused("limits['db']='2'", "graph 'flow'", "a whole number of at least 1")
async def a_limit_as_text(provider):
    read = Function("read", lambda: "tea", policy=Policy(resources=("db",)))
    await run(provider, read, limits={"db": "2"})  # here


@refused("holds resource 'db', which has no bound", "node 'read'", "pass limits={'db': 1}")
async def a_resource_without_a_limit(provider):
    await run(provider, Function("read", lambda: "tea", policy=Policy(resources=("db",))))


@refused("run(<ScriptedProvider", "graph 'flow'", "by keyword, or as one mapping")
async def the_provider_by_position(provider):
    graph = Graph("flow")
    graph.add(ASK)
    await graph.run(provider)  # here


@refused("run('tea')", "graph 'flow'", "by keyword, or as one mapping")
async def an_input_by_position(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="On {topic}"))
    await graph.run("tea", provider=provider)  # here


@refused("input 'topic' is passed beside the mapping of inputs", "graph 'flow'", "put it in it")
async def an_input_twice(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="On {topic}"))
    await graph.run({"topic": "tea"}, topic="coffee", provider=provider)  # here


@refused("the graph has no input 1", "graph 'flow'", "input 'topic' is missing")
async def an_input_by_a_number(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="On {topic}"))
    await graph.run({1: "tea"}, provider=provider)  # here


@refused("'topc'", "graph 'flow'", "did you mean 'topic'?")
async def a_misspelt_input_in_a_mapping(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="On {topic}"))
    await graph.run({"topc": "tea"}, provider=provider)  # here


@refused("'max_paralel'", "graph 'flow'", "did you mean 'max_parallel'?")
async def a_misspelt_option_beside_a_mapping(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    graph.add(LLM("view", prompt="On {topic}"))
    await graph.run({"topic": "tea"}, provider=provider, max_paralel=2)  # here
