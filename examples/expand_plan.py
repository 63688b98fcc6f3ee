"""
A plan made by a model becomes a graph: what runs next is known only at run time.

The planner answers with steps and what each needs; `build` turns them into a `Graph` and returns
it, and the engine compiles and runs it in that node's place, under the same slots and budget. A
plan with a cycle, or with a step that is not there, would be a failed attempt, and the model's
next plan would get a try.

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
        if step.needs:  # `{prices}` is bound to the step of that name
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
