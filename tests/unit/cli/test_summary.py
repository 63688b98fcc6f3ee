"""What is printed when a run has ended."""

from __future__ import annotations

import io

from rich.console import Console

from dagorch.cli.summary import print_agent_results, print_answer, print_table
from tests.unit.cli.outcomes import failure, outcome


def console(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_the_table_has_a_row_for_each_node_run_and_fits_80_columns() -> None:
    shown = console()
    result = await outcome()
    print_table(shown, result)
    lines = printed(shown).splitlines()
    assert lines[0].split() == ["node", "kind", "state", "attempts", "tokens", "time", "cost"]
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert rows.keys() >= set(result.run.node_runs) - {"belter_2"}
    assert rows["belter_1"][1:4] == ["belter", "completed", "1"]
    assert any(line.startswith("belter_2") and "failed" in line for line in lines)
    assert lines[-2].startswith("11 node runs")
    assert lines[-1] == "belter_2: ValueError: not this one"
    assert all(len(line) <= 80 for line in lines)


async def test_without_a_terminal_the_answer_is_printed_unchanged() -> None:
    shown = console()
    print_answer(shown, await outcome())
    assert printed(shown) == "Because | it is.\n"


async def test_a_run_without_an_answer_prints_the_agents_results() -> None:
    shown = console()
    result = await failure()
    print_agent_results(shown, result)
    assert printed(shown).count("found it") == 3
    assert "-- belter_1 --" in printed(shown)
