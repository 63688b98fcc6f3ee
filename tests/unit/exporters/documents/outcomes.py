"""Outcomes of the five patterns, with realistic replies, as input for documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dagorch import (
    ConditionalOrchestrator,
    DreamCascadeConfig,
    DreamCascadeOrchestrator,
    DreamSwarmConfig,
    DreamSwarmOrchestrator,
    Finding,
    IterativeOrchestrator,
    OrchestratorConfig,
    OrchestratorResult,
    RunError,
    SequentialOrchestrator,
)
from dagorch.models.llm import LLMRequest
from dagorch.testing import ScriptedProvider

TASK = "Should a small town heat its school with a heat pump?"
PLAN = json.dumps(
    {
        "questions": [
            "What does a heat pump cost to run in a cold climate?",
            "Which buildings suit one as they are?",
            "What do towns report after five winters?",
        ]
    }
)
REPORT = """\
# Heat pumps for the school: yes, with insulation first

A heat pump **pays back in 9 to 12 years** if the roof is insulated before it is installed. Without
that, running costs exceed those of the gas boiler in two winters of three.

## What it costs

| System | Bought for | A year | After 15 years |
|:-------|-----------:|-------:|---------------:|
| Gas boiler, new | €18,000 | €14,200 | €231,000 |
| Heat pump, as it is | €61,000 | €12,900 | €254,500 |
| Heat pump, roof insulated | €89,000 | €7,400 | €200,000 |

The figures assume €0.24 per kWh and *no* subsidy. The seasonal performance factor was computed so:

```python
def spf(heat_kwh: float, power_kwh: float) -> float:
    \"\"\"Heat given per unit of electricity taken.\"\"\"
    return heat_kwh / power_kwh if power_kwh else 0.0
```

## What to do, in order

1. Insulate the roof (tender in March, work in July).
2. Replace the radiators of the north wing:
   - 14 of them are too small for 45 °C water;
   - the pipes can stay.
3. Install two units of 60 kW rather than one of 120 kW.

> Redundancy mattered more to us than efficiency. — a caretaker, in an interview

### Open questions

Whether the grid connection of `80 A` suffices is not known. See the \
[operator's form](https://grid.example.org/forms/connection?kind=heat-pump) and \
https://heat.example.org/guide for what to ask.
"""
PART = """\
Field studies put the **seasonal performance factor** between 2.6 and 3.4 for old buildings, and \
at 3.9 where flow temperatures stay below 40 °C.

- Cold spells below −15 °C cost a fifth of it.
- Defrosting takes 3–5 %.
"""
ANALYSIS = """\
### Findings

The questions agree on one thing: *flow temperature decides*. Numbers differ by climate zone.

| Zone | Factor |
|---|---:|
| Coast | 3.4 |
| Inland | 2.9 |
"""


def _cascade_reply(request: LLMRequest) -> str:
    if request.json_schema is not None:
        return PLAN
    return {"belter": PART, "drummer": ANALYSIS}.get(request.model, REPORT)


def _swarm_reply(request: LLMRequest) -> str:
    if "number that it has in the notes" in request.messages[-1].content:
        return (
            "Heat pumps work in old schools where flow temperatures are low [1][3].\n\n"
            "## Evidence\n\nA field study of 41 schools found a factor of 3.1 [1]. Costs fell "
            "by a third after insulation [2, 4].\n\n## Doubts\n\nNoise was reported once [4]."
        )
    return "A factor of 3.1 in 41 schools [1]. Insulation came first [2]."


class _Shelf:
    def __init__(self, name: str) -> None:
        self.name = name

    async def search(self, query: str, limit: int) -> list[Finding]:
        return [
            Finding(
                f"Heat pumps in {kind} schools: a study in {self.name}",
                f"https://{self.name}.example/papers/2023/{n}/heat-pumps-in-{kind}-schools.html",
                f"202{n}-0{n}-1{n}",
                ["Ada Lovelace", "Mary Ward", "Emmy Noether", "Lise Meitner"][: n + 1],
                "A factor of 3.1.",
                self.name,
            )
            for n, kind in enumerate(("old", "rural"), 1)
        ][:limit]


def _config(**fields: Any) -> dict[str, Any]:
    return {"max_retries": 0, "primary_model": "writer", **fields}


def _provider(replies: Callable[[LLMRequest], Any] | str) -> ScriptedProvider:
    return ScriptedProvider(replies, name="mine", price_per_token=0.00002)


async def cascade(
    replies: Callable[[LLMRequest], Any] = _cascade_reply, **fields: Any
) -> OrchestratorResult:
    config = DreamCascadeConfig(
        **_config(belter_model="belter", drummer_model="drummer", camina_model="camina", **fields)
    )
    return await DreamCascadeOrchestrator(config, _provider(replies)).execute_workflow(TASK)


async def swarm(**fields: Any) -> OrchestratorResult:
    config = DreamSwarmConfig(**_config(num_agents=2, **fields))
    shelves = {name: _Shelf(name) for name in ("arxiv", "news")}
    orchestrator = DreamSwarmOrchestrator(config, _provider(_swarm_reply), sources=shelves)
    return await orchestrator.execute_workflow(TASK)


async def sequential(reply: Any = REPORT, **fields: Any) -> OrchestratorResult:
    def replies(request: LLMRequest) -> Any:
        return reply if "report" in request.messages[-1].content[-400:] else PART

    config = OrchestratorConfig(**_config(steps=["research", "weigh up", "report"], **fields))
    return await SequentialOrchestrator(config, _provider(replies)).execute_workflow(TASK)


async def conditional(**fields: Any) -> OrchestratorResult:
    orchestrator = ConditionalOrchestrator(
        OrchestratorConfig(**_config(**fields)),
        _provider(REPORT),
        condition=lambda context: "school" in context["task"],
        true_branch=["List what is known.", "Write the report."],
        false_branch="Say that it is not about a school.",
    )
    return await orchestrator.execute_workflow(TASK)


async def iterative(**fields: Any) -> OrchestratorResult:
    orchestrator = IterativeOrchestrator(
        OrchestratorConfig(**_config(**fields)),
        _provider(REPORT),
        max_iterations=3,
        convergence_fn=lambda results: results["iteration"] == 2,
    )
    return await orchestrator.execute_workflow(TASK)


async def partial(**fields: Any) -> OrchestratorResult:
    """Run a cascade in which one belter fails."""

    def replies(request: LLMRequest) -> str:
        if request.model == "belter" and "suit one" in request.messages[-1].content:
            raise ValueError("the model gave nothing | <b>at all</b>")
        return _cascade_reply(request)

    return await cascade(replies, **fields)


async def failed(**fields: Any) -> RunError:
    """Run a cascade whose camina fails; return the error."""

    def replies(request: LLMRequest) -> str:
        if request.model == "camina":
            raise ValueError("too long for the model")
        return _cascade_reply(request)

    try:
        await cascade(replies, **fields)
    except RunError as error:
        return error
    raise AssertionError("the cascade did not fail")
