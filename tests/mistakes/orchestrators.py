"""Orchestrators: configs, steps, handlers, branches, and the three methods of one's own."""

from __future__ import annotations

from dagorch import (
    AgentResult,
    BaseOrchestrator,
    ConditionalOrchestrator,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    IterativeOrchestrator,
    OrchestratorConfig,
    SequentialOrchestrator,
    SubTask,
)
from tests.mistakes.matrix import ONE_TRY, Own, fails, refused

STEPS = OrchestratorConfig(steps=["first", "count"], max_retries=0)


async def sequence(provider, config=STEPS, **handlers) -> object:
    steps = SequentialOrchestrator(config, provider, step_handlers=handlers)
    return await steps.execute_workflow("Tea?")


# -- configs --------------------------------------------------------------------------------------


@refused("DreamCascadeConfig has no field 'drumer_count'", "", "did you mean 'drummer_count'?")
async def a_misspelt_field_of_a_config(provider):
    DreamCascadeConfig(drumer_count=2)  # here


@refused("OrchestratorConfig has no field 'retries'", "", "max_retries")
async def a_field_of_another_library(provider):
    OrchestratorConfig(retries=2)  # here


@refused("belter_count=0 must be a whole number from 1 to 10,000", "config", "from 1")
async def no_agents_in_a_tier(provider):
    config = DreamCascadeConfig(belter_count=0)
    await DreamCascadeOrchestrator(config, provider).execute_workflow("Tea?")


@refused("camina_count='1' must be a whole number", "config", "a whole number")
async def a_count_of_agents_as_text(provider):
    config = DreamCascadeConfig(camina_count="1")
    await DreamCascadeOrchestrator(config, provider).execute_workflow("Tea?")


@refused("max_retries=-1 must be a whole number of at least 0", "config", "at least 0")
async def negative_retries(provider):
    await sequence(provider, OrchestratorConfig(steps=["count"], max_retries=-1))


@refused("timeout_seconds='300' must be a number of seconds", "config", "or None for no limit")
async def a_timeout_as_text(provider):
    await sequence(provider, OrchestratorConfig(steps=["count"], timeout_seconds="300"))


@refused("max_parallel=True must be a whole number", "config", "at least 1")
async def a_flag_as_slots(provider):
    await sequence(provider, OrchestratorConfig(steps=["count"], max_parallel=True))


@refused("enable_streaming='no' must be True or False", "config", "True or False")
async def a_flag_by_a_word(provider):
    await sequence(provider, OrchestratorConfig(steps=["count"], enable_streaming="no"))


@refused("primary_model='' must be the name of a model", "config", "or None")
async def an_empty_model(provider):
    await sequence(provider, OrchestratorConfig(steps=["count"], primary_model=""))


@refused("output_formats=['word'] must be a list of formats", "config", "markdown, html, pdf, docx")
async def an_unknown_format(provider):
    await sequence(provider, OrchestratorConfig(steps=["count"], output_formats=["word"]))


@refused("domains=['arxiv', 'arxiv'] must be a list of names, each once", "config", "each once")
async def a_domain_twice(provider):
    config = DreamSwarmConfig(domains=["arxiv", "arxiv"])
    await DreamSwarmOrchestrator(config, provider).execute_workflow("Tea?")


@refused("no source 'arxive'", "domain 'arxive'", "did you mean 'arxiv'?")
async def a_misspelt_domain(provider):
    config = DreamSwarmConfig(domains=["arxive"])
    await DreamSwarmOrchestrator(config, provider).execute_workflow("Tea?")


@refused("takes a DreamCascadeConfig, not OrchestratorConfig", "DreamCascadeOrchestrator", "pass")
async def the_config_of_another_pattern(provider):
    await DreamCascadeOrchestrator(ONE_TRY, provider).execute_workflow("Tea?")


