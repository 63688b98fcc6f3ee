"""
Improve an answer until it is good enough.

Without a handler, a model improves its own answer. After each pass, `convergence_fn` gets the
result: what the handler returned, or the model's text with the fields of a JSON object in it.
Reaching `max_iterations` is not a failure.

Prints:
    improve_1: {"answer": "They fly.", "score": 0.4}
    improve_2: {"answer": "They talk.", "score": 0.7}
    improve_3: {"answer": "Bees dance.", "score": 0.95}
    converged after 3 passes: Bees dance.
    square root of 2: 1.414214 after 4 passes
"""

from typing import Any

import anyio

from dagorch import IterativeOrchestrator
from dagorch.testing import ScriptedProvider


def closer(context: dict[str, Any]) -> dict[str, float]:
    """Take one step of Newton's method from the previous guess."""
    guess = context["previous"]["guess"] if context["previous"] else 2.0
    better = (guess + 2 / guess) / 2
    return {"guess": better, "error": abs(better * better - 2)}


async def main() -> None:
    drafts = [
        {"answer": "They fly.", "score": 0.4},
        {"answer": "They talk.", "score": 0.7},
        {"answer": "Bees dance.", "score": 0.95},
    ]
    editor = IterativeOrchestrator(
        provider=ScriptedProvider(drafts),
        max_iterations=5,
        convergence_fn=lambda results: results["score"] > 0.9,
    )
    result = await editor.execute_workflow("How do bees talk? Answer in JSON and score yourself.")
    for agent in result.agent_results:
        print(f"{agent.subtask_id}: {agent.content}")
    answer, passes = result.result["answer"], result.metadata["iterations"]
    print(f"converged after {passes} passes: {answer}")

    root = IterativeOrchestrator(
        handler=closer, max_iterations=20, convergence_fn=lambda results: results["error"] < 1e-9
    )
    result = await root.execute_workflow("Square root of 2")
    print(
        f"square root of 2: {result.result['guess']:.6f} "
        f"after {result.metadata['iterations']} passes"
    )


if __name__ == "__main__":
    anyio.run(main)
