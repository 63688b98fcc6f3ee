"""What is printed when a run has ended."""

from __future__ import annotations

import io

from rich.console import Console

from dagorch import Graph, RunError
from dagorch.cli.summary import agent_results_text, answer_text, table_text
from dagorch.nodes import Function
from tests.unit.cli.outcomes import failure, outcome

CONSOLE = Console(file=io.StringIO(), width=80, highlight=False)


async def test_the_table_has_a_row_for_each_node_run_and_fits_80_columns() -> None:
    result = await outcome()
    lines = table_text(CONSOLE, result).splitlines()
    assert lines[0].split() == ["node", "kind", "state", "attempts", "tokens", "time", "cost"]
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert rows.keys() >= set(result.run.node_runs) - {"belter_2"}
    assert rows["belter_1"][1:4] == ["belter", "completed", "1"]
    assert any(line.startswith("belter_2") and "failed" in line for line in lines)
    assert lines[-2].startswith("11 node runs")
    assert lines[-1] == "belter_2: ValueError: not this one"
    assert all(len(line) <= 80 for line in lines)


async def test_the_error_that_the_run_ends_with_is_not_printed_twice() -> None:
    result = await failure()
    failed = [path for path, run in result.run.node_runs.items() if run.end == "failed"]
    line = f"{failed[-1]}: {result.run.node_runs[failed[-1]].reason}\n"
    whole = table_text(CONSOLE, result)
    assert line in whole
    assert table_text(CONSOLE, result, RunError("no", path=failed[-1])) == whole.replace(line, "")


async def test_without_a_terminal_the_answer_is_unchanged() -> None:
    assert answer_text(CONSOLE, await outcome()) == "Because | it is."


async def test_in_a_terminal_the_answer_is_rendered() -> None:
    terminal = Console(file=io.StringIO(), width=80, force_terminal=True)
    result = (await outcome()).model_copy(update={"result": "It **is**."})
    assert answer_text(terminal, result).rstrip() == "It \x1b[1mis\x1b[0m."


async def test_a_run_without_an_answer_gives_the_agents_results() -> None:
    text = agent_results_text(CONSOLE, await failure())
    assert text.count("found it") == 3
    assert "-- belter_1 --\n" in text


async def test_items_that_failed_are_counted_below_the_table() -> None:
    def half(item: int) -> int:
        if item % 2:
            raise ValueError("odd")
        return item

    graph = Graph()
    graph.map(Function("half", half), over=[1, 2, 3], id="each", on_item_error="skip")
    result = (await outcome()).model_copy(update={"run": await graph.run()})
    lines = table_text(CONSOLE, result).splitlines()
    assert lines[0].startswith("node")
    assert "2 items failed, and their maps continued" in lines
