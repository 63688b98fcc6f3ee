"""Policies: retries, timeouts and fallbacks of the wrong kind, or where they do nothing."""

from __future__ import annotations

from dagorch import LLM, Graph, Policy, Retry
from dagorch.nodes import Function
from tests.mistakes.matrix import refused, run, step_graph


def tea() -> str:
    return "tea"


@refused("retry=True", "", "a Retry, or a number of attempts")
async def a_flag_as_retry(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=True)))  # here


@refused("retry={'attempts': 3}", "", "a Retry, or a number of attempts")
async def a_dict_as_retry(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry={"attempts": 3})))  # here


@refused("is not a Policy", "llm 'view'", "pass policy=Policy(...)")
async def a_retry_as_the_policy(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Retry(attempts=3)))  # here


@refused("is not a Policy", "llm 'view'", "pass policy=Policy(...)")
async def a_dict_as_the_policy(provider):
    await run(provider, LLM("view", prompt="Tea?", policy={"retry": 3}))  # here


@refused("no option 'retry'", "LLM", "policy")
async def a_retry_as_an_option_of_the_node(provider):
    await run(provider, LLM("view", prompt="Tea?", retry=Retry(attempts=3)))  # here


@refused("no option 'timeout_seconds'", "LLM", "policy")
async def a_timeout_as_an_option_of_the_node(provider):
    await run(provider, LLM("view", prompt="Tea?", timeout_seconds=30))  # here


@refused("attempts=0", "", "a whole number of at least 1")
async def no_attempts(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=Retry(attempts=0))))  # here


@refused("attempts='3'", "", "a whole number of at least 1")
async def attempts_as_text(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=Retry("3"))))  # here


@refused("attempts=2.5", "", "a whole number of at least 1")
async def half_an_attempt(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=Retry(2.5))))  # here


@refused("base_delay_seconds=-1", "", "a finite number of at least 0")
async def a_negative_delay(provider):
    retry = Retry(base_delay_seconds=-1)  # here
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=retry)))


@refused("base_delay_seconds='1s'", "", "number")
async def a_delay_as_text(provider):
    retry = Retry(base_delay_seconds="1s")  # here
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=retry)))


@refused("max_delay_seconds=inf", "", "a finite number of at least 0")
async def a_delay_without_end(provider):
    retry = Retry(max_delay_seconds=float("inf"))  # here
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=retry)))


@refused("on=(ValueError(),)", "", "must be an exception class, or several")
async def an_error_to_retry_on_as_an_object(provider):
    retry = Retry(on=(ValueError(),))  # here
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=retry)))


@refused("on='ValueError'", "", "must be one value or a list of values")
async def an_error_to_retry_on_by_name(provider):
    retry = Retry(on="ValueError")  # here
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=retry)))


@refused("on=<function a_function_to_retry_on", "", "must be one value or a list of values")
async def a_function_to_retry_on(provider):
    retry = Retry(on=lambda error: True)  # here
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(retry=retry)))


@refused("timeout_seconds=-1", "", "leave it out for no limit")
async def a_negative_timeout(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(timeout_seconds=-1)))  # here


@refused("timeout_seconds=0", "", "leave it out for no limit")
async def a_timeout_of_zero(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(timeout_seconds=0)))  # here


@refused("timeout_seconds='30'", "", "a number of seconds above 0")
async def a_timeout_as_text(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(timeout_seconds="30")))  # here


@refused("attempt_timeout_seconds=inf", "", "leave it out for no limit")
async def a_timeout_without_end(provider):
    policy = Policy(attempt_timeout_seconds=float("inf"))  # here
    await run(provider, LLM("view", prompt="Tea?", policy=policy))


@refused("timeout_seconds=True", "", "a number of seconds above 0")
async def a_flag_as_a_timeout(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(timeout_seconds=True)))  # here


@refused("on_error='ignore' must be 'fail' or 'continue'", "", "use fallback=")
async def on_error_by_another_word(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(on_error="ignore")))  # here


@refused("on_error='continue' has no effect with a fallback", "", "leave one of them out")
async def a_fallback_beside_continue(provider):
    policy = Policy(on_error="continue", fallback="none")  # here
    await run(provider, LLM("view", prompt="Tea?", policy=policy))


