"""Among ready subtasks the higher priority starts first."""

from __future__ import annotations

from dagorch import SubTask
from tests.conformance.doubles import Plain, once


async def test_the_higher_priority_starts_first() -> None:
    plan = [SubTask(id=f"p{n}", description="do", priority=n) for n in (1, 5, 3, 4, 2)]
    o = Plain(once(parallel_execution=False), plan=plan)
    result = await o.execute_workflow("Why?")
    assert [s["id"] for s in o.seen] == ["p5", "p4", "p3", "p2", "p1"]
    assert [a.subtask_id for a in result.agent_results] == ["p1", "p5", "p3", "p4", "p2"]


async def test_a_priority_does_not_override_a_dependency() -> None:
    plan = [
        SubTask(id="late", description="do", priority=9, dependencies=["early"]),
        SubTask(id="early", description="do", priority=1),
        SubTask(id="other", description="do", priority=5),
    ]
    o = Plain(once(parallel_execution=False), plan=plan)
    await o.execute_workflow("Why?")
    assert [s["id"] for s in o.seen] == ["other", "early", "late"]
