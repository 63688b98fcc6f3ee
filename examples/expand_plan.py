"""
Let a model plan the work, and run its plan as a graph.

The planner replies with steps and their dependencies. `build` turns them into a `Graph` and
returns it. The engine compiles this graph and runs it in place of `build`, with the same slots and
budget. A plan with a cycle or an unknown step is a failed attempt, which a retry policy can repeat.

The model is scripted, so this runs offline.

Prints:
    report on (prices, reviews)
    build/prices: 0.0 s to 1.0 s
    build/reviews: 0.0 s to 1.0 s
    build/report: 1.0 s to 2.0 s
"""

from pydantic import BaseModel

from dagorch import LLM, Graph
from dagorch.models.result import Result
from dagorch.testing import ScriptedProvider, run_virtual


class Step(BaseModel):
    id: str
    needs: list[str] = []


class Plan(BaseModel):
    steps: list[Step]


graph = Graph("planned")
graph.input("task", str)
plan = graph.add(LLM("plan", prompt="Plan this in steps: {task}", output=Plan))


@graph.function(expand=True)
async def build(plan: Plan) -> Graph:
    steps = Graph("steps")
    for step in plan.steps:
        prompt = f"Do the step {step.id}."
        if step.needs:  # `{prices}` inserts the value of the step `prices`
            prompt += " Use: " + ", ".join(f"{{{name}}}" for name in step.needs)
        steps.add(LLM(step.id, prompt=prompt))
    return steps


PLAN = {
    "steps": [
        {"id": "prices"},
        {"id": "reviews"},
        {"id": "report", "needs": ["prices", "reviews"]},
    ]
}


async def main() -> Result:
    provider = ScriptedProvider(
        {
            "Plan this": PLAN,
            "step prices": "prices",
            "step reviews": "reviews",
            "step report": "report on (prices, reviews)",
        },
        latency_seconds=lambda request: 0.0 if request.json_schema else 1.0,
    )
    return await graph.run(task="Which bicycle should I buy?", provider=provider)


if __name__ == "__main__":
    result = run_virtual(main)
    print(result[build])
    for path, run in result.node_runs.items():
        if path.startswith("build/"):
            print(f"{path}: {run.started_seconds:.1f} s to {run.ended_seconds:.1f} s")
