"""
Run one of several branches, chosen by a condition.

The condition is a function of the context, or a question that the model answers. Use `selector=`
and `branches=` for more than two branches. A branch is a function, a prompt, or a list of both.

Prints:
    9.50: false, paid at once
    950.00: true, a letter was sent: Dear board, please approve 950.00.
    Where is my parcel? -> tracking
"""

from typing import Any

import anyio

from dagorch import ConditionalOrchestrator
from dagorch.testing import ScriptedProvider


def is_large(context: dict[str, Any]) -> bool:
    return context["amount"] > 100


def pay(context: dict[str, Any]) -> str:
    return "paid at once"


async def send(step: str, context: dict[str, Any]) -> str:
    """Send what the previous step wrote."""
    return f"a letter was sent: {context['results']['true_1']}"


async def main() -> None:
    model = ScriptedProvider("Dear board, please approve 950.00.")
    approval = ConditionalOrchestrator(
        provider=model,
        condition=is_large,
        true_branch=["Write a letter to the board", send],
        false_branch=pay,
    )
    for amount in (9.5, 950.0):
        result = await approval.execute_workflow("Pay the bill", {"amount": amount})
        print(f"{amount:.2f}: {result.metadata['selected_branch']}, {result.result}")

    desk = ConditionalOrchestrator(
        provider=ScriptedProvider("tracking"),
        selector="What is this message about?",
        branches={
            "refund": lambda context: "to accounting",
            "tracking": lambda context: "to the warehouse",
            "other": lambda context: "to a colleague",
        },
    )
    result = await desk.execute_workflow("Where is my parcel?")
    print(result.metadata["task"], "->", result.metadata["selected_branch"])


if __name__ == "__main__":
    anyio.run(main)
