"""The drawing of a graph and of a run."""

from __future__ import annotations

import pytest

from dagorch import LLM, DefinitionError, Graph, Policy
from dagorch.exporters.pictures.drawing import Drawing
from dagorch.exporters.pictures.unroll import MAX_SHOWN_ITEMS, draw
from dagorch.models.llm import LLMResponse, ToolCall
from dagorch.models.result import Result
from dagorch.nodes.function import Function
from dagorch.providers import ScriptedProvider
from tests.unit.exporters.graphs import everything, fan, nested


async def run(graph: Graph) -> Result:
    return await graph.run(question="why", provider=ScriptedProvider("fine words"))


def arrows(drawing: Drawing) -> set[tuple[str, str]]:
    return {(arrow.source, arrow.target) for arrow in drawing.arrows}


def test_before_a_run_each_body_is_drawn_once_in_its_cluster() -> None:
    drawing = draw(everything())
    assert {id: (s.kind, s.title, s.details, s.dashed) for id, s in drawing.clusters.items()} == {
        "view": ("map", "map view", ("for each item of angles",), False),
        "refine": ("loop", "loop refine", ("at most 3 passes",), False),
        "plan": ("function", "expansion plan", (), False),
    }
    assert drawing.boxes["view/view"].cluster == "view"
    assert drawing.boxes["view/view"].details == ("LLM · grok-3-mini",)
    assert drawing.boxes["plan/…"].kind == "placeholder"
    assert drawing.boxes["flaky[fallback]/steady"].dashed
    assert all(box.end is None for box in drawing.boxes.values())
    assert drawing.details == ("takes question",)


def test_arrows_show_labels_fallbacks_and_loops() -> None:
    drawing = draw(everything())
    labelled = {
        (a.source, a.target): (a.label, a.dashed, a.back) for a in drawing.arrows if a.label
    }
    assert labelled == {
        ("pick", "refine"): ("deep", False, False),
        ("pick", "brief"): ("short", False, False),
        ("flaky", "flaky[fallback]/steady"): ("on failure", True, False),
        ("refine", "refine"): ("again", True, True),
    }


def test_an_arrow_into_a_cluster_ends_at_its_entries() -> None:
    drawing = draw(everything())
    assert drawing.entries("refine") == ["refine/critic"]
    assert drawing.exits("refine") == ["refine/writer"]
    assert drawing.entries("plan") == ["plan/"]
    assert drawing.exits("plan") == ["plan/…"]


async def test_after_a_run_passes_items_and_expansions_are_drawn_as_they_ran() -> None:
    graph = everything()
    drawing = draw(graph, await run(graph))
    assert {"refine[0]", "refine[1]", "refine[2]"} <= drawing.clusters.keys()
    assert drawing.clusters["refine[1]"].parent == "refine"
    assert drawing.boxes["refine[2]/writer"].cluster == "refine[2]"
    assert {("refine[0]", "refine[1]"), ("refine[1]", "refine[2]")} <= arrows(drawing)
    assert drawing.entries("refine") == ["refine[0]/critic"]
    assert drawing.exits("refine") == ["refine[2]/writer"]
    items = [box for box in drawing.boxes.values() if box.cluster == "view"]
    assert [box.title for box in items] == [
        *(f"view [{i}]" for i in range(MAX_SHOWN_ITEMS)),
        "… 4 more items",
    ]
    assert items[-1].details == ("4 completed",)
    assert {("plan/", "plan/one"), ("plan/one", "plan/two")} <= arrows(drawing)
    assert drawing.exits("plan") == ["plan/two"]
    assert drawing.clusters["plan"].end == "completed"


async def test_ends_tokens_and_dead_edges_are_shown() -> None:
    graph = everything()
    drawing = draw(graph, await run(graph))
    assert drawing.boxes["brief"].end == "skipped"
    assert "skipped" in drawing.boxes["brief"].details
    assert "did not pick 'short'" in drawing.boxes["brief"].tooltip
    assert "recovered by fallback" in drawing.boxes["flaky"].details
    assert not drawing.boxes["flaky[fallback]/steady"].dashed
    assert any("tok" in line for line in drawing.boxes["report"].details)
    dead = {(a.source, a.target) for a in drawing.arrows if a.dead}
    assert dead == {("pick", "brief"), ("brief", "joined")}


async def test_a_fallback_that_was_not_needed_stays_dashed() -> None:
    graph = Graph("safe")

    async def fine() -> int:
        return 1

    async def other() -> int:
        return 2

    graph.function(fine, policy=Policy(fallback=Function("other", other)))
    drawing = draw(graph, await graph.run())
    assert drawing.boxes["fine[fallback]/other"].dashed
    assert "not needed" in drawing.boxes["fine[fallback]/other"].details
    assert [arrow.dead for arrow in drawing.arrows] == [True]


