"""Order: cycles, nodes that wait for themselves, values of another graph, joins that never fire."""

from __future__ import annotations

from dagorch import LLM, Graph, SubTask
from tests.mistakes.matrix import Own, fails, refused, step_graph


@refused("a -> b -> a form a cycle", "graph 'flow'", "graph.loop(...)")
async def a_cycle_of_values(provider):
    graph = Graph("flow")
    graph.add(LLM("a", prompt="On {b}"))  # here
    graph.add(LLM("b", prompt="On {a}"))
    await graph.run(provider=provider)


@refused("input 'draft' of node 'draft' is not bound", "node 'draft'", "bind it with draft=...")
async def a_node_that_reads_itself(provider):
    graph = Graph("flow")
    graph.add(LLM("draft", prompt="Improve {draft}"))  # here
    await graph.run(provider=provider)


@refused("reads 'view' of graph 'other'", "node 'report'", "declare graph.input('view')")
async def a_ref_of_another_graph(provider):
    other = Graph("other")
    view = other.add(LLM("view", prompt="Tea?"))
    graph = Graph("flow")
    graph.add(LLM("report", prompt="On {text}"), text=view)  # here
    await graph.run(provider=provider)


@refused("reads 'view' of graph 'other'", "node 'report'", "a graph sees its own nodes")
async def after_a_node_of_another_graph(provider):
    other = Graph("other")
    view = other.add(LLM("view", prompt="Tea?"))
    graph = Graph("flow")
    graph.add(LLM("report", prompt="Report"), after=view)  # here
    await graph.run(provider=provider)


@refused("reads 'view' of graph 'other'", "node 'all'", "a graph sees its own nodes")
async def a_merge_of_nodes_of_another_graph(provider):
    other = Graph("other")
    view = other.add(LLM("view", prompt="Tea?"))
    graph = Graph("flow")
    own = graph.add(LLM("own", prompt="Tea?"))
    graph.merge("all", [own, view])  # here
    await graph.run(provider=provider)


@refused("reads 'topic' of graph 'flow'", "node 'improve'", "declare graph.input('topic')")
async def a_ref_of_the_outer_graph_in_a_body(provider):
    graph = Graph("flow")
    topic = graph.input("topic", str)
    step = Graph("step")
    step.input("state", str)
    step.add(LLM("improve", prompt="Improve {state} on {topic}"), topic=topic)  # here
    graph.loop("refine", step, state="", max_iterations=2)
    await graph.run(provider=provider, topic="tea")


@refused("input 'topic' of node 'improve' is not bound", "node 'improve'", "bind it with topic=")
async def an_input_of_the_outer_graph_by_name_in_a_body(provider):
    graph = Graph("flow")
    graph.input("topic", str)
    step = Graph("step")
    step.input("state", str)
    step.add(LLM("improve", prompt="Improve {state} on {topic}"))  # here
    graph.loop("refine", step, state="", max_iterations=2)
    await graph.run(provider=provider, topic="tea")


@refused("comes after 'topic', which is an input", "node 'view'", "only nodes have an order")
async def a_node_after_an_input(provider):
    graph = Graph("flow")
    topic = graph.input("topic", str)
    graph.add(LLM("view", prompt="Tea?"), after=topic)  # here
    await graph.run(provider=provider, topic="tea")


@refused("waits for 3 of 2 sources, so it can never fire", "merge 'vote'", "of 2 sources")
async def a_quorum_of_more_than_there_are(provider):
    graph = Graph("flow")
    views = [graph.add(LLM(f"view{n}", prompt="Tea?")) for n in range(2)]
    graph.merge("vote", views, wait=3)  # here
    await graph.run(provider=provider)