@refused("takes a OrchestratorConfig, not dict", "SequentialOrchestrator", "pass")
async def a_dict_as_the_config(provider):
    await SequentialOrchestrator({"steps": ["count"]}, provider).execute_workflow("Tea?")


@refused("takes a OrchestratorConfig, not ScriptedProvider", "SequentialOrchestrator", "pass")
async def provider_and_config_swapped(provider):
    await SequentialOrchestrator(provider, STEPS).execute_workflow("Tea?")


@refused(
    "OrchestratorConfig, not ModelMetaclass", "SequentialOrchestrator", "OrchestratorConfig(...)"
)
async def the_class_of_a_config(provider):
    await SequentialOrchestrator(OrchestratorConfig, provider).execute_workflow("Tea?")


@refused("'gork-3'", "", "did you mean 'grok-3'")
async def a_misspelt_model(provider):
    await sequence(provider, OrchestratorConfig(steps=["count"], primary_model="gork-3"))  # here


@refused("'gork-3'", "", "did you mean 'grok-3'")
async def a_misspelt_fallback_model(provider):
    await sequence(provider, OrchestratorConfig(steps=["count"], fallback_model="gork-3"))  # here


# -- tasks, steps and handlers --------------------------------------------------------------------


@refused("the task is empty", "", "pass a text such as")
async def an_empty_task(provider):
    await SequentialOrchestrator(STEPS, provider).execute_workflow(" ")  # here


@refused("the task is None", "", "pass a text such as")
async def no_task(provider):
    await SequentialOrchestrator(STEPS, provider).execute_workflow(None)  # here


@refused("context is a str", "", "pass a dict, or None")
async def a_text_as_the_context(provider):
    await SequentialOrchestrator(STEPS, provider).execute_workflow("Tea?", "nurses")  # here


@refused("steps=None: a sequence needs at least one", "config", 'pass steps=["research"')
async def no_steps(provider):
    await sequence(provider, OrchestratorConfig())


@refused("steps=['a', 'a'] must be None, or a list of names, all different", "config", "different")
async def a_step_twice(provider):
    await sequence(provider, OrchestratorConfig(steps=["a", "a"]))


@refused("num_agents=3 must equal the number of steps, which is 1", "config", "leave it out")
async def another_number_of_agents_than_steps(provider):
    await sequence(provider, OrchestratorConfig(steps=["count"], num_agents=3))


@refused("there is no such step", "step_handlers['cuont']", "did you mean 'count'?")
async def a_handler_of_a_misspelt_step(provider):
    await sequence(provider, cuont=lambda context: 1)


@refused("step_handlers is a list", "", "pass a dict of step to function")
async def handlers_in_a_list(provider):
    SequentialOrchestrator(STEPS, provider, step_handlers=[lambda context: 1])  # here


@refused("is 'wc -w', which is not callable", "step_handlers['count']", "(step, context)")
async def a_command_as_a_handler(provider):
    await sequence(provider, count="wc -w")


@refused("which is not callable", "step_handlers['count']", "pass a function")
async def a_handler_that_was_called(provider):
    def count(context=None):
        return 1

    await sequence(provider, count=count())


@fails("count", "KeyError: 'frist'", "KeyError")
async def a_misspelt_step_in_the_results(provider):
    def count(context):
        return len(context["results"]["frist"])  # here

    await sequence(provider, count=count)


async def later():
    return 1


# -- conditions and convergence -------------------------------------------------------------------


@refused("condition= is missing", "", "pass a function of the context, or a question")
async def no_condition(provider):
    ConditionalOrchestrator(None, provider, true_branch="Yes", false_branch="No")  # here


@refused("false_branch= is missing", "", "pass a handler, an instruction for a model")
async def no_false_branch(provider):
    ConditionalOrchestrator(None, provider, condition=bool, true_branch="Yes")  # here


@refused("takes either condition=", "ConditionalOrchestrator", "or selector= and branches=")
async def a_condition_and_branches(provider):
    ConditionalOrchestrator(None, provider, condition=bool, branches={"a": "A"})