@refused("fallback=tea is a function", "", "pass Function('tea', tea)")
async def a_function_as_a_fallback(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(fallback=tea)))  # here


@refused("fallback=", "<dagorch.Ref 'tea'>", "node")
async def a_ref_as_a_fallback(provider):
    graph = Graph("flow")
    ref = graph.function(tea)
    graph.add(LLM("view", prompt="Tea?", policy=Policy(fallback=ref)))  # here
    await graph.run(provider=provider)


@refused("fallback_models", "3", "names")
async def a_fallback_model_as_a_number(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(fallback_models=[3])))  # here


@refused("fallback_models= would do nothing", "function 'tea'", "Context")
async def fallback_models_of_a_function_without_calls(provider):
    await run(provider, Function("tea", tea, policy=Policy(fallback_models=("small",))))


@refused("hedge_after='p50'", "", "'p95' or a number of seconds")
async def another_percentile(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(hedge_after="p50")))  # here


@refused("hedge_after=0", "", "a number of seconds above 0")
async def a_hedge_at_once(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(hedge_after=0)))  # here


@refused("hedge_after= would do nothing", "function 'tea'", "set it on LLM nodes")
async def a_hedge_of_a_function(provider):
    await run(provider, Function("tea", tea, policy=Policy(hedge_after=3)))


@refused("priority='high'", "", "a whole number")
async def a_priority_by_a_word(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(priority="high")))  # here


@refused("resources=(3,)", "", "a name or a list of names")
async def a_resource_as_a_number(provider):
    policy = Policy(resources=(3,))  # here
    await run(provider, Function("tea", tea, policy=policy), limits={"db": 1})


@refused("keep='yes'", "", "True or False")
async def keep_by_a_word(provider):
    await run(provider, Function("tea", tea, policy=Policy(keep="yes")))  # here


@refused("version=3", "", "text")
async def a_version_as_a_number(provider):
    await run(provider, Function("tea", tea, policy=Policy(version=3)))  # here


@refused("retry= would do nothing", "branch 'way'", "set it on the nodes inside")
async def a_retry_of_a_branch(provider):
    graph = Graph("flow")
    graph.branch("way", lambda: True, policy=Policy(retry=Retry()))  # here
    await graph.run(provider=provider)


@refused("retry= would do nothing", "loop 'refine'", "set it on the nodes inside")
async def a_retry_of_a_loop(provider):
    graph = Graph("flow")
    policy = Policy(retry=Retry())
    graph.loop("refine", step_graph(), state="", max_iterations=2, policy=policy)  # here
    await graph.run(provider=provider)


@refused("timeout_seconds= would do nothing", "merge 'all'", "takes no time")
async def a_timeout_of_a_merge(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.merge("all", [view], policy=Policy(timeout_seconds=3))  # here
    await graph.run(provider=provider)


@refused("priority= would do nothing", "ask 'sure'", "waits for no slot")
async def a_priority_of_a_question(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.ask("sure", "Sure?", policy=Policy(priority=3))  # here
    await graph.run(provider=provider)


@refused("attempt_timeout_seconds= would do nothing", "map 'view'", "set it on the nodes inside")
async def an_attempt_timeout_of_a_map(provider):
    graph = Graph("flow")
    policy = Policy(attempt_timeout_seconds=3)
    graph.map(LLM("view", prompt="On {item}"), over=["tea"], policy=policy)  # here
    await graph.run(provider=provider)


@refused("fallback=", "LLM", "instance")
async def a_class_as_a_fallback(provider):
    await run(provider, LLM("view", prompt="Tea?", policy=Policy(fallback=LLM)))  # here


@refused("is a set, which has no order", "fallback_models", "pass a list")
async def a_set_of_fallback_models(provider):
    policy = Policy(fallback_models={"grok-3", "gpt-4"})  # here
    await run(provider, LLM("view", prompt="Tea?", policy=policy))


@refused("is empty after its first use", "fallback", "pass a list")
async def an_iterator_as_a_fallback(provider):
    policy = Policy(fallback=iter(["tea"]))  # here
    await run(provider, LLM("view", prompt="Tea?", policy=policy))


@refused("fallback=len is a function", "fallback", "Function('len', len)")
async def a_builtin_function_as_a_fallback(provider):
    policy = Policy(fallback=len)  # here
    await run(provider, LLM("view", prompt="Tea?", policy=policy))