@refused("joins nothing, so it can never fire", "merge 'all'", "pass sources")
async def a_merge_of_nothing(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.merge("all", [])  # here
    await graph.run(provider=provider)


@refused("contains itself", "graph 'flow'", "a body cannot hold its own graph")
async def a_graph_in_itself(provider):
    graph = Graph("flow")
    graph.input("state", str)
    graph.add(LLM("view", prompt="On {state}"))
    graph.loop("again", graph, max_iterations=2)
    await graph.run(provider=provider, state="tea")


@refused("has no nodes", "graph 'flow'", "")
async def a_graph_without_nodes(provider):
    await Graph("flow").run(provider=provider)


@refused(
    "after=3 is not a ref",
    "llm 'log'",
    "pass what graph.add(...) or the decorated function returned",
)
async def a_number_in_after(provider):
    graph = Graph("flow")
    graph.add(LLM("log", prompt="Say done"), after=3)  # here
    await graph.run(provider=provider)


@refused(
    "after=None is not a ref",
    "llm 'log'",
    "pass what graph.add(...) or the decorated function returned",
)
async def a_missing_ref_in_after(provider):
    graph = Graph("flow")
    graph.add(LLM("log", prompt="Say done"), after=[None])  # here
    await graph.run(provider=provider)


@refused(
    "after=LLM(id='view'",
    "llm 'log'",
    "pass what graph.add(...) or the decorated function returned",
)
async def a_node_in_place_of_its_ref(provider):
    view = LLM("view", prompt="Tea?")
    graph = Graph("flow")
    graph.add(view)
    graph.add(LLM("log", prompt="Say done"), after=[view])  # here
    await graph.run(provider=provider)


@refused("sources has 'view', which is not a ref", "merge 'all'", "pass refs: [a, b]")
async def a_merge_of_a_text(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.merge("all", "view")  # here
    await graph.run(provider=provider)


@refused("sources={'view': <dagorch.Ref 'view'>}", "merge 'all'", "a list of values")
async def a_merge_of_a_dict(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.merge("all", {"view": view})  # here
    await graph.run(provider=provider)


@refused("wait='both'", "merge 'all'", "'all', 'any' or a number of at least 1")
async def a_quorum_by_a_word(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.merge("all", [view], wait="both")  # here
    await graph.run(provider=provider)


@refused("wait=0", "merge 'all'", "'all', 'any' or a number of at least 1")
async def a_quorum_of_none(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.merge("all", [view], wait=0)  # here
    await graph.run(provider=provider)


@refused("tolerate_failures goes with wait='all'", "merge 'all'", "a quorum tolerates them anyway")
async def a_tolerant_quorum(provider):
    graph = Graph("flow")
    view = graph.add(LLM("view", prompt="Tea?"))
    graph.merge("all", [view], wait="any", tolerate_failures=True)  # here
    await graph.run(provider=provider)


@refused("labels=('yes', 'no', 'yes') has a label twice", "branch 'way'", "labels=")
async def a_label_twice(provider):
    graph = Graph("flow")
    graph.branch("way", lambda: "yes", ["yes", "no", "yes"])  # here
    await graph.run(provider=provider)


@refused("labels=() must be strings, at least one", "branch 'way'", "labels=")
async def a_branch_without_labels(provider):
    graph = Graph("flow")
    graph.branch("way", lambda: "yes", [])  # here
    await graph.run(provider=provider)


@refused("labels=(True, False) must be strings", "branch 'way'", "labels=")
async def labels_that_are_not_texts(provider):
    graph = Graph("flow")
    graph.branch("way", lambda: True, [True, False])  # here
    await graph.run(provider=provider)


@refused("has no bound", "loop 'refine'", "pass max_iterations=")
async def a_loop_without_a_bound(provider):
    graph = Graph("flow")
    graph.loop("refine", step_graph(), state="", until=lambda state: len(state) > 10)  # here
    await graph.run(provider=provider)


@fails("way", "picked None", "its labels are 'small', 'big'")
async def a_selector_that_returns_nothing(provider):
    def size(view):
        view.upper()

    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    way = graph.branch("way", size, ["small", "big"])
    graph.add(LLM("go", prompt="Go"), after=way["small"])
    await graph.run(provider=provider)


@fails("way", "picked []", "its labels are 'small', 'big'")
async def a_selector_that_picks_none(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.branch("way", lambda view: [], ["small", "big"])
    await graph.run(provider=provider)


@fails("way", "picked True", "its labels are 'small', 'big'")
async def a_selector_that_returns_a_bool(provider):
    graph = Graph("flow")
    graph.add(LLM("view", prompt="Tea?"))
    graph.branch("way", lambda view: len(view) < 100, ["small", "big"])
    await graph.run(provider=provider)


@refused("to test with 'if'", "<dagorch.Ref 'way'>", "graph.branch")
async def a_condition_on_a_ref_while_building(provider):
    graph = Graph("flow")
    way = graph.add(LLM("way", prompt="Tea?"))
    if way:  # here
        graph.add(LLM("go", prompt="Go"))
    await graph.run(provider=provider)


@fails("decompose", "'tae'", "did you mean 'tea'?")
async def a_subtask_after_an_unknown_one(provider):
    plan = [SubTask("tea", "Tea?"), SubTask("sum", "Sum up", dependencies=["tae"])]
    await Own(provider, plan).execute_workflow("Tea?")


@fails("decompose", "a -> b -> a", "cycle")
async def subtasks_in_a_circle(provider):
    plan = [SubTask("a", "A", dependencies=["b"]), SubTask("b", "B", dependencies=["a"])]
    await Own(provider, plan).execute_workflow("Tea?")


@fails("decompose", "a -> a form a cycle", "cycle")
async def a_subtask_after_itself(provider):
    await Own(provider, [SubTask("a", "A", dependencies=["a"])]).execute_workflow("Tea?")


@fails("decompose", "SubTask: id=''", "pass a text such as 'researcher'")
async def a_subtask_without_an_id(provider):
    class Wrong(Own):
        async def decompose_task(self, task, context=None):
            return [SubTask("", task)]  # here

    await Wrong(provider).execute_workflow("Tea?")


@fails("decompose", "two subtasks have the id 'a'", "id")
async def two_subtasks_of_one_id(provider):
    await Own(provider, [SubTask("a", "A"), SubTask("a", "B")]).execute_workflow("Tea?")


@fails("decompose", "the plan has no subtasks", "return at least one")
async def a_plan_of_nothing(provider):
    await Own(provider, []).execute_workflow("Tea?")


@refused("node", "node 'report'", "ref")
async def a_node_in_place_of_its_value(provider):
    view = LLM("view", prompt="Tea?")
    graph = Graph("flow")
    graph.add(view)
    graph.add(LLM("report", prompt="On {text}"), text=view)  # here
    await graph.run(provider=provider)