@refused("takes either condition=", "ConditionalOrchestrator", "true_branch= and false_branch=")
async def nothing_to_decide(provider):
    ConditionalOrchestrator(None, provider)


@refused("branches= is missing", "", "pass a dict of label to steps")
async def branches_in_a_list(provider):
    ConditionalOrchestrator(None, provider, selector=lambda context: "a", branches=["a"])  # here


@refused("branches= has the label 1", "", "a label is a non-empty string")
async def a_label_that_is_a_number(provider):
    ConditionalOrchestrator(None, provider, selector=lambda context: 1, branches={1: "A"})  # here


@fails("selector choose", "picked 'teaa', which is not a branch", "did you mean 'tea'")
async def a_misspelt_label(provider):
    def choose(context):
        return "teaa"

    await ConditionalOrchestrator(
        ONE_TRY, provider, selector=choose, branches={"tea": "T", "coffee": "C"}
    ).execute_workflow("Tea?")


@fails("selector choose", "picked None", "the branches are 'tea', 'coffee'")
async def a_selector_that_returns_nothing(provider):
    def choose(context):
        context["way"] = "tea"

    await ConditionalOrchestrator(
        ONE_TRY, provider, selector=choose, branches={"tea": "T", "coffee": "C"}
    ).execute_workflow("Tea?")


@fails("condition is_short", "KeyError: 'lenght'", "KeyError")
async def a_misspelt_key_of_the_context(provider):
    def is_short(context):
        return context["lenght"] < 10  # here

    await ConditionalOrchestrator(
        ONE_TRY, provider, condition=is_short, true_branch="Yes", false_branch="No"
    ).execute_workflow("Tea?", {"length": 3})


@refused("max_iterations=0", "", "a whole number from 1 to 10,000")
async def no_passes(provider):
    IterativeOrchestrator(None, provider, max_iterations=0)  # here


@refused("max_iterations='5'", "", "a whole number from 1 to 10,000")
async def passes_as_text(provider):
    IterativeOrchestrator(None, provider, max_iterations="5")  # here


@refused("convergence_fn=0.9 is not callable", "", "pass a function of the result of a pass")
async def a_threshold_as_convergence(provider):
    IterativeOrchestrator(None, provider, convergence_fn=0.9)  # here


@refused("handler= is for a pass of one step", "", "pass step_handlers=")
async def one_handler_of_several_steps(provider):
    IterativeOrchestrator(STEPS, provider, handler=lambda context: 1)  # here


@fails("passes[0]/convergence_fn is_good", "'float'", "TypeError")
async def a_convergence_function_that_raises(provider):
    def is_good(results):
        return results["content"] > 0.9  # here

    await IterativeOrchestrator(ONE_TRY, provider, convergence_fn=is_good).execute_workflow("Tea?")


# -- an orchestrator of one's own -----------------------------------------------------------------


@refused("there is no synthesize_results", "orchestrator Own", "define async def")
async def a_missing_method(provider):
    class Own(BaseOrchestrator):
        async def decompose_task(self, task, context=None):
            return []

        async def execute_subtask(self, subtask, context=None):
            return AgentResult(subtask.id, "")

    Own(None, provider)


@refused("there is no execute_subtask", "orchestrator Wrong", "define async def execute_subtask")
async def a_misspelt_method(provider):
    class Wrong(Own):
        execute_subtask = BaseOrchestrator.execute_subtask

        async def excute_subtask(self, subtask, context=None):
            return AgentResult(subtask.id, "")

    Wrong(provider)


@fails("decompose", "it is a str, not a list of SubTask", "list of SubTask")
async def a_text_as_the_plan(provider):
    class Wrong(Own):
        async def decompose_task(self, task, context=None):
            return "tea"

    await Wrong(provider).execute_workflow("Tea?")