async def test_failed_blocked_and_cancelled_look_different() -> None:
    graph = Graph("mixed")

    async def broken() -> int:
        raise RuntimeError("service down")

    async def needs(broken: int) -> int:
        return broken

    async def fine() -> int:
        return 1

    graph.function(broken, policy=Policy(on_error="continue"))
    graph.function(needs)
    graph.function(fine)
    drawing = draw(graph, await graph.run())
    assert {id: box.end for id, box in drawing.boxes.items()} == {
        "broken": "failed",
        "needs": "blocked",
        "fine": "completed",
    }
    assert "service down" in drawing.boxes["broken"].tooltip
    assert drawing.details[0].startswith("partial · 3 node runs, 1 failed, 1 blocked · ")


async def test_an_llm_node_with_tools_shows_its_calls_only_after_a_run() -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    graph = Graph("tools")
    graph.add(LLM("sum", prompt="1 + 2?", tools=(add,)))
    assert set(draw(graph).boxes) == {"sum"}
    assert draw(graph).boxes["sum"].details == ("LLM · 1 tool",)
    call = ToolCall("1", "add", '{"a": 1, "b": 2}')
    provider = ScriptedProvider([LLMResponse("", "m", tool_calls=(call,)), "3"])
    drawing = draw(graph, await graph.run(provider=provider))
    assert "sum/rounds[0]/tools[0]/tool" in drawing.boxes
    assert drawing.boxes["sum/rounds[1]/tools"].details[1] == "0 items"


async def test_an_empty_map_is_one_box() -> None:
    graph = Graph("empty")

    async def work(item: int) -> int:
        return item

    graph.map(Function("work", work), over=[])
    drawing = draw(graph, await graph.run())
    assert drawing.boxes["work"].kind == "collapsed"
    assert "0 items" in drawing.boxes["work"].details


async def test_failures_among_items_beyond_the_limit_are_counted() -> None:
    graph = Graph("many")

    async def work(item: int) -> int:
        if item % 10 == 9:
            raise ValueError("nine")
        return item

    graph.map(Function("work", work), over=list(range(1_000)), on_item_error="skip")
    drawing = draw(graph, await graph.run())
    assert drawing.boxes["work[…]"].title == "… 992 more items"
    assert drawing.boxes["work[…]"].details == ("896 completed", "96 failed")
    assert drawing.boxes["work[…]"].end is None
    drawn = {box.title: box.end for box in drawing.boxes.values() if box.kind == "function"}
    assert drawn == {f"work [{i}]": "completed" for i in range(4)} | {
        f"work [{i}]": "failed" for i in (9, 19, 29, 39)
    }


async def test_bodies_a_thousand_deep_collapse() -> None:
    graph = nested(1_000)
    planned = draw(graph)
    assert len(planned.clusters) == 3
    assert [box.details for box in planned.boxes.values()] == [("subgraph", "1 node inside")]
    ran = draw(graph, await graph.run(x=1))
    assert [box.end for box in ran.boxes.values()] == ["completed"]


@pytest.mark.parametrize(("width", "wide"), [(2, False), (4, False), (5, True), (16, True)])
def test_a_wide_fan_is_laid_out_from_left_to_right(width: int, wide: bool) -> None:
    assert draw(fan(width)).is_wide is wide


def test_an_order_edge_is_dashed_and_two_bindings_are_one_arrow() -> None:
    graph = Graph("edges")

    async def source() -> int:
        return 1

    async def twice(a: int, b: int) -> int:
        return a + b

    async def later() -> int:
        return 2

    start = graph.function(source)
    graph.function(twice, a=start, b=start)
    graph.function(later, after=start)
    drawn = {(a.source, a.target): a.dashed for a in draw(graph).arrows}
    assert drawn == {("source", "twice"): False, ("source", "later"): True}
    assert len(draw(graph).arrows) == 2


async def test_an_edge_for_any_end_says_so_and_is_taken_after_a_failure() -> None:
    graph = Graph("ends")

    async def fails() -> int:
        raise OSError("no")

    async def clean() -> int:
        return 1

    graph.function(clean, after_end=graph.function(fails, policy=Policy(on_error="continue")))
    [arrow] = draw(graph).arrows
    assert (arrow.label, arrow.dashed) == ("ended", True)
    [arrow] = draw(graph, await graph.run()).arrows
    assert not arrow.dead


def test_a_graph_that_does_not_compile_is_an_error_with_the_reason() -> None:
    graph = Graph("broken")

    async def lonely(missing: int) -> int:
        return missing

    graph.function(lonely)
    with pytest.raises(DefinitionError, match="'missing' of node 'lonely' is not bound"):
        draw(graph)


async def test_a_result_of_another_graph_is_refused() -> None:
    with pytest.raises(DefinitionError, match="not of graph 'research'"):
        draw(everything(), await fan(2).run())