@fails("decompose", "it is a NoneType, not a list of SubTask", "list of SubTask")
async def a_plan_that_is_not_returned(provider):
    class Wrong(Own):
        async def decompose_task(self, task, context=None):
            [SubTask("tea", task)]

    await Wrong(provider).execute_workflow("Tea?")


@fails("decompose", "it contains 'tea', which is not a SubTask", "SubTask")
async def a_plan_of_texts(provider):
    class Wrong(Own):
        async def decompose_task(self, task, context=None):
            return ["tea", "coffee"]

    await Wrong(provider).execute_workflow("Tea?")


@fails("decompose", "SubTask needs 'description'", "pass description=...")
async def a_subtask_without_a_description(provider):
    class Wrong(Own):
        async def decompose_task(self, task, context=None):
            return [SubTask("tea")]  # here

    await Wrong(provider).execute_workflow("Tea?")


@fails("decompose", "SubTask has no field 'depends_on'", "did you mean 'dependencies'?")
async def a_field_of_a_subtask_of_another_library(provider):
    class Wrong(Own):
        async def decompose_task(self, task, context=None):
            return [SubTask("tea", "Tea?", depends_on=["x"])]  # here

    await Wrong(provider).execute_workflow("Tea?")


@fails("subtasks/tea", "execute_subtask returned a str for 'tea'", "return AgentResult('tea'")
async def a_text_as_an_agent_result(provider):
    class Wrong(Own):
        async def execute_subtask(self, subtask, context=None):
            return "fine"

    await Wrong(provider).execute_workflow("Tea?")


@fails("subtasks/tea", "execute_subtask returned a NoneType", "return AgentResult('tea'")
async def an_agent_result_that_is_not_returned(provider):
    class Wrong(Own):
        async def execute_subtask(self, subtask, context=None):
            AgentResult(subtask.id, "fine")

    await Wrong(provider).execute_workflow("Tea?")


@fails("subtasks/tea", "'zzz'", "AgentResult('tea'")
async def an_agent_result_of_another_subtask(provider):
    class Wrong(Own):
        async def execute_subtask(self, subtask, context=None):
            return AgentResult("zzz", "fine")

    await Wrong(provider).execute_workflow("Tea?")


@fails("subtasks/tea", "KeyError: 'sum'", "KeyError")
async def the_result_of_a_later_subtask(provider):
    class Wrong(Own):
        async def execute_subtask(self, subtask, context=None):
            return AgentResult(subtask.id, context["results"]["sum"].content)  # here

    await Wrong(provider).execute_workflow("Tea?")


@fails("subtasks/tea", "AgentResult: status='done'", "'completed'")
async def an_unknown_status(provider):
    class Wrong(Own):
        async def execute_subtask(self, subtask, context=None):
            return AgentResult(subtask.id, "fine", status="done")  # here

    await Wrong(provider).execute_workflow("Tea?")


@fails("synthesize", "'AgentResult' object has no attribute 'result'", "AttributeError")
async def another_name_of_the_content(provider):
    class Wrong(Own):
        async def synthesize_results(self, agent_results, context=None):
            return agent_results[0].result  # here

    await Wrong(provider).execute_workflow("Tea?")


@refused("no provider", "", "pass provider=")
async def an_orchestrator_without_a_provider(provider):
    await SequentialOrchestrator(STEPS).execute_workflow("Tea?")  # here


@refused("is True, which is not callable", "condition=", "pass a function")
async def a_condition_that_was_decided(provider):
    ConditionalOrchestrator(None, provider, condition=True, true_branch="Y", false_branch="N")


@refused("stream_callback=<function", "", "a function of one")
async def a_callback_of_two(provider):
    steps = SequentialOrchestrator(STEPS, provider)
    steps.stream_callback = lambda kind, event: None
    await steps.execute_workflow("Tea?")  # here


@refused("stream_callback='print'", "one event", "a function of one")
async def a_callback_by_its_name(provider):
    steps = SequentialOrchestrator(STEPS, provider)
    steps.stream_callback = "print"
    await steps.execute_workflow("Tea?")
